"""Checks of keypoints, boxes and areas: their numbers, and where they lie."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from heatmap_research.data.annotations.rows import AREA_OF_BOX
from heatmap_research.data.audit.columns import NUMBERS, Array, mask
from heatmap_research.data.audit.records import LEARNT, LEFT_OUT, REFUSED, Finding, Records

MAX_OUTSIDE = 0.5  # pixels, as whether a pixel's middle is at 0 or at 0.5 is not in the file
MAX_ROUNDING = 1.0  # pixels, which nobody calls a mistake
MAX_SHARE = 1.01  # of the box, for an area that was rounded up


def check(records: Records) -> Iterator[Finding]:
    yield from _values(records)
    yield from _visibility(records)
    yield from _outside(records, np.zeros(2), records.frames[:, None], "the image")
    corner, size = np.split(records.boxes[:, None], 2, axis=-1)
    yield from _outside(records, corner, corner + size, "the person's box")
    yield from _boxes(records)
    yield from _boxes_outside(records)
    yield from _areas(records)


def _values(records: Records) -> Iterator[Finding]:
    three, points = 3 * len(records.names), records.points
    given = [person.get("keypoints") for person in records.people]
    empty = mask(not row for row in given)
    length = np.array([len(row) if isinstance(row, list) else 0 for row in given], dtype=np.int64)
    short = ~empty & (length != three)
    text = ~empty & ~short & mask(_has_text(row) for row in given)
    lost = ~np.isfinite(points).all(-1) & ~(short | text)[:, None]
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


def _boxes(records: Records) -> Iterator[Finding]:
    size, known = records.boxes[:, 2:], np.isfinite(records.boxes).all(1)
    negative = np.any(size < 0, axis=1)
    empty = (size == 0).any(1) & ~negative & records.labelled.any(1) & ~records.crowd
    missing = ~records.boxed & records.labelled.any(1)
    yield Finding("box is missing", records.named(missing), "its labelled points' box")
    yield Finding("box is not four numbers", records.named(records.boxed & ~known), REFUSED)
    yield Finding("box has a negative width or height", records.named(negative), REFUSED)
    yield Finding("box has no area", records.named(empty), LEFT_OUT)


def _boxes_outside(records: Records) -> Iterator[Finding]:
    low, size = records.boxes[:, :2], records.boxes[:, 2:]
    high = low + size
    sound = np.all(np.isfinite(high) & (size > 0), axis=1)
    away = sound & ((high <= 0) | (low >= records.frames)).any(1)
    out = np.maximum(-low, high - records.frames).max(1)
    over = sound & ~away & (out > MAX_ROUNDING)
    most = f"box reaches out of its image, by up to {out[over].max(initial=0):.1f} px"
    yield Finding("box lies wholly outside its image", records.named(away), LEARNT)
    yield Finding(most, records.named(over), LEARNT)


def _areas(records: Records) -> Iterator[Finding]:
    areas, box = records.areas, records.boxes[:, 2:].prod(1)
    missing = mask(person.get("area") is None for person in records.people)
    wrong = ~missing & ~(np.isfinite(areas) & (areas >= 0))
    large = (areas > MAX_SHARE * box) & (box > 0)
    taken = f"taken as {AREA_OF_BOX:g} of the box"
    yield Finding("area is missing", records.named(missing), taken)
    yield Finding("area is not a number from 0 up", records.named(wrong), REFUSED)
    yield Finding("area is 0", records.named((areas == 0) & records.learnable), LEARNT)
    yield Finding("area is larger than the box", records.named(large), LEARNT)
