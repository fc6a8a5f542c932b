"""Writes people of other data sets as a file in COCO's format."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from heatmap_research.runs import whole_file

Record = dict[str, Any]


def category(
    names: Sequence[str], skeleton: Sequence[tuple[str, str]], sigmas: Sequence[float]
) -> Record:
    place = {name: number for number, name in enumerate(names, start=1)}
    return {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(names),
        "skeleton": [[place[a], place[b]] for a, b in skeleton],
        "sigmas": list(sigmas),  # OKS tolerances
    }


def write(
    target: Path, description: str, category: Record, images: list[Record], people: list[Record]
) -> None:
    if not people:
        raise ValueError(f"{target}: not written, as there are no people with keypoints.")
    content = {
        "info": {"description": description},
        "images": images,
        "annotations": people,
        "categories": [category],
    }
    with whole_file.written(target) as partial:
        partial.write_text(json.dumps(content, allow_nan=False) + "\n")


def person(number: int, image: int, keypoints: Sequence[float], **facts: Any) -> Record:
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "iscrowd": 0,
        "keypoints": list(keypoints),
        "num_keypoints": sum(v > 0 for v in keypoints[2::3]),
        **{key: value for key, value in facts.items() if value is not None},
    }


def load(source: Path, what: str, needed: set[str]) -> list[Record]:
    """Reads a JSON list of records with these keys; an error tells `what` the file is not."""
    try:
        records = json.loads(source.read_bytes())
    except OSError as error:
        raise ValueError(f"{source}: cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise ValueError(f"{source}: this is no whole JSON: {error}.") from error
    listed: list[Any] = records if isinstance(records, list) else [None]
    if not all(isinstance(record, dict) and needed <= set(record) for record in listed):
        raise ValueError(f"{source}: not {what} {', '.join(sorted(needed))}.")
    return listed
