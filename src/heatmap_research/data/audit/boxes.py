"""Checks of boxes and areas."""

from collections.abc import Iterator

import numpy as np

from heatmap_research.data.annotations.rows import AREA_OF_BOX
from heatmap_research.data.audit.columns import Mask, finite, mask
from heatmap_research.data.audit.finding import LEARNT, LEFT_OUT, REFUSED, Finding
from heatmap_research.data.audit.records import Records

MAX_ROUNDING = 1.0  # pixels, which nobody calls a mistake
MAX_SHARE = 1.01  # of the box, for an area that was rounded up


def check(records: Records) -> Iterator[Finding]:
    size, known = records.boxes[:, 2:], finite(records.boxes)
    negative = np.any(size < 0, axis=1)
    empty = (size == 0).any(1) & ~negative & records.labelled.any(1) & ~records.crowd
    missing = ~records.boxed & records.labelled.any(1)
    yield Finding("box is missing", records.named(missing), "its labelled points' box")
    yield Finding("box is not four numbers", records.named(records.boxed & ~known), REFUSED)
    yield Finding("box has a negative width or height", records.named(negative), REFUSED)
    yield Finding("box has no area", records.named(empty), LEFT_OUT)
    yield from _places(records, known & (size > 0).all(1))
    yield from _areas(records)


def _places(records: Records, sound: Mask) -> Iterator[Finding]:
    low, high = records.boxes[:, :2], records.boxes[:, :2] + records.boxes[:, 2:]
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
