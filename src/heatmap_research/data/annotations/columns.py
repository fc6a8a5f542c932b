"""From records to columns of numbers; a record is looked at by itself only where one is wrong."""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
from jaxtyping import Float64, Int64

Complain = Callable[[int, str], NoReturn]  # of which record, what


def numbers(
    rows: Sequence[Any], width: int, name: str, complain: Complain
) -> Float64[np.ndarray, "row width"]:
    if not rows:
        return np.zeros((0, width))
    try:
        found = np.array(rows)
    except (ValueError, OverflowError):  # rows of several lengths
        found = np.array(None)
    if found.shape != (len(rows), width) or found.dtype.kind not in "iuf":
        _explain(rows, width, name, complain)
        found = np.array(rows, dtype=np.float64)
    return found.astype(np.float64)


def ids(records: Sequence[dict[str, Any]], what: str, file: Any) -> Int64[np.ndarray, " row"]:
    values = whole(
        [record.get("id") for record in records],
        lambda row, words: _raise(f"{file}: {what} number {row}, from 0: its id {words}."),
    )
    once, counts = np.unique(values, return_counts=True)
    if len(once) < len(values):
        raise ValueError(f"{file}: {what} {once[counts > 1][0]} is there {counts.max()} times.")
    return values


def whole(values: Sequence[Any], complain: Complain) -> Int64[np.ndarray, " row"]:
    for row, value in enumerate(values):
        if type(value) is not int or abs(value) >= 2**63:
            complain(row, "is missing" if value is None else f"is {value!r}, no whole number")
    return np.array(values, dtype=np.int64)


def _explain(rows: Sequence[Any], width: int, name: str, complain: Complain) -> None:
    for row, values in enumerate(rows):
        if not isinstance(values, list):
            complain(row, f"{name} is {values!r}, no list of numbers")
        if len(values) != width:
            complain(row, f"{name} has {len(values)} numbers, not {width}")
        for value in values:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                complain(row, f"{name} has {value!r}, no number")


def _raise(words: str) -> NoReturn:
    raise ValueError(words)
