"""What a table of ceilings comes to, in three sentences."""

import math
from collections.abc import Iterator, Sequence
from statistics import mean

from heatmap_research.analysis.theory.ceiling_table import Row, split

KEYS = ("layout", "target", "sigma", "stride", "decoder", "geometry", "flip_test", "uncertainty")
CHOICES = (*KEYS, "height", "width")
PREFIXED = ("sigma", "stride", "flip_test", "uncertainty", "height", "width")  # bare, a riddle
SILENT = ("sigma", "flip_test", "uncertainty")  # where they are none
SMALL = 0.1  # pixels of the crop


def least(rows: Sequence[Row], number: int | None = None) -> list[Row]:
    """The codecs that leave the least mean error, the best first."""
    return sorted(rows, key=lambda row: (math.isnan(row["mean_px"]), row["mean_px"]))[:number]


def conclusion(rows: Sequence[Row]) -> Iterator[str]:
    """Three sentences: the ends of the table, how many codecs cost little, and what matters."""
    known = [row for row in least(rows) if not math.isnan(row["mean_px"])]
    if not known:
        yield "No labelled joint lies inside a map, so that no codec has a ceiling here."
        return
    if len(known) == 1:
        yield f"This codec leaves {_figures(known[0])}."
        return
    best, worst = (f"{_named(row, known)} ({_figures(row)})" for row in (known[0], known[-1]))
    yield f"Least is left by {best}, most by {worst}."
    small = sum(row["mean_px"] < SMALL for row in known)
    yield f"{small} of {len(known)} codecs leave less than {SMALL:g} px in the mean."
    gaps = {key: gap for key in CHOICES if (gap := _gap(known, key)) is not None}
    ordered = sorted(gaps, key=lambda key: -gaps[key])[:3]
    shown = ", ".join(f"{key} {gaps[key]:.3f} px" for key in ordered)
    yield (
        f"What a choice is worth, from its worst to its best with all else alike: {shown}."
        if shown
        else "No two of them differ in one choice alone."
    )


def _named(row: Row, rows: Sequence[Row]) -> str:
    """A codec by the choices in which the codecs of a table differ."""
    differ = [key for key in CHOICES if len({other[key] for other in rows}) > 1]
    told = [key for key in differ if row[key] or key not in SILENT]
    words = [f"{key} {_plain(row[key])}" if key in PREFIXED else str(row[key]) for key in told]
    return " ".join(words).replace("flip_test True", "with a flip test")


def _plain(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _figures(row: Row) -> str:
    ap = "" if math.isnan(row["ap"]) else f", AP {100 * row['ap']:.1f}"
    return f"{row['mean_px']:.3f} px{ap}"


def _gap(rows: Sequence[Row], key: str) -> float | None:
    """The mean range of the error over the options of one choice, where all else is alike."""
    groups = split(rows, *(other for other in CHOICES if other != key)).values()
    ranges = [
        max(errors) - min(errors)
        for group in groups
        if len(errors := [row["mean_px"] for row in group]) > 1
    ]
    return mean(ranges) if ranges else None
