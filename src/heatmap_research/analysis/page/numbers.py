"""Figures as they are read in a table."""

from heatmap_research.analysis.page.parts import Cell
from heatmap_research.runs.table import MeanOfRuns

NONE = Cell("n/a")


def spread(value: MeanOfRuns | None, places: int = 3) -> Cell:
    if value is None:
        return NONE
    sd = "" if value.deviation is None else f" ± {value.deviation:.{places}f}"
    return Cell(f"{value.mean:.{places}f}{sd}", value.mean)


def whole(value: float | None) -> Cell:
    return NONE if value is None else Cell(f"{value:,.0f}", value)


def millions(value: float | None) -> Cell:
    return NONE if value is None else Cell(f"{value / 1e6:.3g} M", value)


def bytes_of(value: float | None) -> Cell:
    """In units of 1000."""
    if value is None:
        return NONE
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            return Cell(f"{value / size:.3g} {unit}", value)
    return Cell(f"{value:.0f} B", value)
