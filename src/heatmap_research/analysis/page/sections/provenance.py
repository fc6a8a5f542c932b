"""Where figures come from: the jobs, what they were made with, and by which commands."""

from collections import Counter
from typing import Any

from heatmap_research.analysis.page.parts import (
    Cell,
    Column,
    Folded,
    Listing,
    Part,
    Section,
    Table,
    Words,
)
from heatmap_research.analysis.page.study import Study
from heatmap_research.runs.find import Run
from heatmap_research.types import first_line

TOLD = {
    "running": "running, or killed: the same command goes on with it",
    "interrupted": "interrupted: the same command goes on with it",
}


def jobs(study: Study) -> Section:
    lost = [run for run in study.runs if run.status != "finished"]
    parts: list[Part] = [Words(tally(study))]
    if lost:
        columns = [Column(n) for n in ("job", "status", study.by, "seed", "what went wrong")]
        caption = "Jobs that have not finished; nothing of them is in any figure."
        parts.append(Table(caption, columns, [_row(run, study.by) for run in lost]))
    if repeated := _repeated(study):
        parts.append(Words(f"Left out, as others repeat them: {', '.join(repeated)}.", "note"))
    return Section("Jobs", parts)


def environment(study: Study) -> Section:
    done = [run for run in study.runs if run.status == "finished"]
    facts: dict[str, list[Any]] = {
        "seeds": [run.seed for run in done],
        "commit": [run.record.get("commit") for run in done],
        "source": [run.source_hash for run in done],
        "device": [_device(run.record.get("device")) for run in done],
        "boxes": [run.record.get("boxes") for run in done],
        "score of a point": [run.record.get("score") for run in done],
        "flip test": [run.record.get("flip_test") for run in done],
        "steps": [run.record.get("steps") for run in done],
    }
    packages = dict.fromkeys(name for run in done for name in run.record.get("versions") or {})
    for name in packages:
        facts[name] = [(run.record.get("versions") or {}).get(name) for run in done]
    rows = [[Cell(name), Cell(_said(values))] for name, values in facts.items()]
    caption = "What the finished runs were made with; in brackets, how many runs where they differ."
    parts: list[Part] = [Table(caption, [Column("fact"), Column("value")], rows)]
    if (versions := len({run.source_hash for run in done})) > 1:
        told = f"These runs were made by {versions} versions of the code: some of what differs "
        parts.insert(0, Words(f"{told}between them may be the code's doing.", "warning"))
    return Section("Environment and commands", [*parts, *_commands(study)])


def tally(study: Study) -> str:
    counts = Counter(run.status for run in study.runs)
    counted = ", ".join(
        f"{number} {status}" for status, number in sorted(counts.items(), key=_place)
    )
    return f"{len(study.runs)} job{'s' * (len(study.runs) != 1)}: {counted}."


def lost(study: Study) -> list[str]:
    """A line for each job that has not finished."""
    return [
        f"{run.name} {run.status}{f': {said}' if (said := _error(run)) else ''}"
        for run in study.runs
        if run.status != "finished"
    ]


def _place(counted: tuple[str, int]) -> tuple[bool, str]:
    return counted[0] != "finished", counted[0]


def _row(run: Run, by: str) -> list[Cell]:
    said = _error(run) or TOLD.get(run.status, "it did not say")
    arm = run.arm if by == "arm" else str(run.value(by))
    return [Cell(run.name), Cell(run.status), Cell(arm), Cell(str(run.seed), run.seed), Cell(said)]


def _error(run: Run) -> str:
    return first_line(run.error) if run.error else ""


def _repeated(study: Study) -> list[str]:
    kept = {id(run) for group in study.groups for run in group.runs.values()}
    return [run.name for run in study.runs if run.status == "finished" and id(run) not in kept]


def _commands(study: Study) -> list[Part]:
    jobs = {run.folder for run in study.runs}
    sweeps = [line for folder, line in study.commands.items() if folder not in jobs]
    alone = [line for folder, line in study.commands.items() if folder in jobs]
    parts: list[Part] = []
    if sweeps:
        parts += [Words("The sweep, as it was last asked for:"), Listing(sweeps)]
    if alone:
        parts.append(Folded("Each job by itself", [Listing(alone)]))
    if not parts:
        parts.append(Words("Commands need the runs' .hydra/overrides.yaml.", "note"))
    return parts


def _said(values: list[Any]) -> str:
    counts = Counter("not recorded" if value is None else str(value) for value in values)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{value} ({number})" for value, number in sorted(counts.items()))


def _device(device: Any) -> str | None:
    if not isinstance(device, dict):
        return None
    cuda = f", CUDA {device['cuda']}" if device.get("cuda") else ""
    threads = device.get("threads")
    return f"{device.get('name')}{cuda}{f', {threads} threads' if threads else ''}"
