"""The records of an annotation file as columns, with nan for what is not a number."""

from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatmap_research.data import annotations
from heatmap_research.data.annotations.rows import extent
from heatmap_research.data.audit.columns import Array, Mask, is_id, mask, numbers

Record = dict[str, Any]


@dataclass(frozen=True)
class Records:
    """The annotations of one category with their images, and names of what else is in the file."""

    file: Path
    category: Record
    images: list[Record]
    people: list[Record]
    lost: list[str]  # annotations whose category is not listed
    odd: list[str]  # entries that are not records
    unnumbered: list[str]  # categories without an id

    @property
    def names(self) -> list[str]:
        return list(self.category["keypoints"])

    @cached_property
    def pairs(self) -> list[tuple[int, int]]:
        """Joints that mirror each other, the left one first if the names tell which that is."""
        try:
            flip = annotations.flip_of(self.category)
        except ValueError:
            return []
        pairs = [(a, b) for a, b in enumerate(flip) if a < b]
        return [(b, a) if self._sides(a, b) == ("r", "l") else (a, b) for a, b in pairs]

    @cached_property
    def sided(self) -> list[tuple[int, int]]:
        """The pairs whose names tell left from right."""
        return [pair for pair in self.pairs if self._sides(*pair) == ("l", "r")]

    def _sides(self, a: int, b: int) -> tuple[str, str]:
        """The first letters in which two names differ."""
        letters = zip(self.names[a].lower(), self.names[b].lower(), strict=False)
        return next((pair for pair in letters if pair[0] != pair[1]), ("", ""))

    @cached_property
    def bones(self) -> list[tuple[int, int]]:
        return list(annotations.skeleton_of(self.category))

    @cached_property
    def ids(self) -> list[str]:
        return [str(person.get("id", f"at {i}")) for i, person in enumerate(self.people)]

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """The row of each person's image; -1 if it is not listed. The text "1" is not the id 1."""
        row = {image.get("id"): i for i, image in enumerate(self.images) if is_id(image.get("id"))}
        asked = [person.get("image_id") for person in self.people]
        return np.array([row.get(i, -1) if is_id(i) else -1 for i in asked], dtype=np.int64)

    @cached_property
    def image_sizes(self) -> Array:
        """Width and height of each image."""
        return numbers([[image.get("width"), image.get("height")] for image in self.images], 2)

    @cached_property
    def boxed(self) -> Mask:
        """Whether the file gives the person a box."""
        return mask(bool(person.get("bbox")) for person in self.people)

    @cached_property
    def boxes(self) -> Array:
        """The file's boxes, or those of the labelled points where it gives none."""
        given = numbers([person.get("bbox") for person in self.people], 4)
        return np.where(self.boxed[:, None], given, extent(self.points))

    @cached_property
    def areas(self) -> Array:
        return numbers([[person.get("area")] for person in self.people], 1)[:, 0]

    @cached_property
    def points(self) -> Array:
        """(person, joint, 3); a person without a list has no labelled joint."""
        joints = len(self.names)
        given = [person.get("keypoints") or [0] * (3 * joints) for person in self.people]
        return numbers(given, 3 * joints).reshape(-1, joints, 3)

    @cached_property
    def labelled(self) -> Mask:
        return self.points[..., 2] > 0

    @cached_property
    def learnable(self) -> Mask:
        return ~self.crowd & self.labelled.any(1) & (self.boxes[:, 2:] > 0).all(1)

    @cached_property
    def crowd(self) -> Mask:
        return mask(bool(person.get("iscrowd", 0)) for person in self.people)

    @cached_property
    def frames(self) -> Array:
        """Width and height of each person's image."""
        return np.append(self.image_sizes, [[np.nan, np.nan]], axis=0)[self.rows]

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
        return (int(width), int(height)) if width > 0 and height > 0 else None
