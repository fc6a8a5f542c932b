"""Whom to look at: the boxes of people, by the picture they are in, from a file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from reprlib import repr as shown  # of what is long the beginning
from typing import Any

import numpy as np
from jaxtyping import Float64

from heatmap_research.data.annotations import rows, source
from heatmap_research.inference.pictures import Picture

Row = tuple[Sequence[float], float]  # x, y, width, height, and the detector's score


@dataclass(frozen=True)
class Listed:
    """The people of one picture of a file."""

    image_id: int | None
    rows: list[Row] = field(default_factory=list)

    @property
    def boxes(self) -> Float64[np.ndarray, "person 4"]:
        return np.array([box for box, _ in self.rows], dtype=np.float64).reshape(-1, 4)

    @property
    def scores(self) -> Float64[np.ndarray, " person"]:
        return np.array([score for _, score in self.rows], dtype=np.float64)


Listing = dict[str, Listed]  # by the picture's name, or by its number


def read(file: Path, annotations: Path | None, category: str | None) -> Listing:
    """COCO annotations, COCO results, or a JSON object with a list of boxes for each name."""
    source.stamp(file)  # says what is missing
    content = source.parsed(file)
    if isinstance(content, list):
        return _results(file, content, annotations, category)
    if isinstance(content, dict) and "annotations" in content:
        return _annotations(file, category)
    if isinstance(content, dict):
        return {name: _plain(file, name, boxes) for name, boxes in content.items()}
    raise ValueError(f"boxes={file}: give COCO annotations or results, or {{NAME: [[x,y,w,h]]}}.")


def placed(picture: Picture, listing: Listing) -> Picture:
    """The picture with its people."""
    key = _key(picture.name, picture.image_id, listing)
    listed = Listed(None) if key is None else listing[key]
    known = picture.numbered(picture.image_id if listed.image_id is None else listed.image_id)
    return known.with_boxes(listed.boxes, listed.scores)


def refuse_shared(file: Path, names: Sequence[str], listing: Listing) -> None:
    """Refuses boxes that two pictures would have."""
    taken: dict[str, str] = {}
    for place, name in enumerate(names):
        key = _key(name, place, listing)
        if key is not None and taken.setdefault(key, name) != name:
            raise ValueError(
                f"boxes={file}: {key} may be {taken[key]} or {name}: give names with their "
                "folders, or one folder at a time."
            )


def _key(picture: str, frame: int, listing: Listing) -> str | None:
    """What a picture is listed by: its name, the last part of it, or the number it is named by."""
    name = Path(picture)
    keys = [picture, name.name]
    if name.stem.isdecimal():
        keys.append(str(int(name.stem)))
    elif ":" in name.name:  # a frame of a video
        keys.append(str(frame))
    return next((key for key in keys if key in listing), None)


def _annotations(file: Path, category: str | None) -> Listing:
    """Everyone in a COCO file who is no crowd, of a category or of those with joints."""
    content = source.load(file)
    numbers = _numbers(content["categories"], category)
    rows.ids(content["images"], "image", file)
    listing = {str(i.get("file_name")): Listed(i["id"]) for i in content["images"]}
    by_id = {listed.image_id: listed for listed in listing.values()}
    for place, record in enumerate(content["annotations"]):
        counted = record.get("category_id") in numbers and not record.get("iscrowd")
        image_id = _whole(file, f"annotation {place}", record)
        if counted and (listed := by_id.get(image_id)) is not None:
            listed.rows.append((_box(file, f"annotation {place}", record.get("bbox")), 1.0))
    return listing


def _numbers(kinds: Sequence[Any], category: str | None) -> list[Any]:
    """The ids of the categories that are looked at: the one that is named, or those with joints."""
    wanted = [kind for kind in kinds if category in (str(kind.get("name")), str(kind.get("id")))]
    wanted = wanted or [kind for kind in kinds if kind.get("keypoints")] or list(kinds)
    return [kind.get("id") for kind in wanted]


def _results(
    file: Path, records: Sequence[Any], annotations: Path | None, category: str | None
) -> Listing:
    """A detector's boxes with their scores, by number where no file says a number's name."""
    names = _names(annotations) if annotations else {}
    told = [r["category_id"] for r in records if isinstance(r, dict) and "category_id" in r]
    kinds = set(map(repr, told))
    if annotations:
        kinds = set(map(repr, _numbers(source.load(annotations)["categories"], category)))
    elif len(kinds) > 1:
        raise ValueError(
            f"boxes={file}: it has boxes of {len(kinds)} categories: give annotations=FILE, whose "
            "category with joints is looked at, or leave the others out."
        )
    listing: Listing = {}
    for place, record in enumerate(records):
        what = f"detection {place}"
        image_id = _whole(file, what, record)
        if "category_id" in record and repr(record["category_id"]) not in kinds:
            continue
        if annotations and image_id not in names:
            raise ValueError(
                f"boxes={file}: {what}: {annotations} has no image {shown(image_id)}: give the "
                "file that the detector read."
            )
        name = names.get(image_id, str(image_id))
        if not rows.are_numbers([score := record.get("score", 1.0)]):
            raise ValueError(f"boxes={file}: {what}: its score is {shown(score)}, no number.")
        row = _box(file, what, record.get("bbox")), float(score)
        listing.setdefault(name, Listed(image_id)).rows.append(row)
    return listing


def _plain(file: Path, name: str, boxes: Any) -> Listed:
    if not isinstance(boxes, list):
        raise ValueError(f"boxes={file}: {name} has no list of boxes [x, y, width, height].")
    single = [boxes] if boxes and not isinstance(boxes[0], list) else boxes
    return Listed(None, [(_box(file, name, box), 1.0) for box in single])


def _names(file: Path) -> dict[int, str]:
    source.stamp(file)
    images = source.load(file)["images"]
    rows.ids(images, "image", file)
    return {image["id"]: str(image.get("file_name")) for image in images}


def _whole(file: Path, what: str, record: Any) -> int:
    if not isinstance(record, dict) or type(record.get("image_id")) is not int:
        raise ValueError(f"boxes={file}: {what} has no whole number image_id.")
    return int(record["image_id"])


def _box(file: Path, what: str, box: Any) -> Sequence[float]:
    if not rows.are_numbers(box) or len(box) != 4 or not min(box[2:]) > 0:
        raise ValueError(
            f"boxes={file}: {what}: {shown(box)} is no x, y, width and height above 0."
        )
    return box
