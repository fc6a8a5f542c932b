"""By how much the ellipses of a run have to be wider, where an evaluation has found out."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from heatmap_research.runs import record

LAST = ("weights", "last")  # files with the same weights, by their stems


def fitted(
    folder: Path, decoder: str, option: Mapping[str, Any], flip_test: bool, weights: Path
) -> float | None:
    """Returns the factor of all widths that was fitted on the run's own val the last time.

    None where these weights were not evaluated by that decoder and flip test for their ellipses.
    """
    for known in _evaluations(folder, weights.stem):
        same = known["config"]["decoder"].get(decoder) == option
        factor = known["metrics"].get("val", {}).get(decoder, {}).get("widening")
        if same and known["flip_test"] == flip_test and factor:
            return float(factor)
    return None


def _evaluations(folder: Path, stem: str) -> Iterator[dict[str, Any]]:
    """Records of these weights on the data of the run, the newest first, and its own at last."""
    files = sorted(
        folder.glob(f"evaluate/*/{record.NAME}"), key=lambda file: -file.stat().st_mtime_ns
    )
    for file in files:
        known = record.read_or_empty(file.parent)
        others = Path(known.get("checkpoint", "")).stem
        if known.get("as_trained") and (others == stem or {others, stem} <= {*LAST}):
            yield known
    known = record.read_or_empty(folder)
    if stem in LAST and known.get("status") == "finished":
        yield known
