"""The files of a data set: which there are, which can be read, and whose they are."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from heatmap_research.data import crop_cache, images
from heatmap_research.data.annotations import Annotations
from heatmap_research.data.buffers import Memory
from heatmap_research.data.people import People


@dataclass(frozen=True, eq=False)
class Pictures:
    folder: Path
    channels: int
    truth: Annotations
    people: People
    called: str  # a person: annotation or detection

    def read(
        self, image: int, factor: int = 1, memory: Memory | None = None
    ) -> tuple[images.Pixels, int]:
        """What cannot be read is named with its record."""
        try:
            size = self.truth.image_sizes[image]
            known = size.tolist() if size.all() else None
            return images.read(self.path(image), self.channels, known, factor, memory)
        except images.UnreadableError as error:
            raise images.UnreadableError(f"{error} ({self.record(image)}).") from error

    def path(self, image: int) -> str:
        return os.path.join(self.folder, self.truth.image_files[image])

    def record(self, image: int) -> str:
        people = self.people.ids[self.people.images == image].tolist()
        some = ", ".join(map(str, people[:3])) + (", ..." if len(people) > 3 else "")
        return f"image {self.truth.image_ids[image]}, {self.called} {some or 'none'}"

    def used(self) -> list[int]:
        """Rows of the images with people to crop."""
        return np.unique(self.people.images).tolist()

    def stamps(self) -> list[tuple[str, int, int]]:
        """Change when a file does."""
        stats = ((path, os.stat(path)) for path in map(self.path, self.used()))
        return [(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats]

    def refuse_missing(self, few: bool) -> None:
        """Before time is spent; `few` may be missing, but not all."""
        if not self.folder.is_dir():
            raise ValueError(f"{self.folder}: there is no such folder of images.")
        used = self.used()
        lost = [image for image in used if not os.path.isfile(self.path(image))]
        if lost and not (few and len(lost) < len(used)):
            more = f"; {len(lost)} of {len(used)} images are" if len(lost) > 1 else ""
            raise ValueError(f"{self.path(lost[0])} is missing ({self.record(lost[0])}){more}.")

    def unreadable(self) -> dict[int, str]:
        """Each image that cannot be read, and why; all are decoded for it."""
        used = self.used()
        with ThreadPoolExecutor(crop_cache.threads()) as pool:
            found = dict(zip(used, pool.map(_complaint(self), used), strict=True))
        problems = {image: words for image, words in found.items() if words}
        if len(problems) == len(used):
            first = next(iter(problems.values()))
            raise ValueError(f"none of {len(used)} images can be read; the first: {first}")
        return problems


def _complaint(pictures: Pictures) -> Callable[[int], str]:
    def complaint(image: int) -> str:
        try:
            pictures.read(image)
        except images.UnreadableError as error:
            return str(error)
        return ""

    return complaint
