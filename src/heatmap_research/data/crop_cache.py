"""Keeps the region around each person on disk, so that a crop takes one warp and no decoding.

A region has the pixels of the upright crop, and goes on beyond it as far as augmentation may reach;
of a person smaller than the crop it has the image's own pixels. So the crops of an evaluation are
what they are without a cache, to one level of 255, and those of training are sampled twice.
"""

import fcntl
import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from heatmap_research.data import images, threads, whole_file
from heatmap_research.data.buffers import Buffers
from heatmap_research.data.progress import announced

VERSION = 1  # to be raised when the same regions come out otherwise
PICTURES_IN_MEMORY = 128  # while the cache is made
MIN_PIXELS = 0.33  # of a region, per pixel of a crop; with fewer the image itself is read

Affines = Float64[np.ndarray, "row 2 3"]
Sides = Int64[np.ndarray, "row 2"]  # width, height
Load = Callable[[int, int], tuple[images.Pixels, int]]  # picture, reduction -> as images.read

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Regions:
    """An upright grid of pixels for each person, and where it lies in the source picture."""

    pictures: Int64[np.ndarray, " row"]
    sizes: Sides
    to_source: Affines
    beyond: Bool[np.ndarray, "row 2 2"]  # (x, y), (first, last): it ends outside the picture

    @cached_property
    def spacing(self) -> Float64[np.ndarray, "row 2"]:
        """Source pixels from one pixel to the next, along x and y."""
        return self.to_source[:, [0, 1], [0, 1]]

    @cached_property
    def ends(self) -> Int64[np.ndarray, " row"]:
        """The number of pixels up to the end of each region, as they follow in one file."""
        return np.cumsum(self.sizes.prod(1))


@dataclass(frozen=True, eq=False)
class CropCache:
    file: Path
    channels: int
    regions: Regions

    @cached_property
    def pixels(self) -> UInt8[np.ndarray, " byte"]:
        return np.asarray(np.memmap(self.file, np.uint8, mode="r"))

    def __getstate__(self) -> dict[str, Any]:
        kept = ("file", "channels", "regions")  # a worker maps the file itself
        return {name: getattr(self, name) for name in kept}

    def fill(
        self,
        crops: UInt8[np.ndarray, "batch channel height width"],
        people: Int64[np.ndarray, " batch"],
        to_source: Float64[np.ndarray, "batch 2 3"],
        buffers: Buffers,
    ) -> Bool[np.ndarray, " batch"]:
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
    low: Float64[np.ndarray, "row 2"],  # first source pixels to keep, x and y
    high: Float64[np.ndarray, "row 2"],  # last ones
    pictures: Int64[np.ndarray, " row"],
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
    return Regions(pictures, last - first + 1, to_source, np.stack(beyond, axis=-1))


def load(
    folder: Path, facts: dict[str, Any], channels: int, asked: Regions, read: Load
) -> CropCache:
    """Opens the cache, or makes it first; processes that ask for the same one wait meanwhile.

    `facts` names everything but the regions that the pixels depend on.
    """
    facts = facts | {"channels": channels, "size": asked.sizes, "to_source": asked.to_source}
    cache = CropCache(folder / f"crops-{len(asked.sizes)}-{_key(facts)}.u8", channels, asked)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(cache.file.with_suffix(".lock")):
            if not _holds(cache):
                _make(cache, read)
    except OSError as error:
        words = error.strerror or str(error)
        raise ValueError(f"data.cache={folder} cannot be used: {words}.") from error
    return cache


def _make(cache: CropCache, read: Load) -> None:
    needed, free = _bytes(cache), shutil.disk_usage(cache.file.parent).free
    if needed > free:
        raise ValueError(
            f"data.cache={cache.file.parent}: the crops are {needed / 1e9:.1f} GB, and "
            f"{free / 1e9:.1f} GB are free: choose another folder, or data.cache=null."
        )
    with whole_file.written(cache.file) as partial:
        _write(partial, cache, read)


def _write(partial: Path, cache: CropCache, read: Load) -> None:
    regions = cache.regions
    tasks: dict[int, list[int]] = {}
    for person, picture in enumerate(regions.pictures.tolist()):
        tasks.setdefault(picture, []).append(person)
    work, starts = list(tasks.values()), (regions.ends - regions.sizes.prod(1)) * cache.channels
    groups = [work[at : at + PICTURES_IN_MEMORY] for at in range(0, len(work), PICTURES_IN_MEMORY)]
    words = f"cutting {len(starts)} crops ({_bytes(cache) / 1e9:.2f} GB) for {cache.file.parent}"
    with partial.open("wb") as file, ThreadPoolExecutor(threads.available()) as pool:
        for group in announced(groups, len(groups), words):
            for people, cuts in pool.map(lambda task: _cut(task, cache, read), group):
                for person, cut in zip(people, cuts, strict=True):
                    file.seek(starts[person])
                    file.write(cut)
        file.truncate(_bytes(cache))
        file.flush()
        os.fsync(file.fileno())


def _cut(people: list[int], cache: CropCache, read: Load) -> tuple[list[int], list[bytes]]:
    """Cuts the people of one picture, decoded at the reduction their upright crops would use."""
    regions, cuts = cache.regions, []
    decoded: dict[int, tuple[images.Pixels, int]] = {}
    for person in people:
        asked = images.reduction(regions.spacing[person].min())
        if asked not in decoded:
            decoded[asked] = read(int(regions.pictures[person]), asked)
        pixels, factor = decoded[asked]
        width, height = regions.sizes[person].tolist()
        cut = np.empty((cache.channels, height, width), np.uint8)
        images.warp(pixels, images.in_reduced(regions.to_source[person], factor), cut, Buffers())
        cuts.append(cut.transpose(1, 2, 0).tobytes())
    return people, cuts


def _reached(
    matrix: Float64[np.ndarray, "batch 2 3"], crop: tuple[int, ...]
) -> tuple[Int64[np.ndarray, "batch 2"], Int64[np.ndarray, "batch 2"]]:
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


def _holds(cache: CropCache) -> bool:
    if not cache.file.exists():
        return False
    if not (intact := cache.file.stat().st_size == _bytes(cache)):
        log.warning("%s is damaged and is made anew.", cache.file)
    return intact


def _bytes(cache: CropCache) -> int:
    return int(cache.regions.ends[-1]) * cache.channels


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # given back even by a process that is killed
        yield
