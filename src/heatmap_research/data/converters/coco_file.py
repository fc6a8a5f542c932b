"""Writes people of other data sets as a file in COCO's format."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from heatmap_research.data.annotations.rows import FAR
from heatmap_research.runs import bounded_file, whole_file

Record = dict[str, Any]
ON_ITS_SIDE = (5, 6, 7, 8)  # orientations of EXIF
MARGIN = 0.1  # of the longer side, around the points of somebody for whom no box was drawn


@dataclass(frozen=True)
class Written:
    """What a converter has done: how many people, and the folder that file names start from."""

    people: int
    images: Path
    note: str = ""  # what else the user should know, a sentence


def category(
    names: Sequence[str],
    skeleton: Sequence[tuple[str, str]] = (),
    sigmas: Sequence[float] | None = None,
    name: str = "person",
    **facts: Any,
) -> Record:
    place = {name: number for number, name in enumerate(names, start=1)}
    known = {} if sigmas is None else {"sigmas": list(sigmas)}  # OKS tolerances
    return {
        "id": 1,
        "name": name,
        "supercategory": name,
        "keypoints": list(names),
        "skeleton": [[place[a], place[b]] for a, b in skeleton],
        **known,
        **{key: value for key, value in facts.items() if value is not None},
    }


def write(
    target: Path, description: str, category: Record, images: list[Record], people: list[Record]
) -> None:
    if not people:
        raise ValueError(f"{target}: not written, as there are no people with a keypoint.")
    content = {
        "info": {"description": description},
        "images": images,
        "annotations": people,
        "categories": [category],
    }
    whole_file.write(target, json.dumps(content, allow_nan=False) + "\n")


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


def box_around(keypoints: Sequence[float]) -> list[float] | None:
    """Left, top, width and height of a box around the labelled points, with a margin."""
    triples = list(zip(keypoints[::3], keypoints[1::3], keypoints[2::3], strict=True))
    points = [(x, y) for x, y, v in triples if v > 0]
    if len(set(points)) < 2:
        return None
    (left, top), (right, bottom) = (tuple(map(end, *points)) for end in (min, max))
    more = MARGIN * max(right - left, bottom - top)
    return [left - more, top - more, right - left + 2 * more, bottom - top + 2 * more]


def is_pixel(value: float) -> bool:
    """Whether a number, which may be no number, can be meant as a coordinate."""
    return -FAR < value < FAR


def size_of(file: Path, upright: bool = False) -> dict[str, int]:
    """Width and height as an image's record has them, as it is stored or as its EXIF turns it.

    None where the image cannot be read.
    """
    try:
        bounded_file.refuse_endless(file, bounded_file.PICTURE)
        with Image.open(file) as image:
            turned = upright and image.getexif().get(ExifTags.Base.Orientation, 1) in ON_ITS_SIDE
            width, height = image.size[::-1] if turned else image.size
            return {"width": width, "height": height}
    except (OSError, ValueError, Image.DecompressionBombError):
        return {}


def load(source: Path, what: str, needed: set[str]) -> list[Record]:
    """Reads a JSON list of records with these keys; an error tells `what` the file is not."""
    try:
        records = json.loads(bounded_file.content(source, bounded_file.LABELS))
    except OSError as error:
        raise ValueError(f"{source}: cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{source}: this is no whole JSON: {error}.") from error
    listed: list[Any] = records if isinstance(records, list) else [None]
    if not all(isinstance(record, dict) and needed <= set(record) for record in listed):
        raise ValueError(f"{source}: not {what} {', '.join(sorted(needed))}.")
    return listed
