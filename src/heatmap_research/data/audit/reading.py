"""Reads an annotation file leniently: what is wrong in it stays, for the checks to find."""

import json
import zlib
from pathlib import Path
from typing import Any

from heatmap_research.data.annotations.reading import is_names
from heatmap_research.data.annotations.source import SECTIONS, unpacked
from heatmap_research.data.audit.columns import is_id
from heatmap_research.data.audit.records import Records


def read(file: Path, category: str | None = None) -> Records | None:
    """None if the file has no records to check; annotations.read says why it does not."""
    try:
        content = json.loads(unpacked(file))
    except (ValueError, OSError, EOFError, zlib.error, RecursionError):
        return None
    if not isinstance(content, dict) or not all(isinstance(content.get(k), list) for k in SECTIONS):
        return None
    images, records, categories = (
        [record for record in content[key] if isinstance(record, dict)] for key in SECTIONS
    )
    able = [c for c in categories if is_names(c.get("keypoints"))]
    if category is not None:
        able = [c for c in able if category in (str(c.get("name")), str(c.get("id")))][:1]
    if len(able) != 1:
        return None
    known = [c.get("id") for c in categories if is_id(c.get("id"))]
    people = [r for r in records if _is(r.get("category_id"), [able[0].get("id")])]
    lost = [f"annotation {r.get('id')}" for r in records if not _is(r.get("category_id"), known)]
    unnumbered = [f"category {c.get('name')}" for c in categories if not is_id(c.get("id"))]
    odd = [
        f"number {place} of {key}"
        for key in SECTIONS
        for place, record in enumerate(content[key])
        if not isinstance(record, dict)
    ]
    return Records(file, able[0], images, people, lost, odd, unnumbered)


def _is(value: Any, among: list[Any]) -> bool:
    """Whether an id is one of these; true is not the id 1."""
    return is_id(value) and value in among
