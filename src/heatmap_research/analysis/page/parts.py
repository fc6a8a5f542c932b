"""What sections are made of, and its template; and figures as they are read in a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from markupsafe import Markup

from heatmap_research.runs.table import MeanOfRuns


@runtime_checkable
class Part(Protocol):
    """`measured`: times, places and memory, which differ where the same page is made again."""

    @property
    def template(self) -> str: ...


@dataclass(frozen=True)
class Words:
    template: ClassVar[str] = "words.html"
    text: str
    kind: str = ""  # lead, note, warning
    measured: bool = False


@dataclass(frozen=True)
class Listing:
    template: ClassVar[str] = "listing.html"
    lines: Sequence[str]


@dataclass(frozen=True)
class Column:
    name: str
    hint: str = ""
    measured: bool = False


@dataclass(frozen=True)
class Cell:
    text: str
    value: float | None = None  # to be sorted by; without one, by the text


@dataclass(frozen=True)
class Table:
    template: ClassVar[str] = "table.html"
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]

    @property
    def is_number(self) -> list[bool]:
        """Which columns have numbers."""
        places = range(len(self.columns))
        return [any(row[place].value is not None for row in self.rows) for place in places]


@dataclass(frozen=True)
class Plot:
    """Pictures side by side, as many as there is room for, under one caption."""

    template: ClassVar[str] = "plot.html"
    caption: str
    pictures: Sequence[Markup | Sequence[Markup]]  # those of a sequence stay beside each other
    legend: Sequence[tuple[str, str]] = ()  # colour in CSS, name
    measured: bool = False


@dataclass(frozen=True)
class Folded:
    template: ClassVar[str] = "folded.html"
    title: str
    parts: Sequence[Part]


@dataclass(frozen=True)
class Section:
    title: str
    parts: Sequence[Part]

    @property
    def key(self) -> str:
        return "".join(c if c.isalnum() else "-" for c in self.title.lower())


UNKNOWN = Cell("n/a")


def over_seeds(value: MeanOfRuns | None, places: int = 3) -> Cell:
    if value is None:
        return UNKNOWN
    deviation = "" if value.deviation is None else f" ± {value.deviation:.{places}f}"
    return Cell(f"{value.mean:.{places}f}{deviation}", value.mean)


def whole(value: float | None) -> Cell:
    return UNKNOWN if value is None else Cell(f"{value:,.0f}", value)


def millions(value: float | None) -> Cell:
    return UNKNOWN if value is None else Cell(f"{value / 1e6:.3g} M", value)


def byte_count(value: float | None) -> Cell:
    """In units of 1000."""
    if value is None:
        return UNKNOWN
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            return Cell(f"{value / size:.3g} {unit}", value)
    return Cell(f"{value:.0f} B", value)
