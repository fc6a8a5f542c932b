"""Runs every check on one file, and says whether training would take it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from heatmap_research.data import annotations
from heatmap_research.data.audit import boxes, category, images, people, points, reading, sides
from heatmap_research.data.audit.finding import LEFT_OUT, Finding
from heatmap_research.data.audit.records import Records


@dataclass(frozen=True)
class Audit:
    file: Path
    findings: list[Finding]
    records: Records | None  # None if the file has none to check
    refusal: str | None  # what training would say

    @property
    def verdict(self) -> str:
        if self.refusal:
            return f"Training would refuse this file: {self.refusal}"
        return "Training would take this file as it is."


def audit(
    file: Path, folder: Path | None = None, name: str | None = None, channels: int = 3
) -> Audit:
    records = reading.read(file, name)
    findings = [] if records is None else sorted(_all(records, folder, channels), key=_gravity)
    refusals = (f"{each.first(1)}: {each.problem}." for each in findings if each.refused)
    return Audit(file, findings, records, _refusal(file, name) or next(refusals, None))


def _all(records: Records, folder: Path | None, channels: int) -> Iterator[Finding]:
    for part in (category, people, images, points, boxes, sides):
        yield from part.check(records)
    if folder is not None:
        yield from images.check_on_disk(records, folder, channels)


def _gravity(finding: Finding) -> int:
    """0 for what is refused, which is listed first."""
    return 0 if finding.refused else 1 if finding.training == LEFT_OUT else 2


def _refusal(file: Path, name: str | None) -> str | None:
    try:
        truth = annotations.read(file, category=name)
    except ValueError as error:
        return str(error)
    if not truth.learnable.any():
        return f"{file}: nobody in it has a box and a labelled joint."
    return None
