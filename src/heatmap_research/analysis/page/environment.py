"""What the runs were made with, and by which commands."""

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


def section(study: Study) -> Section:
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
    rows = [[Cell(name), Cell(_said(found))] for name, found in facts.items()]
    caption = "What the finished runs were made with; in brackets, how many runs where they differ."
    parts: list[Part] = [Table(caption, [Column("fact"), Column("value")], rows)]
    if (versions := len({run.source_hash for run in done})) > 1:
        told = f"These runs were made by {versions} versions of the code: some of what differs "
        parts.insert(0, Words(f"{told}between them may be the code's doing.", "warning"))
    return Section("Environment and commands", [*parts, *_commands(study)])


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


def _said(found: list[Any]) -> str:
    counts = Counter("not recorded" if value is None else str(value) for value in found)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{value} ({number})" for value, number in sorted(counts.items()))


def _device(device: Any) -> str | None:
    if not isinstance(device, dict):
        return None
    cuda = f", CUDA {device['cuda']}" if device.get("cuda") else ""
    threads = device.get("threads")
    return f"{device.get('name')}{cuda}{f', {threads} threads' if threads else ''}"
