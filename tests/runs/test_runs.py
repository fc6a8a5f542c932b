"""Runs are found from their folders alone."""

import csv
import io
import json
import logging
from pathlib import Path

import pyarrow as pa
import pytest
import running
from omegaconf import OmegaConf

from heatmap_research.runs import formats, table
from heatmap_research.runs.find import Run, find, varied
from heatmap_research.runs.formats import as_csv
from heatmap_research.runs.latex import as_latex
from heatmap_research.runs.record import config_hash
from heatmap_research.runs.store import PREDICTIONS, RunStore
from heatmap_research.runs.table import MeanOfRuns

CONFIG = {
    "seed": 0,
    "sigma": 2.0,
    "stride": "2/3",
    "head": {"_target_": "heads.A", "rank": 1},
    "target": {"sigma": 2.0},
    "data": {"occlusion": 0.0, "root": "/here", "workers": 0},
    "output_dir": "/here",
}


def write(folder, status="finished", arm="simcc", head="a", **changes):
    config = OmegaConf.to_container(
        OmegaConf.merge(
            CONFIG,
            OmegaConf.from_dotlist(
                [f"{key}={json.dumps(value)}" for key, value in changes.items()]
            ),
        )
    )
    folder.mkdir(parents=True, exist_ok=True)
    RunStore(folder).update(
        status=status,
        config=config,
        config_hash=config_hash(config),
        source_hash="abc",
        choices={"arm": arm, "head": head, "data": "synthetic"},
        seed=config["seed"],
        decoders=["argmax", "dark"],
        metrics={"test": {"argmax": {"pixel_error": 1.5, "pck@0.5": None}}},
        seconds=3.0,
    )
    return folder


def run(folder, **changes):
    return find(write(folder, **changes))[0]


def test_runs_come_in_the_order_of_the_folders_and_ten_after_nine(tmp_path):
    for place in ("b/10", "b/9", "a/0", "a/0/evaluate/again", "b/.older/9-0"):
        write(tmp_path / place)
    found = find(tmp_path / "b", tmp_path / "a")
    assert [each.name for each in found] == ["b/9", "b/10", "a/0"]
    assert [each.name for each in find(tmp_path / "b")] == ["9", "10"]


def test_the_folder_of_one_run_is_that_run_and_given_twice_it_is_still_one(tmp_path):
    folder = write(tmp_path / "one")
    assert [each.name for each in find(folder)] == ["one"]
    assert len(find(folder, tmp_path, folder)) == 1


def test_what_is_damaged_or_foreign_is_named_and_left_out(tmp_path, caplog):
    write(tmp_path / "good")
    for name, text in (("half", '{"version": 1, "sta'), ("foreign", '{"a": 1}'), ("list", "[1]")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(text)
    with caplog.at_level(logging.WARNING):
        assert [each.name for each in find(tmp_path)] == ["good"]
    assert len(caplog.records) == 3
    for name in ("half", "foreign", "list"):
        assert str(tmp_path / name / "run.json") in caplog.text


def test_where_there_is_no_run_the_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere: there is no run here"):
        find(tmp_path / "nowhere")


def test_a_run_says_what_was_asked_of_it(tmp_path):
    found = run(tmp_path / "x", sigma=4.0)
    assert (found.status, found.arm, found.seed, found.seconds) == ("finished", "simcc", 0, 3.0)
    assert found.stride == pytest.approx(2 / 3)
    assert (found.parameters, found.macs, found.peak_memory, found.error) == (None,) * 4
    assert found.value("sigma") == 4.0
    assert found.value("data.occlusion") == 0.0
    assert (found.value("arm"), found.value("head"), found.value("data")) == (
        "simcc",
        "a",
        "synthetic",
    )
    assert found.value("head.rank") == 1
    assert found.value("status") == "finished"
    assert found.value("nothing.like.it") is None
    assert found.metric("test", "argmax", "pixel_error") == 1.5
    assert found.metric("test", "argmax", "pck@0.5") is None
    assert found.metric("val", "argmax", "pixel_error") is None


def test_a_run_without_an_arm_is_custom():
    assert Run(folder=Path(), record={"choices": {"arm": None}}).arm == "custom"


def test_runs_that_differ_in_their_seed_share_a_sweep_hash(tmp_path):
    first, second = run(tmp_path / "0", seed=0), run(tmp_path / "1", seed=1)
    wider = run(tmp_path / "2", seed=0, sigma=3.0)
    assert first.config_hash != second.config_hash
    assert first.sweep_hash == second.sweep_hash != wider.sweep_hash


def test_what_differs_is_told_from_what_only_follows_or_is_incidental(tmp_path):
    found = [
        run(tmp_path / "0", sigma=2.0, **{"target.sigma": 2.0}),
        run(tmp_path / "1", sigma=4.0, **{"target.sigma": 4.0, "data.workers": 3}),
        run(tmp_path / "2", seed=1, head="b", **{"head._target_": "heads.B", "head.rank": 2}),
    ]
    assert varied(found) == {"head": ["a", "b"], "seed": [0, 1], "sigma": [2.0, 4.0]}
    found.append(run(tmp_path / "3", **{"head.rank": 3}))
    assert varied(found)["head.rank"] == [1, 2, 3]


def test_what_only_repeats_a_key_above_it_is_left_out_also_where_another_option_has_none(tmp_path):
    def of(number, data, pool, **more):
        values = {"data.pool": pool, "data.train": {"pool": pool}} if data == "synthetic" else {}
        place = write(tmp_path / number, **values, **more)
        RunStore(place).update(choices={"arm": "simcc", "head": "a", "data": data})
        return find(place)[0]

    found = [of("0", "synthetic", 64), of("1", "synthetic", 256), of("2", "coco", None)]
    assert varied(found) == {"data": ["synthetic", "coco"], "data.pool": [64, 256, None]}
    found.append(of("3", "synthetic", 64, **{"data.train.pool": 32}))
    assert "data.train.pool" in varied(found)


def test_a_whole_number_is_the_same_with_and_without_its_point(tmp_path):
    assert varied([run(tmp_path / "0", sigma=2), run(tmp_path / "1", sigma=2.0)]) == {}


def test_a_job_refused_before_its_config_was_resolved_differs_in_nothing(tmp_path):
    found = [run(tmp_path / "0", seed=1), run(tmp_path / "1", seed=2)]
    early = Run(tmp_path, found[0].record | {"config": CONFIG | {"target": {"sigma": "${sigma}"}}})
    assert not early.is_resolved
    assert varied([*found, early]) == {"seed": [1, 2]}
    assert varied([early]) == {}


def test_one_run_differs_from_nothing(tmp_path):
    assert varied([run(tmp_path / "0")]) == {}


def test_predictions_are_read_by_stage_and_decoder(tmp_path):
    found = run(tmp_path / "0")
    columns = {name: [0, 0, 0] for name in PREDICTIONS.names}
    columns |= {"flip_test": [False] * 3, "instance": [1, 2, 3]}
    columns |= {"stage": ["val", "test", "test"], "decoder": ["dark", "dark", "argmax"]}
    RunStore(found.folder).write_predictions(pa.table(columns).cast(PREDICTIONS))
    assert found.predictions("test")["instance"].to_pylist() == [2, 3]
    few = found.predictions("test", "argmax", ["x", "instance"])
    assert few.column_names == ["x", "instance"]
    assert few["instance"].to_pylist() == [3]
    assert found.predictions("val", "argmax").num_rows == 0


# heatmap-runs


def listed(*arguments, cwd):
    return running.script("runs", *map(str, arguments), cwd=cwd)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two arms and three seeds, the errors of which are 1, 2, 3 and 11, 12, 13; one run failed."""
    folder = tmp_path_factory.mktemp("study")
    for offset, arm in ((0, "simcc"), (10, "ce_2d")):
        for seed in range(3):
            place = write(folder / f"{arm}_{seed}", arm=arm, head=arm, seed=seed)
            errors = {
                "dark": {"pixel_error": offset + seed + 1.0},
                "argmax": {"pixel_error": offset + seed + 2.0},
            }
            RunStore(place).update(metrics={"val": errors, "test": errors}, parameters=1234)
    place = write(folder / "lost", status="failed", seed=9)
    RunStore(place).update(error="MemoryError: none left", metrics=None)
    return folder


def test_means_over_seeds_have_their_deviation_and_number(study):
    done = listed(study, "--by", "arm", "--csv", cwd=study)
    assert done.status == 0
    rows = {row["arm"]: row for row in csv.DictReader(io.StringIO(done.out))}
    assert rows["simcc"]["n"] == rows["ce_2d"]["n"] == "3"
    assert float(rows["simcc"]["test/pixel_error"]) == 2.0  # of dark, the better one on val
    assert float(rows["ce_2d"]["test/pixel_error"]) == 12.0
    assert float(rows["ce_2d"]["test/pixel_error sd"]) == 1.0
    assert rows["simcc"]["decoder"] == "dark"
    assert "left out of the means: 1 that did not finish" in done.err


def test_a_mean_is_over_finished_runs_alone(tmp_path):
    write(tmp_path / "0", seed=0)
    for seed, status in enumerate(("running", "interrupted", "failed", "refused"), start=1):
        write(tmp_path / str(seed), status, seed=seed)
    done = listed(".", "--by", "arm", "--csv", cwd=tmp_path)
    (row,) = csv.DictReader(io.StringIO(done.out))
    assert row["n"] == "1"
    assert "left out of the means: 4 that did not finish" in done.err


def test_the_decoder_is_the_one_best_on_val_whatever_test_says(tmp_path):
    errors = {"val": {"argmax": 2.0, "dark": 1.0}, "test": {"argmax": 3.0, "dark": 4.0}}
    metrics = {
        stage: {decoder: {"pixel_error": error} for decoder, error in each.items()}
        for stage, each in errors.items()
    }
    RunStore(write(tmp_path)).update(metrics=metrics)
    assert table.chosen(find(tmp_path)) == "dark"


def test_runs_are_filtered_sorted_and_written_with_the_columns_asked_for(study, tmp_path):
    asked = ("--where", "arm=ce_2d", "seed=0,2", "--columns", "seed", "test/argmax/pixel_error")
    done = listed(study, *asked, "--sort=-seed", "--csv", "few.csv", cwd=tmp_path)
    assert (done.status, done.out) == (0, "")
    assert (tmp_path / "few.csv").read_text().splitlines() == [
        "seed,test/argmax/pixel_error",
        "2,14.0",
        "0,12.0",
    ]


def test_failed_runs_are_listed_with_what_went_wrong(study):
    done = listed(study, "--failed", "--json", cwd=study)
    (row,) = json.loads(done.out)
    assert (row["name"], row["error"]) == ("lost", "MemoryError: none left")


def test_a_table_for_a_paper_has_units_the_best_in_bold_and_nothing_that_latex_would_read(study):
    wanted = ("parameters", "seconds", "test/dark/pixel_error")
    lines = listed(
        study, "--by", "arm", "--latex", "--columns", *wanted, cwd=study
    ).out.splitlines()
    assert lines[0] == r"\begin{tabular}{lrrrr}"
    units = r"Arm & Seeds & Parameters (M) & Training (s) & Test error (px) by dark $\downarrow$ \\"
    assert lines[2] == units
    assert r"ce\_2d & $3$ & $0.00123$ & $3.0 \pm 0.0$ & $12.000 \pm 1.000$ \\" in lines
    assert sum("mathbf" in line for line in lines) == 1


def test_names_are_words_in_a_table_whatever_a_spreadsheet_or_latex_would_do_with_them():
    formulas = "=1+1", "+a", "-a", "@SUM(1)", "\t=1", "\r=1", "\n=1"
    plain = "-1.5", "+1e-3", "-inf", "a=b", "", "'=1", "\\input{a}", 'a,"b"\n\nc'
    rows = [{"=arm": name, "a-b": -0.5} for name in (*formulas, *plain)]
    read = list(csv.DictReader(io.StringIO(as_csv(rows), newline="")))
    assert read[0].keys() == {"'=arm", "a-b"}
    assert [row["'=arm"] for row in read] == [*(f"'{name}" for name in formulas), *plain]
    assert {row["a-b"] for row in read} == {"-0.5"}
    shown = {
        r"\input{/etc/passwd}": r"\textbackslash{}input\{/etc/passwd\}",
        "^^5c $x_1$ 50% & #~": r"\textasciicircum{}\textasciicircum{}5c \$x\_1\$ 50\% \& \#"
        r"\textasciitilde{}",
        "\n[9cm] [*": "{[}9cm] [*",  # which may follow the end of a row
        "*": "{*}",
        "a\n\nb\x00c <|>": r"a b c \textless{}\textbar{}\textgreater{}",
    }
    lines = as_latex([{"arm": name} for name in shown]).splitlines()
    assert lines[4:-2] == [rf"{text} \\" for text in shown.values()]


@pytest.mark.parametrize(
    ("values", "cells"),
    [
        ((0.25, 0.75), ("$0.250$", r"$\mathbf{0.750}$")),
        ((0.1231, 0.12312, 0.1), (r"$\mathbf{0.123}$", r"$\mathbf{0.123}$", "$0.100$")),
        ((0.5,), ("$0.500$",)),  # alone it is no best
        ((None, float("nan"), 0.5, 0.25), ("n/a", "$nan$", r"$\mathbf{0.500}$", "$0.250$")),
        (
            (MeanOfRuns(0.5, 0.01), MeanOfRuns(0.25, None)),
            (r"$\mathbf{0.500} \pm 0.010$", "$0.250$"),
        ),
    ],
)
def test_the_best_of_a_metric_is_bold_as_it_reads(values, cells):
    lines = as_latex([{"test/PCK@0.5": value} for value in values]).splitlines()
    assert lines[2] == r"Test PCK@0.5 $\uparrow$ \\"
    assert lines[4:-2] == [rf"{cell} \\" for cell in cells]


def test_the_table_shows_every_run(study):
    done = listed(study, cwd=study)
    assert done.status == 0
    assert all(f"{arm}_{seed}" in done.out for arm in ("simcc", "ce_2d") for seed in range(3))


@pytest.fixture(scope="module")
def unlike(tmp_path_factory):
    """Runs that differ in a dozen keys, one of them refused; and a name of 60 letters."""
    folder = tmp_path_factory.mktemp("unlike")
    for number in range(3):
        values = {f"optimizer.key_{letter}": number for letter in "abcdefghijkl"}
        write(folder / f"{'long_' * 12}{number}", **values)
    place = write(folder / "lost", status="refused", **{"target.sigma": "${sigma}"})
    RunStore(place).update(error="sigma: give\n[more] words " + "and more " * 30, metrics=None)
    return folder


def test_many_runs_that_differ_in_much_are_shown_a_line_each_when_piped(unlike):
    done = listed(unlike, cwd=unlike)
    lines = done.out.splitlines()
    assert len(lines) == 2 + 4 + 1
    assert [line.split()[0] for line in lines[2:6]] == ["long_" * 12 + n for n in "012"] + ["lost"]
    assert lines[5].rstrip().endswith("[more] words " + " ".join(["and more"] * 30))
    assert [f"optimizer.key_{letter}" in lines[0] for letter in "abcdefghi"] == [True] * 8 + [False]
    assert lines[6] == (
        "... and 4 more differ: --columns optimizer.key_i optimizer.key_j optimizer.key_k ..."
    )


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_on_a_terminal_columns_give_way_and_names_stay_whole(unlike, width):
    found = find(unlike)
    apart = table.differing(found)
    lines = formats.as_lines(table.rows(found, table.usual(found)), apart, width)
    shown = [line for line in lines if not line.startswith(("lost:", "..."))]
    assert len(shown) == 2 + 4
    assert max(map(len, shown)) <= max(width, 120)
    assert all("long_" * 12 + number in "".join(shown) for number in "012")
    assert lines[-2].startswith("lost: sigma: give [more] words and more")
    assert "more differ: --columns" in lines[-1]


def test_a_fact_that_only_runs_at_their_end_have_may_be_asked_of_those_that_never_came_there(
    tmp_path,
):
    folder = write(tmp_path / "one", status="interrupted")
    done = listed(folder, "--columns", "name", "steps", "--csv", cwd=tmp_path)
    assert (done.status, done.out.splitlines()) == (0, ["name,steps", "one,"])


def test_a_file_that_cannot_be_written_is_named_in_words(study, tmp_path):
    done = listed(study, "--csv", tmp_path / "none" / "x.csv", cwd=tmp_path)
    assert done.err == (
        f"heatmap-runs: {tmp_path}/none/x.csv: No such file or directory; choose another folder or "
        "name.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--where", "sigm=2"), "sigm: none of these runs has such a value. Did you mean sigma?"),
        (("--where", "arm=rle"), "none of the 7 runs is left by arm=rle"),
        (("--where", "arm"), "--where arm: give KEY=VALUE"),
        (("--columns", "test/drk/pixel_error"), "Did you mean test/dark/pixel_error?"),
        (("--sort", "sigma"), "--sort sigma: choose a column"),
    ],
)
def test_a_slip_is_answered_in_a_line(study, arguments, words):
    done = listed(study, *arguments, cwd=study)
    assert done.status != 0
    assert len(done.err.splitlines()) == 1, done.err
    assert words in done.err


def test_means_say_what_else_differs_within_them(study):
    done = listed(study, "--by", "seed", "--columns", "val/dark/pixel_error", cwd=study)
    assert "differ also in: arm" in done.err


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ({"annotations": "b.json", "part": "all"}, True),
        ({"annotations": "c.json"}, False),
        (None, False),
    ],
)
def test_a_table_says_where_test_is_val(tmp_path, test, said):
    val = {"annotations": "b.json", "part": "all"}
    data = {"data.val": val} if test is None else {"data.val": val, "data.test": test}
    found = run(tmp_path / "run", **data)
    done = listed(tmp_path, "--columns", "name", "test_is_val", "--csv", cwd=tmp_path)
    assert found.test_is_val == said
    assert done.out.splitlines()[1] == f"run,{said}"
    assert ("test is val in 1 of these runs" in done.err) == said
