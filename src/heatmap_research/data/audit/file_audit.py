"""Runs every check on one file, and says whether training would take it."""

from dataclasses import dataclass
from pathlib import Path

from heatmap_research.data import annotations
from heatmap_research.data.audit import category, images, people, places, sides
from heatmap_research.data.audit.records import LEFT_OUT, Finding, Records, read


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
    records = read(file, name)
    findings = [] if records is None else _findings(records, folder, channels)
    refusals = (f"{file}: {each.first(1)}: {each.problem}." for each in findings if each.refused)
    return Audit(file, findings, records, _refusal(file, name) or next(refusals, None))


def _findings(records: Records, folder: Path | None, channels: int) -> list[Finding]:
    parts = [part.check(records) for part in (category, people, images, places, sides)]
    if folder is not None:
        parts.append(images.check_on_disk(records, folder, channels))
    findings = (each for part in parts for each in part if each.where)
    return sorted(findings, key=lambda each: (not each.refused, each.training != LEFT_OUT))


def _refusal(file: Path, name: str | None) -> str | None:
    try:
        truth = annotations.read(file, category=name)
    except ValueError as error:
        return str(error)
    if not truth.learnable.any():
        return f"{file}: nobody in it has a box and a labelled joint."
    return None
