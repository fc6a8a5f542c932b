"""An annotation file, read leniently: what is wrong in it stays, for the checks to find."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatmap_research.data import annotations
from heatmap_research.data.annotations.reading import is_names
from heatmap_research.data.annotations.rows import FAR, extent
from heatmap_research.data.annotations.source import SECTIONS, parsed
from heatmap_research.data.audit.columns import Mask, is_id, mask, numbers

Record = dict[str, Any]

REFUSED = "refused"
LEFT_OUT = "left out"
LEARNT = "learnt as it is"
UNREAD = "not read"
SKIPPABLE = f"{REFUSED}; data.on_error=skip leaves it out"


@dataclass(frozen=True)
class Finding:
    problem: str
    where: Sequence[str]  # the names of all records that have it, which may be none
    training: str  # what training does with these records

    @property
    def refused(self) -> bool:
        return self.training.startswith(REFUSED)

    def first(self, number: int) -> str:
        """Names the first records, and their kind only once: `annotation 3, 4 and 2 more`."""
        shown = self.where[:number]
        kind = shown[0].split(" ", 1)[0] + " "
        names = [shown[0], *(name.removeprefix(kind) for name in shown[1:])]
        more = len(self.where) - number
        return ", ".join(names) + (f" and {more} more" if more > 0 else "")


@dataclass(eq=False)
class Records:
    """The annotations of one category, as columns: nan stands for what is not a number."""

    file: Path
    category: Record
    images: list[Record]
    people: list[Record]
    lost: list[str]  # annotations whose category is not listed
    odd: list[str]  # entries that are not records
    categories: list[Record]  # all of the file

    def __post_init__(self) -> None:
        self._read_category()
        sizes = [[image.get("width"), image.get("height")] for image in self.images]
        self.image_sizes = numbers(sizes, 2)  # width, height
        self.rows = self._rows()
        # the width and height of each person's image
        self.frames = np.append(self.image_sizes, [[np.nan, np.nan]], axis=0)[self.rows]
        self._read_people()

    def _read_category(self) -> None:
        self.names: list[str] = list(self.category["keypoints"])
        self.bones = list(annotations.skeleton_of(self.category))
        try:
            flip = annotations.flip_of(self.category)
        except ValueError:
            flip = ()
        pairs = [(a, b) for a, b in enumerate(flip) if a < b]
        # joints that mirror each other, the left one first if the names tell which that is
        self.pairs = [(b, a) if self._letters(a, b) == ("r", "l") else (a, b) for a, b in pairs]
        # those of them whose names tell left from right
        self.sided = [pair for pair in self.pairs if self._letters(*pair) == ("l", "r")]

    def _letters(self, a: int, b: int) -> tuple[str, str]:
        """The first letters in which the names of two joints differ."""
        letters = zip(self.names[a].lower(), self.names[b].lower(), strict=False)
        return next((pair for pair in letters if pair[0] != pair[1]), ("", ""))

    def _rows(self) -> NDArray[np.int64]:
        """The row of each person's image; -1 if it is not listed. The text "1" is not the id 1."""
        row = {image.get("id"): i for i, image in enumerate(self.images) if is_id(image.get("id"))}
        asked = [person.get("image_id") for person in self.people]
        return np.array([row.get(i, -1) if is_id(i) else -1 for i in asked], dtype=np.int64)

    def _read_people(self) -> None:
        joints = len(self.names)
        self.ids = [str(person.get("id", f"at {i}")) for i, person in enumerate(self.people)]
        self.crowd = mask(bool(person.get("iscrowd", 0)) for person in self.people)
        areas = [[person.get("area")] for person in self.people]
        self.areas = numbers(areas, 1, below=FAR**2)[:, 0]
        # a person without a list has no labelled joint
        points = [person.get("keypoints") or [0] * (3 * joints) for person in self.people]
        self.points = numbers(points, 3 * joints).reshape(-1, joints, 3)
        self.labelled = self.points[..., 2] > 0
        self.boxed = mask(bool(person.get("bbox")) for person in self.people)  # by the file
        boxes = numbers([person.get("bbox") for person in self.people], 4)
        self.boxes = np.where(self.boxed[:, None], boxes, extent(self.points))
        self.learnable = ~self.crowd & self.labelled.any(1) & (self.boxes[:, 2:] > 0).all(1)

    def named(self, people: Mask) -> list[str]:
        return [f"annotation {name}" for name in compress(self.ids, people)]

    def named_images(self, images: Mask) -> list[str]:
        return [self.image_name(row) for row in np.flatnonzero(images).tolist()]

    def image_name(self, row: int) -> str:
        image = self.images[row]
        return f"image {image.get('id', f'at {row}')} ({image.get('file_name', 'no file name')})"

    def image_file(self, row: int, folder: Path) -> Path:
        return folder / str(self.images[row].get("file_name"))

    def known_size(self, row: int) -> tuple[int, int] | None:
        """Width and height of an image, if the file says them."""
        width, height = self.image_sizes[row]
        return (int(width), int(height)) if width >= 1 and height >= 1 else None


def read(file: Path, category: str | None = None) -> Records | None:
    """None if the file has no records to check; annotations.read says why it does not."""
    try:
        content = parsed(file)
    except ValueError:
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
    odd = [
        f"number {place} of {key}"
        for key in SECTIONS
        for place, record in enumerate(content[key])
        if not isinstance(record, dict)
    ]
    return Records(file, able[0], images, people, lost, odd, categories)


def _is(value: Any, among: list[Any]) -> bool:
    """Whether an id is one of these; true is not the id 1."""
    return is_id(value) and value in among
