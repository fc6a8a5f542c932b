"""Keeps the region around each person on disk, so that a crop takes one warp and no decoding.

A region has the pixels of the upright crop, and goes on beyond it as far as augmentation may reach;
of a person smaller than the crop it has the image's own pixels. So the crops of an evaluation are
what they are without a cache, to one level of 255, and those of training are sampled twice.
"""

import fcntl
import hashlib
import logging
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from heatmap_research.data import images, threads
from heatmap_research.data.buffers import Buffers
from heatmap_research.runs import whole_file

VERSION = 1  # to be raised when the same regions come out otherwise
PICTURES_IN_MEMORY = 128  # while the cache is made
MIN_PIXELS = 0.33  # of a region, per pixel of a crop; with fewer the image itself is read

Affines = Float64[np.ndarray, "row 2 3"]
Places = Float64[np.ndarray, "row 2"]  # x, y in source pixels
Sides = Int64[np.ndarray, "row 2"]  # width, height
Rows = Int64[np.ndarray, " row"]
Crops = UInt8[np.ndarray, "row channel height width"]
Load = Callable[[int, int], tuple[images.Pixels, int]]  # picture, reduction -> as images.read

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Regions:
    """An upright grid of pixels for each person, and where it lies in the source picture."""

    pictures: Rows
    sizes: Sides
    to_source: Affines
    spacing: Places  # source pixels from one pixel to the next, along x and y
    beyond: Bool[np.ndarray, "row 2 2"]  # (x, y), (first, last): it ends outside the picture
    ends: Rows  # number of pixels up to the end of each region, as they follow in one file


@dataclass(frozen=True, eq=False)
class CropCache:
    file: Path
    channels: int
    regions: Regions

    @cached_property
    def pixels(self) -> UInt8[np.ndarray, " byte"]:
        return np.asarray(np.memmap(self.file, np.uint8, mode="r"))

    @property
    def nbytes(self) -> int:
        return int(self.regions.ends[-1]) * self.channels

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out the pixels, as a worker maps the file itself."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def fill(
        self, crops: Crops, people: Rows, to_source: Affines, buffers: Buffers
    ) -> Bool[np.ndarray, " row"]:
        """Fills the crops that lie within their regions, and says which they are."""
        spacing, size = self.regions.spacing[people], self.regions.sizes[people]
        matrix = to_source - self.regions.to_source[people] * [0, 0, 1]
        matrix = matrix / spacing[:, :, None]
        low, high = _reached(matrix, crops.shape[2:])
        beyond = self.regions.beyond[people]
        inside = ((low >= 0) | beyond[:, :, 0]) & ((high < size) | beyond[:, :, 1])
        finest = np.linalg.norm(matrix[:, :, :2], axis=1).min(1)
        held = inside.all(1) & ((finest >= MIN_PIXELS) | (spacing == 1).all(1))
        first = low.clip(0, size - 1)
        last = high.clip(first, size - 1) + 1
        matrix[:, :, 2] -= first
        ends = self.regions.ends[people] * self.channels
        parts = np.column_stack([ends - size.prod(1) * self.channels, ends, size, first, last])
        for place, part in zip(held.nonzero()[0].tolist(), parts[held].tolist(), strict=True):
            start, end, width, height, x, y, right, bottom = part
            region = self.pixels[start:end].reshape(height, width, self.channels)
            reached = images.spared(region[y:bottom, x:right], buffers)
            images.warp(reached, matrix[place], crops[place], buffers)
        return held


def regions(
    plain: Affines,  # from upright crops to their pictures
    low: Places,  # first pixels to keep
    high: Places,  # last ones
    pictures: Rows,
    sizes: Sides,  # of the pictures
) -> Regions:
    spacing, origin = plain[:, [0, 1], [0, 1]], plain[:, :, 2]
    coarse = spacing.min(1, keepdims=True) >= 1
    spacing, origin = np.where(coarse, spacing, 1.0), np.where(coarse, origin, 0.0)
    first = np.floor((np.maximum(low, -1) - origin) / spacing).astype(np.int64) - 1
    last = np.ceil((np.minimum(high, sizes) - origin) / spacing).astype(np.int64) + 1
    last = np.maximum(first, last)  # one black pixel for a person outside the picture
    to_source = np.zeros_like(plain)
    to_source[:, [0, 1], [0, 1]] = spacing
    to_source[:, :, 2] = origin + first * spacing
    beyond = [to_source[:, :, 2] <= -1, origin + last * spacing >= sizes]
    size = last - first + 1
    ends = np.cumsum(size.prod(1))
    return Regions(pictures, size, to_source, spacing, np.stack(beyond, axis=-1), ends)


def load(
    folder: Path, facts: dict[str, Any], channels: int, asked: Regions, read: Load
) -> CropCache:
    """Opens the cache, or makes it first; processes that ask for the same one wait meanwhile.

    `facts` names everything but the regions that the pixels depend on.
    """
    facts = facts | {"channels": channels, "size": asked.sizes, "to_source": asked.to_source}
    crops = CropCache(folder / f"crops-{len(asked.sizes)}-{_key(facts)}.u8", channels, asked)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with crops.file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # given back even by a process that is killed
            if not _holds(crops):
                _make(crops, read)
    except OSError as error:
        words = error.strerror or str(error)
        raise ValueError(
            f"data.cache={folder} cannot be used: {words}; choose another folder, or "
            "data.cache=null."
        ) from error
    return crops


def _holds(crops: CropCache) -> bool:
    if not crops.file.exists():
        return False
    if not (intact := crops.file.stat().st_size == crops.nbytes):
        log.warning("%s is damaged and is made anew.", crops.file)
    return intact


def _make(crops: CropCache, read: Load) -> None:
    folder, free = crops.file.parent, shutil.disk_usage(crops.file.parent).free
    if crops.nbytes > free:
        raise ValueError(
            f"data.cache={folder}: the crops are {crops.nbytes / 1e9:.1f} GB, and "
            f"{free / 1e9:.1f} GB are free: choose another folder, or data.cache=null."
        )
    with whole_file.written(crops.file) as unfinished:
        _write(unfinished, crops, read)


def _write(unfinished: Path, crops: CropCache, read: Load) -> None:
    regions = crops.regions
    tasks: dict[int, list[int]] = {}
    for person, picture in enumerate(regions.pictures.tolist()):
        tasks.setdefault(picture, []).append(person)
    work, starts = list(tasks.values()), (regions.ends - regions.sizes.prod(1)) * crops.channels
    groups = [work[at : at + PICTURES_IN_MEMORY] for at in range(0, len(work), PICTURES_IN_MEMORY)]
    words = f"cutting {len(starts)} crops ({crops.nbytes / 1e9:.2f} GB) for {crops.file.parent}"
    with unfinished.open("wb") as file, ThreadPoolExecutor(threads.available()) as pool:
        for group in threads.announced(groups, len(groups), words):
            for cuts in pool.map(lambda people: _cut(people, crops, read), group):
                for person, cut in cuts:
                    file.seek(starts[person])
                    file.write(cut)
        file.truncate(crops.nbytes)


def _cut(people: list[int], crops: CropCache, read: Load) -> list[tuple[int, bytes]]:
    """Cuts the people of one picture, decoded at the reduction their upright crops would use."""
    regions, cuts = crops.regions, []
    decoded = cache(partial(read, int(regions.pictures[people[0]])))
    for person in people:
        pixels, factor = decoded(images.reduction(regions.spacing[person].min()))
        width, height = regions.sizes[person].tolist()
        cut = np.empty((crops.channels, height, width), np.uint8)
        images.warp(pixels, images.in_reduced(regions.to_source[person], factor), cut, Buffers())
        cuts.append((person, cut.transpose(1, 2, 0).tobytes()))
    return cuts


def _reached(matrix: Affines, crop: tuple[int, ...]) -> tuple[Sides, Sides]:
    """The first and the last pixels, along x and y, that a crop's pixels are sampled from."""
    height, width = crop
    corners = np.array([(x, y, 1.0) for x in (0, width - 1) for y in (0, height - 1)]).T
    reached = matrix @ corners  # (B, 2, 4)
    low, high = np.floor(reached.min(-1) + 1e-6), np.ceil(reached.max(-1) - 1e-6)
    return low.astype(np.int64), high.astype(np.int64)


def _key(facts: dict[str, Any]) -> str:
    digest = hashlib.sha256(repr(VERSION).encode())
    for name, fact in sorted(facts.items()):
        digest.update(f"{name}:".encode())
        digest.update(fact.tobytes() if isinstance(fact, np.ndarray) else repr(fact).encode())
    return digest.hexdigest()[:16]
