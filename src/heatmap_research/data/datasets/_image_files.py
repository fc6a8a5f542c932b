"""The image files of a data set: whether they are there, can be read, and who is in them."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from heatmap_research.data import images, shards, threads
from heatmap_research.data.annotations import Annotations
from heatmap_research.data.buffers import Buffers
from heatmap_research.data.people import People


@dataclass(frozen=True, eq=False)
class ImageFiles:
    folder: Path
    channels: int
    truth: Annotations
    people: People
    called: str  # what a person comes from: annotation or detection

    def read(
        self, image: int, factor: int = 1, buffers: Buffers | None = None
    ) -> tuple[images.Pixels, int]:
        """An error for what cannot be read names the image's record and its people."""
        try:
            size = self.truth.image_sizes[image]
            known = size.tolist() if size.all() else None
            return images.read(self.path(image), self.channels, known, factor, buffers)
        except images.UnreadableError as error:
            raise images.UnreadableError(f"{error} ({self.record(image)}).") from error

    def path(self, image: int) -> str:
        return os.path.join(self.folder, self.truth.image_files[image])

    def record(self, image: int) -> str:
        people = self.people.ids[self.people.images == image].tolist()
        some = ", ".join(map(str, people[:3])) + (", ..." if len(people) > 3 else "")
        return f"image {self.truth.image_ids[image]}, {self.called} {some or 'none'}"

    def used(self) -> list[int]:
        """The rows of the images that somebody is cropped from."""
        return np.unique(self.people.images).tolist()

    def stamps(self) -> list[tuple[str, int, int]]:
        """Path, size and time of each used file: one of them changes when a file does."""
        return [shards.stamp(path) for path in map(self.path, self.used())]

    def refuse_missing(self, few: bool) -> None:
        """Looks for the files before time is spent; `few` of them may be missing, but not all."""
        if not self.folder.is_dir():
            raise ValueError(f"{self.folder}: there is no such folder of images.")
        used = self.used()
        lost = [image for image in used if not shards.is_there(self.path(image))]
        if lost and not (few and len(lost) < len(used)):
            more = f"; {len(lost)} of {len(used)} images are" if len(lost) > 1 else ""
            if len(lost) == len(used) > 1:
                more += f": give the folder that their names start from, which {self.folder} is not"
            raise ValueError(f"{self.path(lost[0])} is missing ({self.record(lost[0])}){more}.")

    def unreadable(self) -> dict[int, str]:
        """Decodes every used image; returns the rows that cannot be read, and why."""
        used = self.used()
        with ThreadPoolExecutor(threads.available()) as pool:
            reasons = zip(used, pool.map(self._problem, used), strict=True)
            problems = {image: why for image, why in reasons if why}
        if len(problems) == len(used):
            first = next(iter(problems.values()))
            raise ValueError(f"none of {len(used)} images can be read; the first: {first}")
        return problems

    def _problem(self, image: int) -> str:
        try:
            self.read(image)
        except images.UnreadableError as error:
            return str(error)
        return ""
