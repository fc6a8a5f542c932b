"""Prints an audit for a terminal, or in lines that stay whole where it is piped."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from heatmap_research.data.annotations import schemas
from heatmap_research.data.audit.columns import Array
from heatmap_research.data.audit.file_audit import Audit
from heatmap_research.data.audit.records import LEFT_OUT, Finding, Records

PIPED_WIDTH = 1000  # characters
PERCENTS = (5, 25, 50, 75, 95)
FINDING_COLUMNS = ("records", "problem", "training", "where")
JOINT_COLUMNS = ("joint", "name", "mirror", "sigma", "visible %", "covered %", "unlabelled %")


def show(audit: Audit, first: int) -> None:
    """Names the first few records of each problem."""
    console = console_of_lines()
    if audit.records is not None:
        say(console, f"{audit.file}")
        facts = Table(box=None, show_header=False, pad_edge=False)
        for name, value in _facts(audit.records):
            facts.add_row(Text(name), Text(value))
        console.print(facts)
        joints = (map(Text, row) for row in _joints(audit.records))
        console.print(table(JOINT_COLUMNS, ("name", "mirror"), joints))
        if audit.findings:
            findings = (_cells(each, first) for each in audit.findings)
            console.print(table(FINDING_COLUMNS, FINDING_COLUMNS[1:], findings))
        else:
            say(console, "No problem found.")
    say(console, audit.verdict, "red" if audit.refusal else "green")


def show_shared(found: Sequence[Finding], first: int, pictures: bool) -> None:
    """Says what files have in common that are to be learnt from and to be measured on."""
    console = console_of_lines()
    if shared := [each for each in found if each.where]:
        rows = (_cells(each, first) for each in shared)
        console.print(table(FINDING_COLUMNS, FINDING_COLUMNS[1:], rows))
        words = "These files share what they should not: figures on one flatter what saw the other."
        say(console, words, "red")
    else:
        say(console, "These files share nothing that was looked for.", "green")
    if not pictures:
        say(console, "Images were compared by name alone; --images DIR compares the pictures.")


def console_of_lines() -> Console:
    """Lines stay whole where they are piped."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    return console


def say(console: Console, words: str, style: str = "") -> None:
    """Prints text as it is: the name of a file may look like markup, and may be long."""
    console.print(Text(words, style), soft_wrap=True)


def _cells(each: Finding, first: int) -> Iterator[Text]:
    yield Text(str(len(each.where)))
    yield Text(each.problem)
    style = "red" if each.refused else "yellow" if each.training == LEFT_OUT else ""
    yield Text(each.training, style)
    yield Text(each.first(first))


def table(columns: Sequence[str], left: Sequence[str], rows: Iterable[Iterable[Text]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, justify="left" if column in left else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _facts(records: Records) -> Iterator[tuple[str, str]]:
    learnable, labelled = records.learnable, records.labelled
    points = labelled[learnable].sum(1)
    pictured = len(np.unique(records.rows[learnable & (records.rows >= 0)]))
    yield "category", f"{records.category.get('name', 'unnamed')} (id {records.category.get('id')})"
    yield "images", f"{len(records.images)}, {pictured} of them with someone to learn from"
    yield "people", f"{len(records.people)}, {records.crowd.sum()} of them crowds"
    yield "learnable", f"{learnable.sum()} people: no crowd, a labelled point, a box with an area"
    yield "joints", f"K = {len(records.names)}, {_mean(points)} labelled on a learnable person"
    yield "flip pairs", f"{len(records.pairs)}, {_source_of_pairs(records)}"
    yield "skeleton", f"{len(records.bones)} bones"
    yield "OKS sigmas", _source_of_sigmas(records)
    widths, heights = records.boxes[learnable, 2:].T
    yield "percentiles", "  ".join(f"{f'{p} %':>6}" for p in PERCENTS)
    yield "box width, px", _spread(widths)
    yield "box height, px", _spread(heights)
    yield "root of area, px", _spread(np.sqrt(records.areas[learnable].clip(0)))


def _joints(records: Records) -> Iterator[tuple[str, ...]]:
    """The cells of JOINT_COLUMNS; the shares are of the learnable people."""
    visible = records.points[records.learnable, :, 2]
    mirror = dict(records.pairs) | {b: a for a, b in records.pairs}
    sigmas = _sigmas(records)
    for joint, name in enumerate(records.names):
        shares = [_mean(100.0 * (visible[:, joint] == value), 1) for value in (2, 1, 0)]
        other = records.names[mirror[joint]] if joint in mirror else ""
        yield (str(joint), name, other, f"{sigmas[joint]:g}" if sigmas else "", *shares)


def _mean(values: NDArray[Any], digits: int = 2) -> str:
    return f"{np.mean(values):.{digits}f}" if len(values) else "n/a"


def _spread(values: Array) -> str:
    known = values[np.isfinite(values)]
    shown = np.percentile(known, PERCENTS) if len(known) else ()
    return "  ".join(f"{value:6.1f}" for value in shown) or "n/a"


def _sigmas(records: Records) -> tuple[float, ...]:
    try:
        schema = schemas.schema({"name": "", **records.category}, None)
    except ValueError:
        return ()
    return schema.sigmas if schema.tolerances_known else ()


def _source_of_sigmas(records: Records) -> str:
    if not _sigmas(records):
        return "none, so no AP and no OKS is counted; data.sigmas=[...] gives them"
    if (key := schemas.sigma_key(records.category)) is not None:
        return f"the file's {key}"
    return "COCO's (of head and neck CrowdPose's), by the names of the joints"


def _source_of_pairs(records: Records) -> str:
    given = [k for k in ("flip_pairs", "flip_indices") if records.category.get(k) is not None]
    return f"the file's {given[0]}" if given else "by left and right in the names of the joints"
