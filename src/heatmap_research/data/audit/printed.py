"""Prints an audit for a terminal, or in lines that stay whole where it is piped."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from heatmap_research.data.audit import summary
from heatmap_research.data.audit.file_audit import Audit
from heatmap_research.data.audit.finding import LEFT_OUT, Finding

PIPED_WIDTH = 1000  # characters
SHARES = ("joint", "name", "mirror", "sigma", "visible %", "covered %", "unlabelled %")


def show(audit: Audit, first: int, console: Console | None = None) -> None:
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    if audit.records is not None:
        _say(console, f"{audit.file}")
        console.print(_facts(list(summary.facts(audit.records))))
        console.print(_joints(list(summary.joints(audit.records))))
        if audit.findings:
            console.print(_findings(audit.findings, first))
        else:
            _say(console, "No problem found.")
    _say(console, audit.verdict, "red" if audit.refusal else "green")


def _say(console: Console, words: str, style: str = "") -> None:
    """Prints text as it is: the name of a file may look like markup, and may be long."""
    console.print(Text(words, style), soft_wrap=True)


def _facts(rows: Sequence[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in rows:
        table.add_row(Text(name), Text(value))
    return table


def _joints(rows: Sequence[tuple[str, ...]]) -> Table:
    table = _table()
    for column in SHARES:
        left = column in ("name", "mirror")
        table.add_column(column, justify="left" if left else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _findings(findings: Sequence[Finding], first: int) -> Table:
    table = _table()
    table.add_column("records", justify="right")
    for column in ("problem", "training", "where"):
        table.add_column(column, overflow="fold")
    for each in findings:
        style = "red" if each.refused else "yellow" if each.training == LEFT_OUT else ""
        training = Text(each.training, style)
        where = Text(each.first(first))
        table.add_row(str(len(each.where)), Text(each.problem), training, where)
    return table


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
