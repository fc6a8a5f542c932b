"""Every check of one file, and whether training takes it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from heatmap_research.data import annotations
from heatmap_research.data.audit import boxes, category, images, people, points, reading
from heatmap_research.data.audit.finding import LEFT_OUT, Finding
from heatmap_research.data.audit.records import Records


@dataclass(frozen=True)
class Report:
    file: Path
    findings: list[Finding]
    records: Records | None  # None: nothing could be gone through
    refusal: str | None  # in training's own words

    @property
    def verdict(self) -> str:
        if self.refusal:
            return f"Training would refuse this file: {self.refusal}"
        return "Training would take this file as it is."


def of(
    file: Path, folder: Path | None = None, name: str | None = None, channels: int = 3
) -> Report:
    found = reading.read(file, name)
    findings = [] if found is None else sorted(_all(found, folder, channels), key=_gravity)
    refusals = [each for each in findings if each.refused]
    refusal = _refusal(file, name) or next(map(_words, refusals), None)
    return Report(file, findings, found, refusal)


def _all(found: Records, folder: Path | None, channels: int) -> Iterator[Finding]:
    for part in (category, people, images, points, boxes):
        yield from part.check(found)
    yield from category.check_sides(found)
    if folder is not None:
        from heatmap_research.data.audit import disk  # and with it OpenCV

        yield from disk.check(found, folder, channels)


def _gravity(finding: Finding) -> int:
    """The worst first."""
    return 0 if finding.refused else 1 if finding.training == LEFT_OUT else 2


def _refusal(file: Path, name: str | None) -> str | None:
    try:
        found = annotations.read(file, category=name)
    except ValueError as error:
        return str(error)
    if not found.learnable.any():
        return f"{file}: nobody in it has a box and a labelled joint."
    return None


def _words(finding: Finding) -> str:
    return f"{finding.first(1)}: {finding.problem}."
