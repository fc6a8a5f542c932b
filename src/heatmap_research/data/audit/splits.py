"""Compares files that should share nothing: the same pictures, the same people, nearly the same.

A picture's hash has a bit for each of 16 x 16 places: whether it is brighter there than to the
right. Pictures are nearly the same if few bits differ. Turned or cut copies are not found by it.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heatmap_research.data.audit.images import REDUCTION
from heatmap_research.data.audit.records import Finding, Records
from heatmap_research.runs import bounded_file

SIDE = 16  # places along either side
# Bits of 256. In Leeds Sports Pose pairs up to 36 are one photograph, and the first that is not has
# 39; of 300 of its pictures 95 % move by up to 32 when saved anew at a JPEG quality of 30.
NEAR = 36
MIN_POINTS = 3  # that somebody needs to be told from others by them
AT_ONCE = 2**22  # pairs compared at a time
MEASURED = "learnt from and measured on"

Hashes = NDArray[np.uint64]  # (picture, word)


@dataclass(frozen=True)
class Pictures:
    """The pictures of one file with someone to learn from, as far as they can be read."""

    records: Records
    rows: list[int]
    contents: list[str]  # of each file's bytes
    hashes: Hashes


def compare(
    files: Sequence[Records], folders: Sequence[Path | None], channels: int
) -> Iterator[Finding]:
    """Without folders images are compared by their names alone."""
    pairs = zip(files, folders, strict=True)
    marked = [None if folder is None else _marked(r, folder, channels) for r, folder in pairs]
    for a, b in combinations(range(len(files)), 2):
        names = " and ".join(_names(files[a].file, files[b].file))
        first, second = marked[a], marked[b]
        if first is None or second is None:
            yield Finding(f"{names}: same file_name", _by_name(files[a], files[b]), MEASURED)
        else:
            same, near = _alike(first, second)
            yield Finding(f"{names}: same picture", same, MEASURED)
            yield Finding(f"{names}: nearly the same picture", near, MEASURED)
        yield Finding(f"{names}: same points", _same_people(files[a], files[b]), MEASURED)


def _names(first: Path, second: Path) -> tuple[str, str]:
    return (str(first), str(second)) if first.name == second.name else (first.name, second.name)


def _used(records: Records) -> list[int]:
    return sorted(set(records.rows[records.learnable & (records.rows >= 0)].tolist()))


def _marked(records: Records, folder: Path, channels: int) -> Pictures:
    rows = _used(records)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        read = list(pool.map(lambda row: _mark(records.image_file(row, folder), channels), rows))
    known = [(row, mark) for row, mark in zip(rows, read, strict=True) if mark is not None]
    hashes = np.array([mark[1] for _, mark in known], dtype=np.uint64).reshape(len(known), -1)
    return Pictures(records, [r for r, _ in known], [mark[0] for _, mark in known], hashes)


def _mark(file: Path, channels: int) -> tuple[str, Hashes] | None:
    """The digest of a file's bytes and the picture's hash; None if it cannot be read."""
    from heatmap_research.data import images  # and with it OpenCV

    try:
        content = bounded_file.content(file, bounded_file.PICTURE)
        pixels, _ = images.read(str(file), channels, None, REDUCTION)
    except (ValueError, OSError):
        return None
    return hashlib.sha256(content).hexdigest(), hashed(pixels[..., :channels].mean(-1))


def hashed(grey: NDArray[np.float64]) -> Hashes:
    """The hash of a picture (height, width), as four words."""
    import cv2

    small = cv2.resize(grey, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA)
    return np.packbits(small[:, :-1] > small[:, 1:]).view(np.uint64)


def _alike(first: Pictures, second: Pictures) -> tuple[list[str], list[str]]:
    """Pictures of the second file that are, or nearly are, in the first; with the likest there."""
    place = {content: n for n, content in enumerate(first.contents)}
    same, near = list[str](), list[str]()
    nearest, bits = likest(second.hashes, first.hashes)
    for n, row in enumerate(second.rows):
        name = second.records.image_name(row)
        if (known := place.get(second.contents[n])) is not None:
            same.append(f"{name} as {first.records.image_name(first.rows[known])}")
        elif bits[n] <= NEAR:
            other = first.records.image_name(first.rows[nearest[n]])
            near.append(f"{name} as {other}, {bits[n]} of {SIDE * SIDE} bits apart")
    return same, near


def likest(asked: Hashes, among: Hashes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The nearest of the others to each hash, and how many bits differ."""
    nearest, bits = np.zeros(len(asked), np.int64), np.full(len(asked), SIDE * SIDE + 1)
    if not len(among):
        return nearest, bits
    step = max(1, AT_ONCE // len(among))
    for start in range(0, len(asked), step):
        part = slice(start, start + step)
        apart = np.bitwise_count(asked[part, None] ^ among[None]).sum(-1, dtype=np.int64)
        nearest[part], bits[part] = apart.argmin(1), apart.min(1)
    return nearest, bits


def _by_name(first: Records, second: Records) -> list[str]:
    names = {str(first.images[row].get("file_name")) for row in _used(first)}
    rows = [r for r in _used(second) if str(second.images[r].get("file_name")) in names]
    return [second.image_name(row) for row in rows]


def _same_people(first: Records, second: Records) -> list[str]:
    """People whose labelled points are to the last number somebody's in the other file."""
    known = {points: name for name, points in _people(first)}
    return [f"{n} as {known[points]}" for n, points in _people(second) if points in known]


def _people(records: Records) -> Iterator[tuple[str, bytes]]:
    points = np.where(records.labelled[..., None], records.points, 0)
    for row in np.flatnonzero(records.learnable & (records.labelled.sum(1) >= MIN_POINTS)).tolist():
        yield f"annotation {records.ids[row]}", points[row].tobytes()
