"""Reads the people of MPII's official MATLAB file, whose structs lack what was not annotated."""

import faulthandler
import io
import os
import resource
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat

from heatmap_research.runs import bounded_file

HEADER, COMPRESSED = 128, 15  # bytes; the kind of a part
STACK = 4 << 20  # bytes, half of what is usual


@dataclass(frozen=True)
class Person:
    """A person as published: pixels count from 1."""

    image: str
    center: tuple[float, float] | None
    scale: float | None
    points: dict[int, tuple[float, float, int]]  # of labelled joints: x, y, our visibility
    head: tuple[float, float, float, float] | None = None  # x1, y1, x2, y2
    alone: bool | None = None  # sufficiently apart from others


def people_of(file: Path) -> Iterator[Person]:
    """The people of training images who have labelled joints; those of test images are secret."""
    release = _release(file)
    trained, alone = np.atleast_1d(release.img_train), np.atleast_1d(release.single_person)
    for row, (image, train) in enumerate(zip(_many(release.annolist), trained, strict=True)):
        if not train:
            continue
        apart = {int(n) for n in _many(alone[row])} if row < len(alone) else set()
        for place, rectangle in enumerate(_many(getattr(image, "annorect", None)), start=1):
            if points := _points(rectangle):
                yield Person(
                    image=str(image.image.name),
                    center=_numbers(getattr(rectangle, "objpos", None), "x", "y"),
                    scale=_number(rectangle, "scale"),
                    points=points,
                    head=_numbers(rectangle, "x1", "y1", "x2", "y2"),
                    alone=place in apart,
                )


def _release(file: Path) -> Any:
    try:
        stored = bounded_file.content(file, bounded_file.PICTURE)
        _refuse_bomb(stored)
        _refuse_bottomless(stored)
        content = _content(stored)
    except OSError as error:
        raise ValueError(f"{file}: cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # scipy's own, of which there are many, for a damaged file
        raise ValueError(f"{file}: damaged, or no MATLAB file: {error}.") from error
    release = content.get("RELEASE")
    if not all(hasattr(release, name) for name in ("annolist", "img_train", "single_person")):
        raise ValueError(f"{file}: not MPII's, it has no RELEASE of annolist and img_train.")
    return release


def _content(stored: bytes) -> dict[str, Any]:
    return loadmat(io.BytesIO(stored), squeeze_me=True, struct_as_record=False)


def _refuse_bottomless(stored: bytes) -> None:
    """Raises a ValueError where structs lie in structs deeper than scipy can follow.

    It falls over then, and takes its process along: so one of its own tries first, on half a stack.
    """
    if not (child := os.fork()):
        try:
            faulthandler.disable()
            _, most = resource.getrlimit(resource.RLIMIT_STACK)
            resource.setrlimit(resource.RLIMIT_STACK, (STACK, most))
            _content(stored)
        finally:  # of all else that goes wrong, reading says it
            os._exit(0)
    if os.WIFSIGNALED(os.waitpid(child, 0)[1]):
        raise ValueError("its structs lie deeper in each other than can be read")


def _refuse_bomb(stored: bytes) -> None:
    """Raises a ValueError if its compressed parts make more than labels ever need.

    Behind a header, each part begins with its kind and its size (MAT-File level 5).
    """
    order = "<" if stored[126:128] == b"IM" else ">"
    at, size = HEADER, 0
    while at + 8 <= len(stored):
        kind, length = struct.unpack_from(f"{order}II", stored, at)
        if kind == COMPRESSED:
            part = memoryview(stored)[at + 8 : at + 8 + length]
            size += bounded_file.inflated_size(part, bounded_file.LABELS - size)
        at += 8 + length


def _many(value: Any) -> list[Any]:
    """A list of what the file holds as nothing, one thing or an array."""
    return [] if value is None else np.atleast_1d(value).ravel().tolist()


def _number(struct: Any, name: str) -> float | None:
    """Reads a number that may be written as text, as some of is_visible are."""
    value = np.atleast_1d(getattr(struct, name, []))
    return float(value[0]) if value.size == 1 and str(value[0]) else None


def _numbers(struct: Any, *names: str) -> Any:
    """A tuple; None if one of the numbers is not there."""
    numbers = tuple(_number(struct, name) for name in names)
    return None if None in numbers else numbers


def _points(rectangle: Any) -> dict[int, tuple[float, float, int]]:
    """Takes a joint as visible unless it is said to be covered; head and neck never say it."""
    points = {}
    for annotated in _many(getattr(rectangle, "annopoints", None)):
        for point in _many(getattr(annotated, "point", None)):
            if numbers := _numbers(point, "x", "y", "id"):
                x, y, joint = numbers
                covered = _number(point, "is_visible") == 0
                points[int(joint)] = (x, y, 1 if covered else 2)
    return points
