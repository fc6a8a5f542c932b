"""Images as the file lists them."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from heatmap_research.data.audit.columns import is_id
from heatmap_research.data.audit.finding import LEARNT, REFUSED, SKIPPABLE, Finding, found
from heatmap_research.data.audit.records import Record, Records


def check(records: Records) -> Iterator[Finding]:
    ids = [image.get("id") for image in records.images]
    files = [str(image.get("file_name") or "") for image in records.images]
    used = np.isin(np.arange(len(ids)), records.rows[records.learnable])
    no_id = np.array([not is_id(i) for i in ids], dtype=bool)
    unnamed = used & np.array([not name for name in files], dtype=bool)
    wrong = np.array([not all(map(_is_size, _size(image))) for image in records.images], dtype=bool)
    unknown = used & ~wrong & ~(records.image_sizes > 0).all(1)
    twice = [f"image {i} ({n} times)" for i, n in Counter(map(str, ids)).items() if n > 1]
    shared = [f"{name} ({n} times)" for name, n in Counter(files).items() if n > 1 and name]
    nameless = records.of_images(unnamed)
    yield from found("image without a whole number as id", records.of_images(no_id), REFUSED)
    yield from found("id of several images", twice, REFUSED)
    yield from found("image without a file_name", nameless, SKIPPABLE)
    yield from found("file of several images", shared, LEARNT)
    yield from found("width or height is no size", records.of_images(wrong), REFUSED)
    sizeless = records.of_images(unknown)
    yield from found("image without width and height", sizeless, "taken from the picture")


def _size(image: Record) -> tuple[Any, Any]:
    return image.get("width") or 0, image.get("height") or 0


def _is_size(value: Any) -> bool:
    """Nan and 0 say that it is not known."""
    return type(value) in (int, float) and (value != value or 0 <= value < 2**31)
