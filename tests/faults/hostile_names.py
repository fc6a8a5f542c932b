"""Names that are HTML, LaTeX or a spreadsheet's formula, and the pages and tables they are in."""

import csv
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import people
import running
from hostile_tries import Seen, changed, scratch
from omegaconf import OmegaConf

RAN = "document.documentElement.dataset.ran=1"
FORMULAS = ("=cmd|'/c calc'!A1", "+1+cmd", "-2+3+cmd", "@SUM(1)", "\t=1+1", "\r=1+1", "=1\n=2")
COMMANDS = (r"\input{/etc/passwd}", r"\write18{touch ran}", "50% & $x^2_3$ #1 ~{}", "[9cm]", "*")
COMMANDS += ("a\n\nb", "^^5cinput{/etc/passwd}", r"\\[9cm]", "\\")
OURS = ("begin", "end", "toprule", "midrule", "bottomrule", "textbackslash", "textasciitilde")
OURS += ("textasciicircum", "downarrow", "uparrow", "sigma", "mathbf", "pm")
OURS += ("textless", "textgreater", "textbar")


def markup(where: str) -> str:
    """What would be elements of a page, and would run, in text, an attribute, a style or a name."""
    element = f"<img src=x class=injected onerror={RAN}>"
    return f"{where}\"'>]]>-->{element}</script></style></title></svg><script>{RAN}</script>"


def in_a_name(where: str) -> str:
    """The same without what a file's name may not have."""
    return f"{where}\"'><img src=x class=injected onerror={RAN}>"


def pages() -> Iterator[Seen]:
    folder = scratch() / in_a_name("folder")
    shutil.copytree(study(), folder)
    for number, file in enumerate(sorted(folder.glob("*/run.json"))):
        spoil(file.parent, number)
    for name, line in PAGES.items():
        file = scratch() / f"{name.replace(' ', '-')}"
        places = {"folder": str(folder), "run": str(trained()), "out": str(file)}
        running.succeed(*(word.format(**places) for word in line), cwd=scratch() / "cwd")
        content = file.read_text()
        opened = Opened()
        opened.feed(content)
        yield f"{name}: {seen_in(content)} names, read by html.parser", opened.wrong()
        if chromium() is None:
            print(f"    {name}, opened with chromium: not run: no chromium")
            continue
        opened = Opened()
        opened.feed(shown(file))
        yield f"{name}: {seen_in(content)} names, opened with chromium", opened.wrong()


PAGES: dict[str, Sequence[str]] = {
    "study.html": ("report", "{folder}", "--out", "{out}"),
    "run.html": ("report", "run={run}", "--out", "{out}"),
    "show.svg": ("show", "run={run}", "output={out}"),
}


def spoil(place: Path, number: int) -> None:
    """Puts markup into whatever a record says in words, and into what lies beside it."""
    file = place / "run.json"
    record = json.loads(file.read_text())
    config = record["config"] | {
        "names": [markup(f"joint{n}") for n in range(len(record["config"]["names"]))],
        "question": None,
        markup("key"): markup(f"value{number}"),
    }
    lost = number == 0
    told: dict[str, Any] = {
        "config": config,
        "choices": {k: markup(f"{k}-{number}") for k in (*record["choices"], "arm")},
        "study": markup("study"),
        "device": {"name": markup("device"), "cuda": markup("cuda"), "threads": markup("threads")},
        "versions": {markup("package"): markup("version")},
        **{name: markup(name) for name in ("commit", "source_hash", "boxes", "score")},
        **({"status": "failed", "error": markup("error")} if lost else {}),
    }
    changed(place, **told)
    (place / ".hydra/overrides.yaml").write_text(OmegaConf.to_yaml([markup("override")]))
    for budget in place.glob("evaluate/*/budget.json"):
        content = json.loads(budget.read_text())
        words = {k: markup(k) for k in ("stage", "decoder", "fitted_to")}
        budget.write_text(json.dumps(content | words))


def seen_in(content: str) -> int:
    """How many of the names are in a page, as words."""
    return len(set(re.findall(r"([\w-]+)(?:\"|&#34;|&quot;)(?:'|&#39;)&gt;", content)))


class Opened(HTMLParser):
    """What a page has that nothing but a name can have brought."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if told.get("class") == "injected" or "data-ran" in told or "onerror" in told:
            self.found.append(f"<{tag} {told}>")

    def wrong(self) -> str:
        return f"injected: {', '.join(self.found)[:200]}" if self.found else ""


def shown(file: Path) -> str:
    """A page's elements, after its scripts have run."""
    line = [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000"]
    line += [f"--user-data-dir={scratch()}/chromium", "--dump-dom", file.as_uri()]
    return subprocess.run(line, capture_output=True, text=True, check=True, timeout=60).stdout


@cache
def chromium() -> str | None:
    return shutil.which("chromium")


@cache
def study() -> Path:
    """Three arms, of which one has a budget."""
    place = scratch() / "study"
    line = (*running.SMOKE, "decoder=[argmax]", "arm=ce_2d,simcc,marginal")
    running.succeed("train", "-m", *line, f"hydra.sweep.dir={place}", cwd=scratch() / "cwd")
    run = next(place.glob("simcc*"))
    running.succeed("budget", f"run={run}", cwd=scratch() / "cwd")
    return place


@cache
def labels() -> Path:
    """People whose category, joints and pictures have such names."""
    joints = (markup("nose"), "=left_wrist", "=right_wrist")
    file = people.write(scratch() / "labels", joints=joints)
    records = json.loads(file.read_text())
    records["categories"][0]["name"] = markup("category")
    named = [*map(in_a_name, ("one", "two")), *FORMULAS[:5]]
    for image, name in zip(records["images"], named, strict=False):
        name = name.replace("/", "") + ".png"
        (file.parent / image["file_name"]).rename(file.parent / name)
        image["file_name"] = name
    file.write_text(json.dumps(records))
    return file


@cache
def trained() -> Path:
    """A run on them."""
    line = (*people.options(labels()), "arm=simcc", "decoder=[argmax]")
    return running.train(scratch() / "named", *line).rename(scratch() / in_a_name("run"))


def tables() -> Iterator[Seen]:
    place = scratch() / "tables"
    for number, name in enumerate((*FORMULAS, *COMMANDS)):
        run = place / f"run{number}"
        shutil.copytree(next(study().glob("ce_2d*")), run)
        record = json.loads((run / "run.json").read_text())
        changed(run, choices=record["choices"] | {"arm": name}, study=name)
    out, cwd = scratch() / "made", scratch() / "cwd"
    out.mkdir()
    lines = {
        "runs": ("runs", str(place), "--columns", "name", "arm", "study"),
        "runs-by-arm": ("runs", str(place), "--by", "arm"),
        "report": ("report", str(place), "--out", f"{out}/a.html"),
    }
    for name, line in lines.items():
        table, tex = out / f"{name}.csv", out / f"{name}.tex"
        running.succeed(*line, "--csv", str(table), "--latex", str(tex), cwd=cwd)
        yield f"{name} --csv", live(table, FORMULAS + COMMANDS)
        yield f"{name} --latex", commands(tex, FORMULAS + COMMANDS)
    pictures = f"source={labels().parent}"
    running.succeed("predict", f"run={trained()}", pictures, f"out={out}/predicted", cwd=cwd)
    yield "predict: keypoints.csv", live(out / "predicted/keypoints.csv", ())
    yield "train: metrics.csv", live(trained() / "metrics.csv", ())


def live(file: Path, names: Sequence[str]) -> str:
    """Cells that a spreadsheet would work out, and names that cannot be had from the table."""
    with file.open(newline="") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    found = [cell for cell in cells if cell[:1] in tuple("=+-@\t\r\n") and not is_number(cell)]
    held = {cell.removeprefix("'") for cell in cells}
    lost = [name for name in names if name not in held]
    return "; ".join([f"a formula: {found[:3]}"] * bool(found) + [f"lost: {lost[:3]}"] * bool(lost))


def is_number(text: str) -> bool:
    try:
        return bool(float(text)) or True
    except ValueError:
        return False


def commands(file: Path, names: Sequence[str]) -> str:
    """Commands that are not ours, and letters that LaTeX reads as more than themselves."""
    text = file.read_text()
    words = re.findall(r"\\([a-zA-Z]+|.)", text, re.DOTALL)
    found = [word for word in words if word not in (*OURS, *"\\&%$#_{},")]
    within = "".join(re.findall(r"(?s)\\begin.*?\\end", text))
    rows = [line for line in within.splitlines() if re.match(r"\s*[\[*]|\s*$", line)]
    return "; ".join([f"commands: {found[:3]}"] * bool(found) + [f"rows: {rows[:3]}"] * bool(rows))
