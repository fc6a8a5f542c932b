"""What is measured of each joint, so that sums over joints are an evaluation's own figures."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Columns = Mapping[str, np.ndarray]
Rows = Float[np.ndarray, " row"]
CROP = ("x", "y", "x_true", "y_true", "visible")
SOURCE = (
    *("x_source", "y_source", "x_true_source", "y_true_source", "visible"),
    *("scale", "joint", "instance"),
)


@dataclass(frozen=True)
class Measure:
    """A mean over joints; `rows` gives each one's value and its weight."""

    unit: str
    higher_is_better: bool
    columns: tuple[str, ...]
    rows: Callable[[Columns, Sequence[float]], tuple[Rows, Rows]]  # columns, OKS tolerances


def named(metric: str) -> Measure:
    if metric in FIXED:
        return FIXED[metric]
    name, at, size = metric.partition("@")
    if name == "PCK" and at and size.endswith("px"):
        try:
            threshold = float(size.removesuffix("px"))
        except ValueError:
            pass
        else:
            if not 0 < threshold < math.inf:
                raise ValueError(f"metric={metric}: the distance must be greater than 0 px.")
            return Measure("of joints", True, CROP, _within(threshold))
    known = ", ".join([*FIXED, "PCK@0.5px (or any other number of crop pixels)", "AP"])
    raise ValueError(f"metric={metric}: choose one that rows of predictions give: {known}.")


def _distance(columns: Columns) -> Rows:
    away = [columns[axis].astype(np.float64) - columns[f"{axis}_true"] for axis in ("x", "y")]
    return np.hypot(*away)


def _error(levels: tuple[int, ...]) -> Callable[[Columns, Sequence[float]], tuple[Rows, Rows]]:
    def rows(columns: Columns, tolerances: Sequence[float]) -> tuple[Rows, Rows]:
        return _distance(columns), np.isin(columns["visible"], levels).astype(np.float64)

    return rows


def _within(threshold: float) -> Callable[[Columns, Sequence[float]], tuple[Rows, Rows]]:
    def rows(columns: Columns, tolerances: Sequence[float]) -> tuple[Rows, Rows]:
        found = (_distance(columns) <= threshold).astype(np.float64)
        return found, (columns["visible"] > 0).astype(np.float64)

    return rows


def _similarity(columns: Columns, tolerances: Sequence[float]) -> tuple[Rows, Rows]:
    """Of each joint; a person's labelled joints share a weight of one."""
    away = [
        columns[f"{axis}_source"].astype(np.float64) - columns[f"{axis}_true_source"]
        for axis in ("x", "y")
    ]
    widths = 2 * np.asarray(tolerances, dtype=np.float64)[columns["joint"]]
    area = columns["scale"].astype(np.float64) ** 2 + np.spacing(1)
    alike = np.exp(-(away[0] ** 2 + away[1] ** 2) / widths**2 / area / 2)
    labelled = (columns["visible"] > 0).astype(np.float64)
    _, person = np.unique(columns["instance"], return_inverse=True)
    joints = np.bincount(person, labelled)
    return alike, labelled / np.maximum(joints[person], 1)


FIXED = {
    "pixel_error": Measure("px", False, CROP, _error((1, 2))),
    "pixel_error_visible": Measure("px", False, CROP, _error((2,))),
    "pixel_error_covered": Measure("px", False, CROP, _error((1,))),
    "mean_oks": Measure("OKS", True, SOURCE, _similarity),
}
