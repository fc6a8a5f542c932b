"""An annotation file gone through leniently, as far as it can be."""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

from heatmap_research.data.audit.columns import is_id
from heatmap_research.data.audit.records import Record, Records

LISTS = ("images", "annotations", "categories")


def read(file: Path, category: str | None = None) -> Records | None:
    """None where there is nothing to go through; annotations.read says why."""
    content = _load(file)
    if not isinstance(content, dict) or not all(isinstance(content.get(k), list) for k in LISTS):
        return None
    images, records, categories = (_objects(content[key]) for key in LISTS)
    able = [c for c in categories if _is_names(c.get("keypoints"))]
    if category is not None:
        able = [c for c in able if category in (str(c.get("name")), str(c.get("id")))][:1]
    if len(able) != 1:
        return None
    known = [each.get("id") for each in categories if is_id(each.get("id"))]
    people = [r for r in records if _is(r.get("category_id"), [able[0].get("id")])]
    others = [r for r in records if not _is(r.get("category_id"), known)]
    return Records(
        file,
        able[0],
        images,
        people,
        lost=tuple(f"annotation {record.get('id')}" for record in others),
        odd=tuple(f"number {i} of {key}" for key in LISTS for i in _odd(content[key])),
        unnumbered=tuple(f"category {c.get('name')}" for c in categories if not is_id(c.get("id"))),
    )


def _is(value: Any, among: list[Any]) -> bool:
    """True is no 1."""
    return is_id(value) and value in among


def _load(file: Path) -> Any:
    try:
        raw = file.read_bytes()
        return json.loads(gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw)
    except (ValueError, OSError, EOFError, zlib.error, RecursionError):
        return None


def _objects(records: list[Any]) -> list[Record]:
    return [record for record in records if isinstance(record, dict)]


def _odd(records: list[Any]) -> list[int]:
    return [i for i, record in enumerate(records) if not isinstance(record, dict)]


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) for name in value)
