"""What crops can show of each person, cut out once: reading a crop is then one warp and no decode.

A region has the crop's own pixels, and goes on beyond the crop as far as augmentation may reach; a
person of fewer pixels keeps those of the image. So an evaluation's crops are what they are without
a cache, to one level of 255, and training's are sampled twice.
"""

import fcntl
import hashlib
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8
from rich.console import Console
from rich.progress import track

from heatmap_research.data import images
from heatmap_research.data.buffers import Memory

VERSION = 1  # to be raised when the same regions come out otherwise
AT_ONCE = 128  # pictures held in memory while the cache is made
FINEST = 0.33  # pixels of a region per pixel of a crop, below which the image itself is read

Affines = Float64[np.ndarray, "row 2 3"]
Sides = Int64[np.ndarray, "row 2"]  # width, height
Load = Callable[[int, int], tuple[images.Pixels, int]]  # picture, factor -> pixels, factor had

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Regions:
    """Of each person, its pixels and where they lie in the source: upright, evenly spaced."""

    pictures: Int64[np.ndarray, " row"]
    sizes: Sides
    to_source: Affines
    beyond: Bool[np.ndarray, "row 2 2"]  # (x, y), (first, last): it ends outside the picture there

    @cached_property
    def spacing(self) -> Float64[np.ndarray, "row 2"]:
        """Source pixels, along x and y."""
        return self.to_source[:, [0, 1], [0, 1]]

    @cached_property
    def ends(self) -> Int64[np.ndarray, " row"]:
        """Pixels up to the end of each, in one file."""
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
        memory: Memory,
    ) -> Bool[np.ndarray, " batch"]:
        """Which of the crops it could give."""
        spacing, size = self.regions.spacing[people], self.regions.sizes[people]
        matrix = to_source - self.regions.to_source[people] * [0, 0, 1]
        matrix = matrix / spacing[:, :, None]
        low, high = _reached(matrix, crops.shape[2:])
        beyond = self.regions.beyond[people]
        inside = ((low >= 0) | beyond[:, :, 0]) & ((high < size) | beyond[:, :, 1])
        finest = np.linalg.norm(matrix[:, :, :2], axis=1).min(1)
        held = inside.all(1) & ((finest >= FINEST) | (spacing == 1).all(1))
        first = low.clip(0, size - 1)
        last = high.clip(first, size - 1) + 1
        matrix[:, :, 2] -= first
        ends = self.regions.ends[people] * self.channels
        parts = np.column_stack([ends - size.prod(1) * self.channels, ends, size, first, last])
        for place, part in zip(held.nonzero()[0].tolist(), parts[held].tolist(), strict=True):
            start, end, wide, high_, x, y, right, bottom = part
            region = self.pixels[start:end].reshape(high_, wide, self.channels)
            reached = images.spared(region[y:bottom, x:right], memory)
            images.warp(reached, matrix[place], crops[place], memory)
        return held


def regions(
    plain: Affines,  # upright crops to their pictures
    low: Float64[np.ndarray, "row 2"],  # what is to be held of them, x and y
    high: Float64[np.ndarray, "row 2"],
    pictures: Int64[np.ndarray, " row"],
    sizes: Sides,  # of the pictures
) -> Regions:
    spacing, origin = plain[:, [0, 1], [0, 1]], plain[:, :, 2]
    coarse = spacing.min(1, keepdims=True) >= 1
    spacing, origin = np.where(coarse, spacing, 1.0), np.where(coarse, origin, 0.0)
    first = np.floor((np.maximum(low, -1) - origin) / spacing).astype(np.int64) - 1
    last = np.ceil((np.minimum(high, sizes) - origin) / spacing).astype(np.int64) + 1
    last = np.maximum(first, last)  # of a person outside the picture, a black pixel
    to_source = np.zeros_like(plain)
    to_source[:, [0, 1], [0, 1]] = spacing
    to_source[:, :, 2] = origin + first * spacing
    beyond = [to_source[:, :, 2] <= -1, origin + last * spacing >= sizes]
    return Regions(pictures, last - first + 1, to_source, np.stack(beyond, axis=-1))


def load(
    folder: Path, facts: dict[str, Any], channels: int, asked: Regions, read: Load
) -> CropCache:
    """Made if it is not there; processes that ask for the same wait for the first.

    `facts` are all that the pixels depend on, beside the regions.
    """
    facts = facts | {"channels": channels, "size": asked.sizes, "to_source": asked.to_source}
    cache = CropCache(folder / f"crops-{len(asked.sizes)}-{_key(facts)}.u8", channels, asked)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(cache.file.with_suffix(".lock")):
            if not _holds(cache):
                _make(cache, read)
    except OSError as error:
        words = error.strerror or str(error)
        raise ValueError(f"data.cache={folder} cannot be used: {words}.") from error
    return cache


def _make(cache: CropCache, read: Load) -> None:
    """Whole or not at all."""
    needed, free = _bytes(cache), shutil.disk_usage(cache.file.parent).free
    if needed > free:
        raise ValueError(
            f"data.cache={cache.file.parent}: the crops are {needed / 1e9:.1f} GB, and "
            f"{free / 1e9:.1f} GB are free: choose another folder, or data.cache=null."
        )
    part = cache.file.with_suffix(".part")
    try:
        _write(part, cache, read)
        os.replace(part, cache.file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _write(part: Path, cache: CropCache, read: Load) -> None:
    regions = cache.regions
    tasks: dict[int, list[int]] = {}
    for person, picture in enumerate(regions.pictures.tolist()):
        tasks.setdefault(picture, []).append(person)
    work, starts = list(tasks.values()), (regions.ends - regions.sizes.prod(1)) * cache.channels
    groups = [work[at : at + AT_ONCE] for at in range(0, len(work), AT_ONCE)]
    words = f"cutting {len(starts)} crops ({_bytes(cache) / 1e9:.2f} GB) for {cache.file.parent}"
    with part.open("wb") as file, ThreadPoolExecutor(threads()) as pool:
        for group in _announced(groups, words):
            for people, cuts in pool.map(lambda task: _cut(task, cache, read), group):
                for person, cut in zip(people, cuts, strict=True):
                    file.seek(starts[person])
                    file.write(cut)
        file.truncate(_bytes(cache))
        file.flush()
        os.fsync(file.fileno())


def _cut(people: list[int], cache: CropCache, read: Load) -> tuple[list[int], list[bytes]]:
    """Of one picture, decoded for each person as its upright crop would be."""
    regions, cuts = cache.regions, []
    decoded: dict[int, tuple[images.Pixels, int]] = {}
    for person in people:
        asked = images.reduction(regions.spacing[person].min())
        if asked not in decoded:
            decoded[asked] = read(int(regions.pictures[person]), asked)
        pixels, factor = decoded[asked]
        width, height = regions.sizes[person].tolist()
        cut = np.empty((cache.channels, height, width), np.uint8)
        images.warp(pixels, images.in_reduced(regions.to_source[person], factor), cut, Memory())
        cuts.append(cut.transpose(1, 2, 0).tobytes())
    return people, cuts


def _reached(
    matrix: Float64[np.ndarray, "batch 2 3"], crop: tuple[int, ...]
) -> tuple[Int64[np.ndarray, "batch 2"], Int64[np.ndarray, "batch 2"]]:
    """The first and the last pixels, along x and y, that the crops' pixels lie between."""
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
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # given back even by a process that is killed
        yield


def _announced(steps: list[Any], task: str) -> Iterator[Any]:
    """With a bar on a terminal, else with two lines in the log."""
    console = Console(stderr=True)
    if console.is_terminal:
        yield from track(steps, task, console=console)
        return
    start = time.perf_counter()
    log.info("%s ...", task)
    yield from steps
    log.info("%s ... done in %.1f s", task, time.perf_counter() - start)


def threads() -> int:
    return len(os.sched_getaffinity(0))
