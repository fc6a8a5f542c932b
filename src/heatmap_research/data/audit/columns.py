"""Makes columns of numbers from records that may hold anything."""

from collections import Counter
from collections.abc import Iterable
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatmap_research.data.annotations.rows import FAR, NUMBERS, floats

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def mask(flags: Iterable[bool]) -> Mask:
    return np.fromiter(flags, dtype=bool)


def several(names: Iterable[str]) -> list[str]:
    """Those that are there more than once, and how often."""
    return [f"{name} ({count} times)" for name, count in Counter(names).items() if count > 1]


def is_id(value: Any) -> bool:
    return type(value) is int and abs(value) < 2**63


def numbers(values: list[Any], width: int, below: float = FAR) -> Array:
    """A row for each value; what is not a list of `width` numbers becomes a row of nan.

    So does a number that is too large to be meant.
    """
    blank = [np.nan] * width
    rows = [value if isinstance(value, list) and len(value) == width else blank for value in values]
    if not {type(x) for x in chain.from_iterable(rows)} <= NUMBERS:
        rows = [[x if type(x) in NUMBERS else np.nan for x in row] for row in rows]
    known = floats(rows).reshape(len(values), width)
    return np.where(abs(known) < below, known, np.nan)
