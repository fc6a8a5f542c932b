"""Where figures come from: the jobs, what they were made with, and by which commands."""

from collections import Counter
from itertools import chain
from typing import Any

from heatmap_research.analysis.page.parts import Folded, Listing, Part, Section, Words, table
from heatmap_research.analysis.page.study import Study
from heatmap_research.runs.find import Run
from heatmap_research.types import first_line

TOLD = {
    "running": "running, or killed: the same command goes on with it",
    "interrupted": "interrupted: the same command goes on with it",
}


def jobs(study: Study) -> Section:
    parts: list[Part] = [Words(tally(study))]
    if rows := [_row(run, study.by) for run in study.runs if run.status != "finished"]:
        columns = "job", "status", study.by, "seed", "what went wrong"
        caption = "Jobs that have not finished; nothing of them is in any figure."
        parts.append(table(caption, columns, rows))
    kept = {id(run) for group in study.groups for run in group.runs.values()}
    done = [run for run in study.runs if run.status == "finished"]
    if repeated := [run.name for run in done if id(run) not in kept]:
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
    versions = [run.record.get("versions") or {} for run in done]
    facts |= {name: [each.get(name) for each in versions] for name in chain(*versions)}
    rows = [(name, _said(values)) for name, values in facts.items()]
    caption = "What the finished runs were made with; in brackets, how many runs where they differ."
    parts: list[Part] = [table(caption, ("fact", "value"), rows)]
    if (sources := len({run.source_hash for run in done})) > 1:
        told = f"These runs were made by {sources} versions of the code: some of what differs "
        parts.insert(0, Words(f"{told}between them may be the code's doing.", "warning"))
    return Section("Environment and commands", [*parts, *_commands(study)])


def tally(study: Study) -> str:
    counts = Counter(run.status for run in study.runs)
    ordered = sorted(counts, key=lambda status: (status != "finished", status))
    counted = ", ".join(f"{counts[status]} {status}" for status in ordered)
    return f"{len(study.runs)} job{'s' * (len(study.runs) != 1)}: {counted}."


def lost(study: Study) -> list[str]:
    """A line for each job that has not finished."""
    return [
        f"{run.name} {run.status}{f': {said}' if (said := _error(run)) else ''}"
        for run in study.runs
        if run.status != "finished"
    ]


def _row(run: Run, by: str) -> tuple[object, ...]:
    said = _error(run) or TOLD.get(run.status, "it did not say")
    arm = run.arm if by == "arm" else str(run.value(by))
    return run.name, run.status, arm, run.seed, said


def _error(run: Run) -> str:
    return first_line(run.error) if run.error else ""


def _commands(study: Study) -> list[Part]:
    jobs = {run.folder for run in study.runs}
    sweeps = [line for folder, line in study.commands.items() if folder not in jobs]
    alone = [line for folder, line in study.commands.items() if folder in jobs]
    asked = Words("The sweep, as it was last asked for:")
    swept: list[Part] = [asked, Listing(sweeps)] if sweeps else []
    single: list[Part] = [Folded("Each job by itself", [Listing(alone)])] if alone else []
    need = Words("Commands need the runs' .hydra/overrides.yaml.", "note")
    return [*swept, *single] or [need]


def _said(values: list[Any]) -> str:
    counts = Counter("not recorded" if value is None else str(value) for value in values)
    if len(counts) == 1:
        return str(*counts)
    return ", ".join(f"{value} ({number})" for value, number in sorted(counts.items()))


def _device(device: Any) -> str | None:
    if not isinstance(device, dict):
        return None
    cuda = f", CUDA {device['cuda']}" if device.get("cuda") else ""
    threads = device.get("threads")
    return f"{device.get('name')}{cuda}{f', {threads} threads' if threads else ''}"
