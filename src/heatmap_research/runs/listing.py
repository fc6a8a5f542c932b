"""A table of runs in lines: as wide as it is through a pipe, within the width of a terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from heatmap_research.runs.formats import words
from heatmap_research.runs.table import Row

WHOLE = ("name", "status", "error")  # never folded
SPARE = ("decoder", "seconds")  # where there is no room
MAX_KEYS = 8  # that are shown, of those in which runs differ
ENDLESS = 1_000_000


def lines(rows: Sequence[Row], apart: Sequence[str], width: int | None) -> list[str]:
    """The table in lines, with as many of the differing keys `apart` as there is room for."""
    kept, below = list(apart[:MAX_KEYS]), []
    names = [name for name in rows[0] if name not in apart or name in kept]
    if width and "error" in names and "name" in names and _least(rows, names) > width:
        names.remove("error")
        below = [f"{row['name']}: {_cell(row, 'error')}" for row in rows if row["error"]]
    spare = [name for name in (*SPARE, *kept) if name in names and (apart or name in kept)]
    while width and spare and _least(rows, names) > width:
        names.remove(spare.pop())
    table = _drawn(rows, names, width)
    if left := [name for name in apart if name not in names]:
        below.append(f"... and {len(left)} more differ: --columns {' '.join(left[:3])} ...")
    return [*table, *below]


def _drawn(rows: Sequence[Row], names: Sequence[str], width: int | None) -> list[str]:
    wide = max(width, _least(rows, names)) if width else ENDLESS
    console = _plain(wide)
    with console.capture() as caught:
        console.print(_table(rows, names, folded=width is not None))
    return [line.rstrip() for line in caught.get().splitlines() if line.strip()]


def _least(rows: Sequence[Row], names: Sequence[str]) -> int:
    """The least width at which no word is broken."""
    return _plain(ENDLESS).measure(_table(rows, names, folded=True)).minimum


def _plain(width: int) -> Console:
    return Console(width=width, color_system=None, markup=False, emoji=False)


def _table(rows: Sequence[Row], names: Sequence[str], folded: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for name in names:
        cells = [_cell(row, name) for row in rows]
        whole = name in WHOLE or not folded
        table.add_column(
            name,
            justify="left" if any(isinstance(row[name], (str, list)) for row in rows) else "right",
            no_wrap=whole,
            min_width=max(map(len, cells)) if whole else None,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(_cell(row, name) for name in names))
    return table


def _cell(row: Row, name: str) -> str:
    if name == "error":
        return " ".join(str(row[name] or "").split())
    return words(row[name], name)
