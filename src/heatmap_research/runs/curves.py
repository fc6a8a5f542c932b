"""How a run came to be what it is, from its metrics.csv."""

import csv
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from heatmap_research.runs.find import Run


@dataclass(frozen=True, eq=False)
class Course:
    """A column of metrics.csv, in the rows that have a value of it."""

    run: Run
    step: Float64[np.ndarray, " row"]  # steps that had been taken
    value: Float64[np.ndarray, " row"]


def read(run: Run, column: str) -> Course:
    """From metrics.csv, or, of a run without its folder, from what was kept of it in its record."""
    if column in (kept := run.record.get("courses", {})):
        return Course(run, *np.array(kept[column], dtype=np.float64))
    with (run.folder / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get(column)]
    if not rows:
        raise ValueError(f"{run.name}: its metrics.csv has nothing in a column {column}.")
    steps, values = (np.array([float(row[key]) for row in rows]) for key in ("step", column))
    return Course(run, steps + 1, values)
