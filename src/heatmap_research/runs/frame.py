"""Runs as a table for notebooks."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from heatmap_research.runs import table
from heatmap_research.runs.find import find


def read_runs(*folders: str | Path, columns: tuple[str, ...] = ()) -> pa.Table:
    """Returns a row for each run below these folders; `.to_pandas()` makes a data frame of it.

    Columns are named as heatmap-runs names them; without any, those in which the runs differ, and
    what came of them by the decoder that is best on val.
    """
    runs = find(*(Path(folder).expanduser() for folder in folders))
    for column in columns:
        table.refuse_unknown(runs, column)
    rows = table.rows(runs, list(columns) or table.usual(runs))
    return pa.table({name: _column([row[name] for row in rows]) for name in rows[0]})


def _column(values: list[Any]) -> pa.Array:
    """Text where values are of several kinds, such as 4 and 1/2."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values])
