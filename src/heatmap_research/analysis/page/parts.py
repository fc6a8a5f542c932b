"""The parts of a section, each with the template of its name, and numbers as cells of a table.

What is `measured` (times, places, memory) differs where the same page is made again, and is marked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from heatmap_research.runs.table import MeanOfRuns


@dataclass(frozen=True)
class Words:
    text: str
    kind: str = ""  # lead, note, warning
    measured: bool = False


@dataclass(frozen=True)
class Listing:
    lines: Sequence[str]
    measured: bool = True
    hanging: int = 0  # letters by which the rest of a long line is set in; 0: it is not broken


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
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]

    @property
    def is_number(self) -> list[bool]:
        """Whether each column has any number, and is aligned to the right."""
        places = range(len(self.columns))
        return [any(row[place].value is not None for row in self.rows) for place in places]


@dataclass(frozen=True)
class Plot:
    """Pictures side by side, as many as there is room for, under one caption."""

    caption: str
    pictures: Sequence[Markup | Sequence[Markup]]  # those of a sequence stay beside each other
    legend: Sequence[tuple[str, str]] = ()  # colour in CSS, name
    measured: bool = False


Open = Words | Listing | Table | Plot


@dataclass(frozen=True)
class Folded:
    title: str
    parts: Sequence[Open]


Part = Open | Folded


@dataclass(frozen=True)
class Section:
    title: str
    parts: Sequence[Part]

    @property
    def key(self) -> str:
        return "".join(c if c.isalnum() else "-" for c in self.title.lower())


UNKNOWN = Cell("n/a")
BYTES = {1e9: "GB", 1e6: "MB", 1e3: "kB", 1: "B"}


def table(caption: str, columns: Iterable[Column | str], rows: Iterable[Iterable[object]]) -> Table:
    """Takes words for a column without a hint, and words and numbers for cells."""
    named = [column if isinstance(column, Column) else Column(column) for column in columns]
    return Table(caption, named, [[_cell(value) for value in row] for row in rows])


def _cell(value: object) -> Cell:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Cell(str(value), value)
    return value if isinstance(value, Cell) else Cell(str(value))


def over_seeds(value: MeanOfRuns | None, places: int = 3) -> Cell:
    if value is None:
        return UNKNOWN
    deviation = "" if value.deviation is None else f" ± {value.deviation:.{places}f}"
    return Cell(f"{value.mean:.{places}f}{deviation}", value.mean)


def scaled(value: float | None, shown: str, unit: float = 1) -> Cell:
    """`shown` is the format of the value in this unit."""
    return UNKNOWN if value is None else Cell(shown.format(value / unit), value)


def byte_count(value: float | None) -> Cell:
    """Kilobytes are 1000 bytes."""
    size = next((size for size in BYTES if value and value >= size), 1)
    return scaled(value, f"{{:.3g}} {BYTES[size]}", size)
