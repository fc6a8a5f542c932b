"""What sections are made of. What two makings of the same page may differ in is marked so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import count
from typing import Protocol, runtime_checkable

MEASURED = " data-measured"  # times, places and memory: not the same in every run of the same


@dataclass(frozen=True)
class Numbers:
    figures: Iterator[int] = field(default_factory=lambda: count(1))
    tables: Iterator[int] = field(default_factory=lambda: count(1))


@runtime_checkable
class Part(Protocol):
    def html(self, numbers: Numbers) -> str: ...


@dataclass(frozen=True)
class Words:
    text: str
    kind: str = ""  # lead, note, warning
    measured: bool = False

    def html(self, numbers: Numbers) -> str:
        kind = f' class="{self.kind}"' if self.kind else ""
        return f"<p{kind}{MEASURED if self.measured else ''}>{escape(self.text)}</p>"


@dataclass(frozen=True)
class Listing:
    lines: Sequence[str]

    def html(self, numbers: Numbers) -> str:
        return f"<pre{MEASURED} tabindex=0>{escape(chr(10).join(self.lines))}</pre>"


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

    def html(self, numbers: Numbers) -> str:
        numeric = [any(row[i].value is not None for row in self.rows) for i in self._places]
        heads = "".join(map(_head, self.columns, numeric))
        body = "".join(
            f"<tr>{''.join(map(_cell, row, self.columns, numeric))}</tr>" for row in self.rows
        )
        number = next(numbers.tables)
        caption = f"<b>Table {number}.</b> {escape(self.caption)}"
        table = f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody>"
        return (
            f'<p class="caption" id="table-{number}">{caption}</p><div class="wide" tabindex=0>'
            f'<table aria-labelledby="table-{number}">{table}</table></div>'
        )

    @property
    def _places(self) -> range:
        return range(len(self.columns))


@dataclass(frozen=True)
class Plot:
    """Pictures side by side, as many as there is room for, under one caption."""

    caption: str
    pictures: Sequence[str]
    legend: Sequence[tuple[str, str]] = ()  # colour in CSS, name
    measured: bool = False

    def html(self, numbers: Numbers) -> str:
        keys = "".join(
            f'<li><i style="background:{colour}"></i>{escape(name)}</li>'
            for colour, name in self.legend
        )
        legend = f'<ul class="legend">{keys}</ul>' if keys else ""
        caption = f"<b>Figure {next(numbers.figures)}.</b> {escape(self.caption)}"
        pictures = f'<div class="pictures">{"".join(self.pictures)}</div>'
        marked = MEASURED if self.measured else ""
        return f"<figure{marked}>{legend}{pictures}<figcaption>{caption}</figcaption></figure>"


@dataclass(frozen=True)
class Folded:
    title: str
    parts: Sequence[Part]

    def html(self, numbers: Numbers) -> str:
        inside = "".join(part.html(numbers) for part in self.parts)
        return f"<details><summary>{escape(self.title)}</summary>{inside}</details>"


@dataclass(frozen=True)
class Section:
    title: str
    parts: Sequence[Part]

    @property
    def key(self) -> str:
        return "".join(c if c.isalnum() else "-" for c in self.title.lower())

    def html(self, numbers: Numbers) -> str:
        inside = "\n".join(part.html(numbers) for part in self.parts)
        return f'<section id="{self.key}">\n<h2>{escape(self.title)}</h2>\n{inside}\n</section>'


def _head(column: Column, numeric: bool) -> str:
    kind = ' class="number"' if numeric else ""
    hint = f' title="{escape(column.hint)}"' if column.hint else ""
    button = f'<button type="button"{hint}>{escape(column.name)}</button>'
    return f'<th scope="col" aria-sort="none"{kind}>{button}</th>'


def _cell(cell: Cell, column: Column, numeric: bool) -> str:
    kind = ' class="number"' if numeric else ""
    value = "" if cell.value is None else f' data-value="{cell.value:.10g}"'
    marked = MEASURED if column.measured else ""
    return f"<td{kind}{value}{marked}>{escape(cell.text)}</td>"
