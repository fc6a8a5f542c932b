"""Checks of annotations as records: their ids, images, repetitions and counts."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from heatmap_research.data.annotations.rows import FAR
from heatmap_research.data.audit.columns import NUMBERS, is_id, mask, several
from heatmap_research.data.audit.records import LEARNT, LEFT_OUT, REFUSED, UNREAD, Finding, Records


def check(records: Records) -> Iterator[Finding]:
    people = records.people
    no_id = mask(not is_id(person.get("id")) for person in people)
    strange = mask((person.get("iscrowd") or 0) not in (0, 1) for person in people)
    none = ~records.labelled.any(1) & (records.points[..., 2] == 0).all(1) & ~records.crowd
    heads = [person.get("head_size") for person in people]
    headless = mask(head is not None and not _is_size(head) for head in heads)
    kinds = [f"category {category.get('id')}" for category in records.categories]
    unnumbered = [f"category {c.get('name')}" for c in records.categories if not is_id(c.get("id"))]
    yield Finding("record is not an object", records.odd, REFUSED)
    yield Finding("category without a whole number as id", unnumbered, REFUSED)
    yield Finding("id of several categories", several(kinds), REFUSED)
    yield Finding("annotation of no listed category", records.lost, REFUSED)
    yield Finding("annotation without a whole number as id", records.named(no_id), REFUSED)
    yield Finding("id of several annotations", several(records.named(~no_id)), REFUSED)
    yield Finding("annotation of an image not listed", records.named(records.rows < 0), REFUSED)
    yield Finding("iscrowd is neither 0 nor 1", records.named(strange), REFUSED)
    yield Finding("head_size is not above 0", records.named(headless), REFUSED)
    yield Finding("person without a labelled point", records.named(none), LEFT_OUT)
    yield Finding("same person again: same image, same points", _again(records), LEARNT)
    yield Finding("num_keypoints disagrees with the points", _miscounted(records), UNREAD)


def _is_size(value: Any) -> bool:
    """Accepts NaN too, which says that the size is not known."""
    return type(value) in NUMBERS and (value != value or 0 < value < FAR)


def _again(records: Records) -> list[str]:
    """Names the annotations that repeat an earlier one."""
    first, again = dict[tuple[int, bytes], int](), list[str]()
    for person in np.flatnonzero(records.labelled.any(1) & ~records.crowd).tolist():
        key = int(records.rows[person]), records.points[person].tobytes()
        if (other := first.setdefault(key, person)) != person:
            again.append(f"annotation {records.ids[person]} (as {records.ids[other]})")
    return again


def _miscounted(records: Records) -> list[str]:
    given = [person.get("num_keypoints") for person in records.people]
    count = records.labelled.sum(1).tolist()
    known = np.isfinite(records.points[..., 2]).all(1)
    differs = mask(a is not None and a != b for a, b in zip(given, count, strict=True))
    return records.named(known & differs)
