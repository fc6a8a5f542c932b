"""Boxes and areas."""

from collections.abc import Iterator

import numpy as np

from heatmap_research.data.annotations.reading import AREA
from heatmap_research.data.audit.columns import Mask, finite
from heatmap_research.data.audit.finding import LEARNT, LEFT_OUT, REFUSED, Finding, found
from heatmap_research.data.audit.records import Records

SLACK = 1.0  # pixels of rounding that nobody calls a mistake
ROUNDED = 1.01  # an area may be rounded up


def check(records: Records) -> Iterator[Finding]:
    size, known = records.boxes[:, 2:], finite(records.boxes)
    negative = np.any(size < 0, axis=1)
    empty = (size == 0).any(1) & ~negative & records.labelled.any(1) & ~records.crowd
    missing = ~records.boxed & records.labelled.any(1)
    yield from found("box is missing", records.of(missing), "its labelled points' box")
    yield from found("box is not four numbers", records.of(records.boxed & ~known), REFUSED)
    yield from found("box has a negative width or height", records.of(negative), REFUSED)
    yield from found("box has no area", records.of(empty), LEFT_OUT)
    yield from _places(records, known & (size > 0).all(1))
    yield from _areas(records)


def _places(records: Records, sound: Mask) -> Iterator[Finding]:
    low, high = records.boxes[:, :2], records.boxes[:, :2] + records.boxes[:, 2:]
    away = sound & ((high <= 0) | (low >= records.frames)).any(1)
    out = np.maximum(-low, high - records.frames).max(1)
    over = sound & ~away & (out > SLACK)
    most = f"box reaches out of its image, by up to {out[over].max(initial=0):.1f} px"
    yield from found("box lies wholly outside its image", records.of(away), LEARNT)
    yield from found(most, records.of(over), LEARNT)


def _areas(records: Records) -> Iterator[Finding]:
    areas, box = records.areas, records.boxes[:, 2:].prod(1)
    missing = np.array([person.get("area") is None for person in records.people], dtype=bool)
    wrong = ~missing & ~(np.isfinite(areas) & (areas >= 0))
    large = (areas > ROUNDED * box) & (box > 0)
    yield from found("area is missing", records.of(missing), f"taken as {AREA:g} of the box")
    yield from found("area is not a number from 0 up", records.of(wrong), REFUSED)
    yield from found("area is 0", records.of((areas == 0) & records.learnable), LEARNT)
    yield from found("area is larger than the box", records.of(large), LEARNT)
