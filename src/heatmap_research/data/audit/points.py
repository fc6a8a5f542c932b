"""Checks of keypoints: their number, their values, and where they lie."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from heatmap_research.data.audit.columns import NUMBERS, Array, finite, mask
from heatmap_research.data.audit.finding import LEARNT, LEFT_OUT, REFUSED, Finding
from heatmap_research.data.audit.records import Records

MAX_OUTSIDE = 0.5  # pixels, as whether a pixel's middle is at 0 or at 0.5 is not in the file


def check(records: Records) -> Iterator[Finding]:
    yield from _values(records)
    yield from _visibility(records)
    yield from _outside(records, np.zeros(2), records.frames[:, None], "the image")
    corner, size = np.split(records.boxes[:, None], 2, axis=-1)
    yield from _outside(records, corner, corner + size, "the person's box")


def _values(records: Records) -> Iterator[Finding]:
    three, points = 3 * len(records.names), records.points
    given = [person.get("keypoints") for person in records.people]
    empty = mask(not row for row in given)
    length = np.array([len(row) if isinstance(row, list) else 0 for row in given], dtype=np.int64)
    short = ~empty & (length != three)
    text = ~empty & ~short & mask(_has_text(row) for row in given)
    lost = ~finite(points) & ~(short | text)[:, None]
    unseen = lost & (points[..., 2] == 0)
    counts = ", ".join(map(str, np.unique(length[short])[:4]))
    lengths = f"keypoints are {counts} numbers, not {three} (x, y, v of {len(records.names)})"
    nowhere = "a point that is not labelled is NaN or infinite"
    yield Finding("keypoints are missing", records.named(empty & ~records.crowd), LEFT_OUT)
    yield Finding(lengths, records.named(short), REFUSED)
    yield Finding("keypoints are not all numbers", records.named(text), REFUSED)
    yield Finding("a point is NaN or infinite", records.named((lost & ~unseen).any(1)), REFUSED)
    yield Finding(nowhere, records.named(unseen.any(1)), "read as not labelled")


def _has_text(row: Any) -> bool:
    return isinstance(row, list) and not {type(value) for value in row} <= NUMBERS


def _visibility(records: Records) -> Iterator[Finding]:
    visible = records.points[..., 2]
    odd = np.isfinite(visible) & ~np.isin(visible, (0, 1, 2))
    values = ", ".join(f"{value:g}" for value in np.unique(visible[odd])[:4])
    where = records.named(np.any(odd, axis=1))
    yield Finding(f"visibility is {values}, not 0, 1 or 2", where, REFUSED)


def _outside(records: Records, low: Array, high: Array, what: str) -> Iterator[Finding]:
    place = records.points[..., :2]
    out = np.maximum(low - place, place - high).max(-1)
    far = records.labelled & np.isfinite(out) & (out > MAX_OUTSIDE)
    most = out[far].max(initial=0)
    problem = f"{far.sum()} labelled points outside {what}, by up to {most:.1f} px"
    yield Finding(problem, records.named(far.any(1)), LEARNT)
