"""How much of what a network learns here one with a small field of view learns, too."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

from heatmap_research.runs import table
from heatmap_research.runs.find import Run, varied
from heatmap_research.runs.record import write_json

MEASURED = Path(__file__).with_name("locality.json")  # by heatmap-probe
HEADLINE = 15  # pixels; the field that a sentence begins with
FREE = ("backbone", "neck", "seed")  # keys in which the runs of one probe may differ
OF_NO_IMAGE = ("_target_", "seed")  # keys that say nothing of how hard the figures are


@dataclass(frozen=True)
class Locality:
    """Mean errors on test in crop pixels, one a seed, each by the decoder that is best on val."""

    data: str  # option
    figures: Mapping[str, Any]  # how its images are drawn; empty for photographs
    arm: str
    steps: int
    constant: float  # error of the best constant answer
    whole: Sequence[float]  # errors of the network without such a limit
    fields: Mapping[int, Sequence[float]]  # side of the field in pixels -> errors

    def shares(self, field: int) -> list[float]:
        """The share of the whole network's skill, for each pair of seeds."""
        pairs = product(self.fields[field], self.whole)
        return [skill_share(self.constant, error, whole) for error, whole in pairs]


def skill_share(constant: float, error: float, whole: float) -> float:
    """0 for an error as large as a constant answer's, 1 for one as small as the whole network's."""
    return (constant - error) / (constant - whole)


def measure(runs: Sequence[Run], constant: float) -> Locality:
    """Reads finished runs of `backbone=local` and of one other backbone, without such a limit."""
    errors = {field: _errors(seeds) for field, seeds in by_field(runs).items()}
    first = runs[0].record
    return Locality(
        data=first["choices"]["data"],
        figures=_drawn(first["config"]["data"]),
        arm=runs[0].arm,
        steps=first["steps"],
        constant=constant,
        whole=errors.pop(None),
        fields={field: errors[field] for field in errors if field},
    )


def by_field(runs: Sequence[Run]) -> dict[int | None, list[Run]]:
    """The runs of each field, None for the whole network's; refuses other runs than a probe's."""
    groups: dict[int | None, list[Run]] = {}
    for run in sorted(runs, key=lambda run: (run.value("backbone.field") or 0, run.seed)):
        groups.setdefault(run.value("backbone.field"), []).append(run)
    keys = [key for key in varied(runs) if key.partition(".")[0] not in FREE]
    here = f"differ in {', '.join(keys)}" * bool(keys) or _lacking(set(groups))
    if here:
        raise ValueError(
            f"these runs {here}: a probe needs runs of backbone=local with some backbone.field, "
            "and the same without backbone=local, which differ in backbone, neck and seed only "
            "(heatmap-probe --help has the trainings)."
        )
    return groups


def keep(measured: Locality, made_by: Mapping[str, Any], file: Path = MEASURED) -> None:
    """Writes a row in place of one of the same images."""
    rows = [row for row in _rows(file) if row["figures"] != measured.figures]
    write_json(file, {"rows": [*rows, asdict(measured) | {"made_by": made_by}]})


def words(data: Mapping[str, Any], file: Path = MEASURED) -> str | None:
    """Says what a small field can do on these images; None where they are not drawn.

    `data` is the part of a run's config that says what it was trained on.
    """
    if not (figures := _drawn(data)):
        return None
    for row in _rows(file):
        if row["figures"] == figures:
            fields = {int(field): errors for field, errors in row["fields"].items()}
            known = {name: row[name] for name in row if name not in ("fields", "made_by")}
            return _sentence(Locality(**known, fields=fields))
    return "How much of this a network could learn from small patches was not measured."


def _sentence(measured: Locality) -> str:
    seeds = len(measured.whole)
    first, *others = sorted(measured.fields, key=lambda field: (field != HEADLINE, field))
    rest = "".join(f", {field} px {mean(measured.shares(field)):.0%}" for field in others)
    return (
        f"On these images a network that sees {first} x {first} pixels has "
        f"{mean(measured.shares(first)):.0%} of the whole network's skill over a constant answer"
        f"{rest and f' ({rest[2:]})'}: errors of {mean(measured.fields[first]):.2f}, "
        f"{mean(measured.whole):.2f} and {measured.constant:.1f} px "
        f"({measured.arm}, {measured.steps} steps, {seeds} seed{'s' * (seeds > 1)})."
    )


def _drawn(data: Mapping[str, Any]) -> dict[str, Any]:
    figures = data.get("figures") or {}
    return {key: figures[key] for key in figures if key not in OF_NO_IMAGE}


def _rows(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text())["rows"] if file.exists() else []


def _errors(seeds: Sequence[Run]) -> list[float]:
    decoder = table.chosen(seeds)
    if decoder is None:
        raise ValueError(f"{seeds[0].name}: it has no error on val to choose a decoder by.")
    errors = [run.metric("test", decoder, "pixel_error") for run in seeds]
    known = [error for error in errors if error is not None]
    if len(known) < len(errors):
        raise ValueError(
            f"{seeds[0].name}: it has no pixel_error on test, which a probe reads; train with "
            "metric=[pixel_error] and evaluate=[val,test]."
        )
    return known


def _lacking(fields: set[int | None]) -> str:
    """What is missing among the fields of runs, in words; empty if nothing is."""
    if None not in fields:
        return "all have backbone=local"
    return "" if len(fields) > 1 else "have no backbone=local among them"
