"""A table's rows as text: for people and for other programs."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from heatmap_research.runs import spreadsheet
from heatmap_research.runs.table import MeanOfRuns, Row

WHOLE = ("name", "status", "error")  # never folded
SPARE = ("decoder", "seconds")  # where there is no room
MAX_KEYS = 8  # that are shown, of those in which runs differ
ENDLESS = 1_000_000


def words(value: Any, name: str = "") -> str:
    """A cell for people to read: metrics to three places, thousands with commas."""
    if value is None:
        return "n/a"
    if isinstance(value, MeanOfRuns):
        mean = words(value.mean, name)
        if value.deviation is None:
            return mean
        return f"{mean} ± {words(value.deviation, name)}"
    if isinstance(value, float):
        return f"{value:{'.3f' if '/' in name else '.1f' if name == 'seconds' else 'g'}}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def as_csv(rows: Sequence[Row]) -> str:
    """A mean has its standard deviation in a column beside it."""
    flat = [dict(map(_cells, _flat(row).items())) for row in rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in flat for name in row)))
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _cells(column: tuple[str, Any]) -> tuple[str, Any]:
    name, value = column
    return spreadsheet.cell(name), spreadsheet.cell(value)


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps([_flat(row) for row in rows], indent=1, default=str) + "\n"


def as_lines(rows: Sequence[Row], apart: Sequence[str], width: int | None) -> list[str]:
    """For people, in lines: in a width, with as many of the keys `apart` as there is room for."""
    kept, below = list(apart[:MAX_KEYS]), []
    names = [name for name in rows[0] if name not in apart or name in kept]
    if width and "error" in names and "name" in names and _least(rows, names) > width:
        names.remove("error")
        below = [f"{row['name']}: {_text(row, 'error')}" for row in rows if row["error"]]
    spare = [name for name in (*SPARE, *kept) if name in names and (apart or name in kept)]
    while width and spare and _least(rows, names) > width:
        names.remove(spare.pop())
    table = _drawn(rows, names, width)
    if left := [name for name in apart if name not in names]:
        below.append(f"... and {len(left)} more differ: --columns {' '.join(left[:3])} ...")
    return [*table, *below]


def _flat(row: Row) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, MeanOfRuns):
            flat |= {name: value.mean, f"{name} sd": value.deviation}
        else:
            flat[name] = value
    return flat


def _drawn(rows: Sequence[Row], names: Sequence[str], width: int | None) -> list[str]:
    if width is None:
        return _aligned(rows, names)
    console = _plain(max(width, _least(rows, names)) if width else ENDLESS)
    with console.capture() as caught:
        console.print(_table(rows, names, folded=width is not None))
    return [line.rstrip() for line in caught.get().splitlines() if line.strip()]


def _aligned(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    """What rich draws where there is no width to keep to, of thousands of rows at once."""
    columns = [[name, *(" ".join(_text(row, name).split("\n")) for row in rows)] for name in names]
    widths = [max(map(cell_len, column)) for column in columns]
    for column, name, width in zip(columns, names, widths, strict=True):
        left = _is_left(rows, name)
        for at, cell in enumerate(column):
            space = " " * (width - cell_len(cell))
            column[at] = cell + space if left else space + cell
    head, *lines = ("  " + "   ".join(line).rstrip() for line in zip(*columns, strict=True))
    return [head, " " + "─" * (sum(widths) + 3 * len(names) - 1), *lines]


def _is_left(rows: Sequence[Row], name: str) -> bool:
    return any(isinstance(row[name], (str, list)) for row in rows)


def _least(rows: Sequence[Row], names: Sequence[str]) -> int:
    """The least width at which no word is broken."""
    return _plain(ENDLESS).measure(_table(rows, names, folded=True)).minimum


def _plain(width: int) -> Console:
    return Console(width=width, color_system=None, markup=False, emoji=False)


def _table(rows: Sequence[Row], names: Sequence[str], folded: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for name in names:
        cells = [_text(row, name) for row in rows]
        whole = name in WHOLE or not folded
        table.add_column(
            name,
            justify="left" if _is_left(rows, name) else "right",
            no_wrap=whole,
            min_width=max(map(len, cells)) if whole else None,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(_text(row, name) for name in names))
    return table


def _text(row: Row, name: str) -> str:
    if name == "error":
        return " ".join(str(row[name] or "").split())
    return words(row[name], name)
