"""Jobs that left nothing to read, by name."""

from collections import Counter

from heatmap_research.analysis.page.parts import Cell, Column, Part, Section, Table, Words
from heatmap_research.analysis.page.study import Study
from heatmap_research.runs.find import Run

TOLD = {
    "running": "running, or killed: the same command goes on with it",
    "interrupted": "interrupted: the same command goes on with it",
}


def section(study: Study) -> Section:
    lost = [run for run in study.runs if run.status != "finished"]
    parts: list[Part] = [Words(tally(study))]
    if lost:
        columns = [Column(n) for n in ("job", "status", study.by, "seed", "what went wrong")]
        caption = "Jobs that have not finished; nothing of them is in any figure."
        parts.append(Table(caption, columns, [_row(run, study.by) for run in lost]))
    if repeated := _repeated(study):
        parts.append(Words(f"Left out, as others repeat them: {', '.join(repeated)}.", "note"))
    return Section("Jobs", parts)


def tally(study: Study) -> str:
    counts = Counter(run.status for run in study.runs)
    counted = ", ".join(
        f"{number} {status}" for status, number in sorted(counts.items(), key=_place)
    )
    return f"{len(study.runs)} job{'s' * (len(study.runs) != 1)}: {counted}."


def _place(counted: tuple[str, int]) -> tuple[bool, str]:
    return counted[0] != "finished", counted[0]


def lost(study: Study) -> list[str]:
    """A line each."""
    return [
        f"{run.name} {run.status}{f': {said}' if (said := _first_line(run)) else ''}"
        for run in study.runs
        if run.status != "finished"
    ]


def _row(run: Run, by: str) -> list[Cell]:
    said = _first_line(run) or TOLD.get(run.status, "it did not say")
    arm = run.arm if by == "arm" else str(run.value(by))
    return [Cell(run.name), Cell(run.status), Cell(arm), Cell(str(run.seed), run.seed), Cell(said)]


def _first_line(run: Run) -> str:
    return next(iter(str(run.error or "").strip().splitlines()), "")


def _repeated(study: Study) -> list[str]:
    kept = {id(run) for group in study.groups for run in group.runs.values()}
    return [run.name for run in study.runs if run.status == "finished" and id(run) not in kept]
