"""A page of a sweep says what its runs hold, and looks so in a browser."""

import csv
import json
import re
import shutil
import signal
import subprocess
import time
from dataclasses import asdict, replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import running
from hypothesis import given
from hypothesis import strategies as st

from heatmap_research.analysis.comparison.verdict.settings import Group
from heatmap_research.analysis.error_budget import state
from heatmap_research.analysis.error_budget.parts import Budget, Part
from heatmap_research.analysis.page import page
from heatmap_research.analysis.page.making import study
from heatmap_research.analysis.page.sections import (
    arms,
    costs,
    factors,
    parts_of_error,
    verdicts,
    widths,
)
from heatmap_research.analysis.page.study import Seen, first
from heatmap_research.drawing.example import Example
from heatmap_research.runs.find import Run, find
from heatmap_research.runs.store import PREDICTIONS, RunStore

JOINTS, IMAGES = 4, 40
ERRORS = {("ce_2d", 2): 1.0, ("ce_2d", 4): 1.4, ("simcc", 2): 1.9, ("simcc", 4): 1.2}
DECODERS = {"argmax": 0.5, "dark": 0.0}  # pixels added
SECTIONS = (
    *("Verdict", "Set-up", "Arms", "Curves", "Label width three ways", "Decoders"),
    "Cumulative error",
    *("Error against sub-pixel phase", "Error against cost", "Error budget", "Learning curves"),
    *("Samples", "Jobs", "Environment and commands", "Glossary"),
)
WORDS = {"Set-up", "Arms", "Error budget", "Jobs", "Environment and commands", "Glossary"}
DRAWN = set(SECTIONS) - WORDS


def predictions(seed: int, size: float, stage: str) -> dict[str, pa.Table]:
    """By decoder; errors lie along x, and are the size but for noise."""
    rng, shared = np.random.default_rng([seed, int(100 * size)]), np.random.default_rng(1)
    truth = shared.uniform(5, 58, (IMAGES * JOINTS, 2))
    noise = rng.normal(0, 0.1, IMAGES * JOINTS)
    tables = {}
    for decoder, added in DECODERS.items():
        x = truth[:, 0] + size + added + noise
        columns = {name: np.zeros(len(truth)) for name in PREDICTIONS.names}
        columns |= {"x": x, "y": truth[:, 1], "x_true": truth[:, 0], "y_true": truth[:, 1]}
        columns |= {"image": np.repeat(np.arange(IMAGES), JOINTS)}
        columns |= {"instance": columns["image"], "joint": np.tile(np.arange(JOINTS), IMAGES)}
        columns |= {"visible": np.full(len(truth), 2), "flip_test": np.zeros(len(truth), bool)}
        columns |= {"stage": [stage] * len(truth), "decoder": [decoder] * len(truth)}
        tables[decoder] = pa.table(columns).cast(PREDICTIONS)
    return tables


def error(table: pa.Table) -> float:
    away = [table[axis].to_numpy() - table[f"{axis}_true"].to_numpy() for axis in "xy"]
    return float(np.hypot(*away).mean())


def write(folder: Path, arm: str, sigma: float, seed: int, clock: float = 1.0, **more) -> Path:
    """As a run leaves it; `clock` is how slow the machine was."""
    folder.mkdir(parents=True)
    store, size = RunStore(folder), ERRORS.get((arm, sigma), 2.0)
    tables = {stage: predictions(seed, size, stage) for stage in ("val", "test")}
    for each in tables.values():
        store.write_predictions(pa.concat_tables(each.values()).unify_dictionaries())
    config = {"seed": seed, "sigma": sigma, "stride": 4 if arm == "ce_2d" else "1/2"}
    config |= {"monitor": "pixel_error", "output_dir": str(folder), "data": {"pool": 64}}
    store.update(
        status="finished",
        config=config,
        config_hash=f"{arm}{sigma}{seed}",
        choices={"arm": arm, "head": arm},
        study="grid",
        seed=seed,
        decoders=list(DECODERS),
        metrics={
            stage: {d: {"pixel_error": error(table)} for d, table in each.items()}
            for stage, each in tables.items()
        },
        parameters=100_000 if arm == "ce_2d" else 300_000,
        macs=5_000_000,
        seconds=clock * (10 + seed),
        peak_memory=int(clock * 1e9),
        versions={"torch": "2.11"},
        device={"name": "a processor", "cuda": None, "threads": 1},
        **more,
    )
    with (folder / "metrics.csv").open("w", newline="") as file:
        rows = csv.DictWriter(file, ["step", "train/loss", "train/excess", "val/dark/pixel_error"])
        rows.writeheader()
        for step in range(0, 100, 10):
            loss = (1 + size) / (1 + step)
            rows.writerow({"step": step, "train/loss": loss, "train/excess": loss / 2})
        rows.writerow({"step": 99, "val/dark/pixel_error": size})
    return folder


def write_budget(folder: Path) -> None:
    parts = (Part("decoding", 0.5, 0.6, 0.25), Part("miss", -0.1, -0.1, -0.05))
    forwards = Budget(2.0, 5.0, parts, 1.6, 4.5)
    content = {"forwards": {"order": list(forwards.order), **asdict(forwards)}, "stage": "test"}
    content |= {"decoder": "argmax", "flip_test": False, "fitted_to": "val"}
    place = folder / "evaluate" / "budget"
    place.mkdir(parents=True)
    (place / "budget.json").write_text(json.dumps(content))


def sweep(folder: Path, clock: float = 1.0) -> Path:
    for arm, sigma in ERRORS:
        for seed in range(3):
            write(folder / f"{arm}-sigma_{sigma}-seed_{seed}", arm, sigma, seed, clock)
    for arm, sigma in (("ce_2d", 2), ("simcc", 4)):
        write_budget(folder / f"{arm}-sigma_{sigma}-seed_0")
    lost = folder / "simcc-sigma_2-seed_3"
    write(lost, "simcc", 2, 3, clock)
    RunStore(lost).update(status="failed", error="MemoryError: no memory is left\nat line 7")
    return folder


def seen(arm: str, latency: float = 0.01) -> Seen:
    """By hand, as a network would tell."""
    image = np.full((64, 64, 3), 90, np.uint8)
    point = np.array([[20.0, 30.0]], np.float32)
    row, map_2d = np.eye(128, dtype=np.float32)[60][None], np.zeros((1, 16, 16), np.float32)
    map_2d[0, 7, 5] = 1
    if arm == "ce_2d":
        lines = ((1.5, 4.0), (1.5, 4.0))
        return Seen(lines, 2, 4096, latency, (Example(image, [map_2d], lines, point, point + 1),))
    lines = ((-0.25, 0.5), (-0.25, 0.5))
    return Seen(lines, 1, 2048, latency, (Example(image, [row, row], lines, point, point + 2),))


def study_of(folder: Path, latency: float = 0.01, **asked):
    found = study(find(folder), **asked)
    looks = {first(group).folder: seen(group.arm, latency) for group in found.groups}
    command = f"heatmap-train -m arm=ce_2d,simcc hydra.sweep.dir={folder}"
    return replace(found, seen=looks, commands={folder: command})


def without_measured(html: str) -> str:
    return re.sub(r"<(\w+)[^>]* data-measured[^>]*>.*?</\1>", "", html, flags=re.DOTALL)


def plain(html: str) -> str:
    text = re.sub(r"<(style|script).*?</\1>|<[^>]+>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(text))


@pytest.fixture(scope="module")
def grid(tmp_path_factory) -> Path:
    return sweep(tmp_path_factory.mktemp("grid") / "sweep")


@pytest.fixture(scope="module")
def html(grid) -> str:
    return page.html(study_of(grid, margin=0.1), "Made now.")


def test_the_verdict_comes_first_with_its_interval_and_what_it_covers(html, grid):
    said = plain(html)
    (over,) = [v for v in study_of(grid, margin=0.1).verdicts if v.over]
    assert over.words in said
    assert said.index(over.words) < said.index("Table 1.")
    assert "95 % interval" in over.words
    assert "new seeds and new images" in over.words


def test_where_a_setting_says_the_opposite_of_the_average_it_is_said_at_once(html, grid):
    (other,) = [v for v in study_of(grid, margin=0.1).verdicts if v.setting == (("sigma", 4),)]
    assert other.words.startswith("At sigma=4: ce_2d (dark) is worse than simcc (dark)")
    said = plain(html)
    assert said.index(f"But not everywhere. {other.words}") < said.index("Figure 1.")


def test_the_page_is_whole_and_asks_nothing_of_a_network(html):
    assert [h for h in re.findall(r"<h2>(.*?)</h2>", html)] == list(SECTIONS)
    assert re.findall(r'(?:src|href)="(?!#|data:)([^"]*)"', html.replace("xlink:", "")) == []
    assert re.findall(r"url\((?!#|&quot;)", html) == []
    assert len(html) < 8e6
    Balanced().feed(html)


def test_figures_are_numbered_and_say_what_they_show(html):
    numbers = re.findall(r"<figcaption><b>Figure (\d+)\.</b>", html)
    assert numbers == [str(n + 1) for n in range(html.count("<figure"))]
    assert len(numbers) == 11


def test_names_that_look_like_markup_are_shown_as_they_are(tmp_path):
    for arm in ("<b>ce</b>", 'a & "b"'):
        write(tmp_path / str(len(arm)), arm, 2, 0)
    lost = write(tmp_path / "<script>", "a", 2, 1)
    RunStore(lost).update(status="failed", error="<img src=x onerror=alert(1)>")
    html = page.html(study_of(tmp_path, margin=0.1), "Made of <i>these</i>.")
    Balanced().feed(html)
    assert re.search(r"<(b>ce|script> failed|img src=x|i>these)", html) is None
    said = plain(html)
    for words in ("<b>ce</b> (dark)", 'a & "b"', "<script> failed: <img src=x", "<i>these</i>."):
        assert words in said


def test_no_two_things_of_the_page_have_the_same_name(html):
    names = re.findall(r' id="([^"]+)"', html)
    assert len(names) == len(set(names))


def test_a_job_that_failed_is_named_with_its_error_and_counted_nowhere(html, grid):
    assert plain(html).count("simcc-sigma_2-seed_3") == 2  # at the top and among the jobs
    assert "MemoryError: no memory is left" in html
    assert "13 jobs: 12 finished, 1 failed." in html
    assert all(3 not in group.runs for group in study_of(grid).groups)


def test_the_table_of_arms_has_means_and_deviations_over_seeds(grid):
    rows = {(row["arm"], row["sigma"]): row for row in arms.rows(study_of(grid))}
    assert rows.keys() == ERRORS.keys()
    for (arm, sigma), row in rows.items():
        found = [error(predictions(s, ERRORS[arm, sigma], "test")["dark"]) for s in range(3)]
        assert row["decoder"] == "dark"
        assert row["test/pixel_error"].mean == pytest.approx(mean(found), abs=1e-6)
        assert row["test/pixel_error"].deviation == pytest.approx(stdev(found), abs=1e-6)
        assert row["seconds"].mean == 11


def test_the_same_sweep_on_a_slower_machine_gives_the_same_page_but_for_what_is_marked(
    grid, html, tmp_path
):
    again = sweep(tmp_path / "elsewhere", clock=3.7)
    other = page.html(study_of(again, latency=0.05, margin=0.1), "Made later.")
    assert other != html
    assert without_measured(other) == without_measured(html)
    assert str(tmp_path) not in without_measured(other)


def test_widths_are_told_equal_tuned_and_published(grid):
    (_, table, *said) = widths.section(study_of(grid)).parts
    rows = {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}
    assert list(rows) == ["all at 2 px", "all at 4 px", "tuned on val"]
    assert [cell.split()[-1] for cell in rows["tuned on val"]] == ["(2)", "(4)"]
    text = " ".join(each.text for each in said)
    assert "simcc (4 px) is" not in text  # told of the first arm
    assert re.search(r"ce_2d \(2 px\) is 0\.\d+ px below simcc \(4 px\) \(95 % interval", text)
    assert "The published width of ce_2d is 8 px at this stride: add sigma=8." in text
    assert "The published width of simcc is 3 px at this stride: add sigma=3." in text


def test_curves_run_over_every_number_that_was_varied(grid):
    found = study_of(grid)
    assert factors.keys(found) == ["sigma"]
    curves, over = factors._curves(found, "sigma")
    assert over == []
    assert list(curves) == ["ce_2d", "simcc"]
    assert all(list(knobs) == [2.0, 4.0] for knobs in curves.values())
    assert curves["simcc"][4.0] == pytest.approx(
        [error(predictions(s, 1.2, "test")["dark"]) for s in range(3)], abs=1e-6
    )


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1), st.booleans())
def test_nothing_is_better_in_both_than_what_is_on_the_line(pairs, higher):
    sign = -1 if higher else 1
    points = [(float(x), float(y)) for x, y in pairs]

    def beats(a, b):
        return a[0] <= b[0] and sign * a[1] <= sign * b[1] and a != b

    kept = set(costs.front(points, higher))
    assert kept == {p for p in points if not any(beats(other, p) for other in points)}


def test_a_phase_is_how_far_the_truth_lies_from_the_middle_of_its_bin():
    truth = np.array([[1.5, -0.25], [2.5, 0.0], [5.0, 0.24]])
    found = state.phase(truth, ((-0.25, 0.5), (1.5, 4.0)))
    expected = [[0.0, 0.0], [0.25, -0.5], [-0.125, -0.02]]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_metric_that_was_not_asked_for_is_read_from_predictions(grid):
    found = study_of(grid, metric="PCK@1.3px")
    said = plain(page.html(found, ""))
    assert "PCK@1.3px on test" in said
    for group in found.groups:
        for seed, value in found.values(group, "test").items():
            size = ERRORS[group.arm, dict(group.setting)["sigma"]]
            table = predictions(seed, size, "test")["dark"]
            away = [table[axis].to_numpy() - table[f"{axis}_true"].to_numpy() for axis in "xy"]
            assert value == pytest.approx(np.mean(np.hypot(*away) <= 1.3), abs=1e-6)


@pytest.mark.parametrize(
    ("value", "number"), [("1/2", 0.5), (4, 4.0), ([256, 192], 256.0), ("none", None), (True, None)]
)
def test_what_can_be_drawn_along_an_axis_is_a_number(value, number):
    run = Run(Path("."), {"choices": {}, "config": {"knob": value}})
    assert factors.at(Group("simcc", (), {0: run}), "knob") == number


def test_one_arm_alone_is_shown_and_there_is_nothing_to_compare(tmp_path):
    for seed in range(2):
        write(tmp_path / str(seed), "simcc", 2, seed)
    found = study(find(tmp_path))
    text = plain(page.html(found, ""))
    assert "There is nothing to compare: all that has finished has arm=simcc." in text
    assert "Curves need a number that was varied" in text
    assert "heatmap-budget run=" in text
    assert verdicts.section(found).parts


def test_runs_that_cannot_be_compared_are_shown_and_it_is_said_why(tmp_path):
    for arm in ("simcc", "ce_2d"):
        folder = write(tmp_path / arm, arm, 2, 0)
        if arm == "simcc":  # the test images of the other are its own
            table = pq.read_table(folder / "predictions.parquet")
            moved = pa.array(table["image"].to_numpy() + 1000)
            place = table.column_names.index("image")
            pq.write_table(table.set_column(place, "image", moved), folder / "predictions.parquet")
    said = plain(page.html(study(find(tmp_path)), ""))
    assert "were evaluated on different images" in said
    assert "Table 1. Arms by mean error" in said


def test_where_arms_are_the_same_what_was_varied_tells_runs_apart(tmp_path):
    for sigma in (2, 4):
        for seed in range(2):
            write(tmp_path / f"{sigma}_{seed}", "simcc", sigma, seed)
    found = study_of(tmp_path)
    assert (found.by, found.arms) == ("sigma", ["2", "4"])
    assert len(found.verdicts) == 1
    curves, _ = factors._curves(found, "sigma")
    assert {name: list(knobs) for name, knobs in curves.items()} == {"simcc": [2.0, 4.0]}
    assert "Figure 1." in plain(page.html(found, ""))


class Balanced(HTMLParser):
    """Fails where an element is closed that is not open."""

    VOID = ("meta", "link", "img", "br", "input")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs) -> None:
        pass


# In a browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
BEFORE = """<script>
window.problems = [];
addEventListener("error", (e) => problems.push(e.message ?? "a resource"), true);
for (const kind of ["error", "warn"]) console[kind] = (...said) => problems.push(said.join(" "));
</script>"""
AFTER = """<script>
addEventListener("load", () => {
  const column = (table, place) => [...table.tBodies[0].rows].map((row) => row.cells[place]);
  const value = (cell) => "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent;
  const sorted = [];
  for (const folded of document.querySelectorAll("details")) folded.open = true;
  const overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  for (const table of document.querySelectorAll("table"))
    [...table.tHead.rows[0].cells].forEach((head, place) => {
      for (const direction of ["ascending", "descending"]) {
        head.querySelector("button").click();
        sorted.push({direction, said: head.getAttribute("aria-sort"),
                     values: column(table, place).map(value)});
      }
    });
  const boxes = [...document.querySelectorAll("figure svg, figure img")].map((drawn) => {
    const box = drawn.getBoundingClientRect();
    const shapes = drawn.matches("img") ? Number(drawn.naturalWidth > 0)
      : [...drawn.querySelectorAll("path, use")].filter(
          (s) => s.getBoundingClientRect().width + s.getBoundingClientRect().height > 0).length;
    return {width: box.width, height: box.height, right: box.right, shapes};
  });
  const setUp = document.querySelector("#set-up pre");
  const hidden = setUp.scrollWidth - setUp.clientWidth;
  parent.postMessage(JSON.stringify(
    {problems, sorted, boxes, overflow, hidden, width: innerWidth}), "*");
});
</script>"""
FRAME = """<!doctype html><iframe src="probe.html" style="width:{width}px;height:900px"></iframe>
<pre></pre><script>
addEventListener("message", (e) => document.querySelector("pre").textContent = e.data);
</script>"""


def browse(html: str, width: int, folder: Path) -> dict:
    """What a browser of that width makes of it, by a script that was put in."""
    probed = html.replace("<head>", f"<head>{BEFORE}", 1).replace("</body>", f"{AFTER}</body>", 1)
    (folder / "probe.html").write_text(probed)
    (folder / "frame.html").write_text(FRAME.format(width=width))
    line = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    line += [f"--user-data-dir={folder}/profile", "--virtual-time-budget=20000"]
    line += [f"--window-size={width + 100},1000", f"file://{folder}/frame.html"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    (said,) = re.findall(r"<pre>(.*?)</pre>", done.stdout, re.DOTALL)
    assert said, done.stderr[-2000:]
    return json.loads(said.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))


def assert_in_order(sorting: dict) -> None:
    """Numbers before words, whatever the direction; a browser knows how to sort words."""
    values = sorting["values"]
    numbers = [value for value in values if not isinstance(value, str)]
    assert sorting["said"] == sorting["direction"]
    assert values[: len(numbers)] == numbers
    assert numbers == sorted(numbers, reverse=sorting["direction"] == "descending")


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here to look at the page with")
@pytest.mark.parametrize("width", [400, 1200])
def test_in_a_browser_plots_are_drawn_tables_sort_and_nothing_overflows(width, html, tmp_path):
    found = browse(html, width, tmp_path)
    assert found["problems"] == []
    assert found["width"] == width
    assert found["overflow"] == 0
    assert found["hidden"] == 0  # of the set-up's lines
    assert len(found["boxes"]) == html.count("<svg") + html.count("<img")
    for box in found["boxes"]:
        assert box["width"] > 150
        assert box["height"] > 60
        assert box["right"] <= width
        assert box["shapes"] > 0
    assert len(found["sorted"]) > 20
    for sorting in found["sorted"]:
        assert_in_order(sorting)


# heatmap-report


def report(*arguments, cwd: Path) -> running.Finished:
    return running.command("report", *map(str, arguments), cwd=cwd)


def test_the_command_says_where_the_page_is_and_writes_tables(grid, tmp_path):
    done = report(grid, "--csv", "t.csv", "--latex", "t.tex", "--margin", "0.1", cwd=tmp_path)
    assert done.status == 0, done.err
    assert re.search(r"report\.html: 12 runs, 1 not finished, \d\.\d MB, made in \d+ s", done.out)
    assert "95 % interval" in done.out
    text = plain((tmp_path / "report.html").read_text())
    assert "its network cannot be built anew" in text  # these runs are none's
    with (tmp_path / "t.csv").open() as file:
        assert {row["arm"] for row in csv.DictReader(file)} == {"ce_2d", "simcc"}
    paper = (tmp_path / "t.tex").read_text()
    assert paper.count(r"\toprule") == 2  # arms, then their differences
    assert re.search(r"ce\\_2d less simcc & sigma=2 & -0\.90\d \[-0\.9\d+, -0\.8\d+\] & ", paper)
    again = report(grid, "--keep", "kept", "--keep-metric", "PCK@1px", cwd=tmp_path)
    assert again.status == 0, again.err  # over its own page
    measures = pq.read_table(tmp_path / "kept" / "cells.parquet")["measure"].to_pylist()
    assert set(measures) == {"pixel_error", "PCK@1px"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere",), "nowhere: there is no run here"),
        (("{grid}", "--out", "no/page.html"), "there is no folder no"),
        (("{grid}", "--out", "mine.html"), "mine.html: that is no page of heatmap-report"),
        (("{grid}", "--metric", "pck"), "metric=pck: choose one that rows of predictions give"),
        (("{grid}", "--keep-metric", "PCK@1px"), "--keep-metric PCK@1px: add --keep DIR"),
        (("{grid}", "--margin", "-1"), "--margin -1: it must be greater than 0"),
        (("{grid}", "--baseline", "rle"), "baseline=rle: choose one of ce_2d, simcc"),
        (("{grid}", "--decoder", "drk"), "decoder=drk: "),
        (("{grid}", "--by", "sigm"), "sigm: none of these runs has such a value"),
        (("{grid}/simcc-sigma_2-seed_3",), "nothing to report: none of 1 runs has finished"),
    ],
)
def test_a_slip_is_answered_in_a_line_and_nothing_is_written(arguments, words, grid, tmp_path):
    (tmp_path / "mine.html").write_text("<p>mine</p>")
    done = report(*(each.format(grid=grid) for each in arguments), cwd=tmp_path)
    assert done.status != 0
    assert len(done.err.strip().splitlines()) == 1, done.err
    assert words in done.err
    assert [file.name for file in tmp_path.glob("*.html")] == ["mine.html"]
    assert (tmp_path / "mine.html").read_text() == "<p>mine</p>"


# Of real runs

FEW = (*running.SMOKE, "decoder=[argmax,dark]", "trainer.max_steps=4", "callback=[last]")
CRASH = """
from pytorch_lightning import Callback

class Crash(Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        raise MemoryError("no memory is left")
"""


def trained(folder: Path, *asked: str) -> running.Finished:
    line = ("-m", *asked, *FEW, f"hydra.sweep.dir={folder}")
    return running.command("train", *line, cwd=folder.parent, paths=(str(folder.parent),))


def page_of(folder: Path, *more: str) -> tuple[str, running.Finished]:
    done = report(folder, "--margin", "0.5", *more, cwd=folder.parent)
    assert done.status == 0, done.out + done.err
    return (folder.parent / "report.html").read_text(), done


def pictures(html: str) -> dict[str, int]:
    sections = re.findall(r"<h2>(.*?)</h2>(.*?)</section>", html, re.DOTALL)
    return {title: len(re.findall(r"<svg|<img", inside)) for title, inside in sections}


def test_a_real_sweep_is_told_and_drawn_with_what_its_networks_say(tmp_path):
    (tmp_path / "crash.py").write_text(CRASH)
    folder = tmp_path / "sweep"
    done = trained(folder, "arm=ce_2d,simcc", "seed=0,1")
    assert done.status == 0, done.out + done.err
    assert trained(folder, "arm=simcc", "seed=2", "+callback.crash._target_=crash.Crash").status
    html, done = page_of(folder)
    said = plain(html)
    assert "4 runs, 1 not finished" in done.out
    assert re.search(r"\w+-\w+ failed: MemoryError: no memory is left", said)
    assert "2 seeds x 32 images" in said
    drawn = pictures(html)
    assert drawn["Samples"] == 2 * 3
    assert drawn["Error against sub-pixel phase"] == 4
    assert drawn["Error against cost"] == 5
    assert drawn["Learning curves"] == 2
    rows = re.findall(r"<tr><td>(ce_2d|simcc)</td>(.*?)</tr>", html)
    sizes = {arm: re.findall(r'data-value="(\d+)">[\d.]+ kB', row) for arm, row in rows[:2]}
    assert sizes == {"ce_2d": ["3328"], "simcc": ["6656"]}  # 13 x 4 bytes x (8 x 8, 64 + 64)
    assert re.search(r"heatmap-train -m arm=simcc seed=2 \S+ trainer=smoke \S+ data.pool=64 ", said)
    assert "heatmap-train arm=simcc seed=1" in said


@pytest.mark.slow
def test_a_sweep_that_was_killed_and_went_on_has_the_page_of_one_that_was_not(tmp_path):
    asked = ("arm=ce_2d,simcc", "seed=0,1,2", "sigma=2,4")
    whole, killed = tmp_path / "a" / "sweep", tmp_path / "b" / "sweep"
    for folder in (whole, killed):
        folder.parent.mkdir()
    assert trained(whole, *asked).status == 0
    line = ("-m", *asked, *FEW, f"hydra.sweep.dir={killed}")
    started = running.start("train", *line, cwd=killed.parent)
    running.wait_for(lambda: len(list(killed.glob("*/results"))) == 5, started)
    started.signal(signal.SIGKILL)
    started.process.join()
    done = trained(killed, *asked)
    assert done.status == 0, done.out + done.err
    assert done.out.count("finished before") in (4, 5)
    pages = []
    for folder in (whole, killed):
        began = time.monotonic()
        html, _ = page_of(folder)
        assert time.monotonic() - began < 30
        assert len(html.encode()) < 8e6
        pages.append(html)
    ours = [re.sub(r"<tr><td>commit</td>.*?</tr>", "", without_measured(html)) for html in pages]
    assert ours[0] == ours[1]  # whatever is committed meanwhile
    assert all(number for title, number in pictures(html).items() if title in DRAWN)
    if CHROMIUM is not None:
        found = browse(html, 400, tmp_path)
        assert found["problems"] == []
        assert all(box["shapes"] for box in found["boxes"])


# Of one run

SECTIONS_OF_A_RUN = {
    **{"The run": 0, "Set-up": 0, "Error by joint": 1, "Error by size": 1},
    **{"Whom it misses most": 1, "Decoders": 1, "Cumulative error": 1, "Samples": 3},
    **{"Error against sub-pixel phase": 4, "Error budget": 0, "Environment and commands": 0},
}


def test_a_page_of_one_run_has_its_errors_by_joint_and_size_and_whom_it_misses(smoke, tmp_path):
    done = report(f"run={smoke}", cwd=tmp_path)
    assert (done.status, done.err) == (0, "")
    html = (tmp_path / "report.html").read_text()
    found = pictures(html)
    assert {title: found[title] for title in SECTIONS_OF_A_RUN} == SECTIONS_OF_A_RUN
    (run,) = find(smoke)
    decoder = re.search(r"px, read by (\w+)", plain(html))[1]
    error = run.metric("test", decoder, "pixel_error")
    assert f"mean error on test {error:.3f} px" in plain(html)
    away = {name: [] for name in run.record["config"]["names"]}
    for row in run.predictions("test", decoder).to_pylist():
        if row["visible"]:
            off = np.hypot(row["x"] - row["x_true"], row["y"] - row["y_true"])
            list(away.values())[row["joint"]].append(off)
    for name, errors in away.items():
        assert re.search(rf"<td>{name}</td>.*?>{mean(errors):.3f}</td>", html)


def test_people_of_two_points_each_have_the_standard_error_of_their_means():
    length = np.array([1.0, 3.0, 5.0, 5.0, 0.0, 2.0])
    of_each = parts_of_error.Errors(length, np.zeros(6, int), np.repeat([7, 8, 9], 2), length)
    middle, error = parts_of_error.over_people(of_each, np.ones(6, bool))
    assert middle == pytest.approx(16 / 6)
    assert error == pytest.approx(np.std([2, 5, 1], ddof=1) / 3**0.5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run=nowhere",), "nowhere: there is no run here"),
        (("run={grid}",), "runs are below it"),
        (("run={grid}", "{grid}"), "is a page of one run: give one"),
        (("run={grid}", "--csv", "t.csv"), "--csv is of a study"),
    ],
)
def test_a_page_of_one_run_is_of_one_run(arguments, words, grid, tmp_path):
    done = report(*(each.format(grid=grid) for each in arguments), cwd=tmp_path)
    assert done.status != 0
    assert done.err.count("\n") == 1, done.err
    assert words in done.err
