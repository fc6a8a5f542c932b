"""Several files of annotations, with their folders of images, as one set."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from heatmap_research.data.annotations.table import (
    PER_IMAGE,
    PER_PERSON,
    Annotations,
    largest_iou,
)

SAME = ("names", "flip", "sigmas")  # that the files say of their joints


def together(tables: Sequence[Annotations], folders: Sequence[str] | None) -> Annotations:
    """One file after the other; ids that occur in two of them are counted on in the later one.

    With `folders`, each file's own, the names of images begin with them.
    """
    if not tables:
        raise ValueError("annotations=[]: name at least one file.")
    first, *others = tables
    for other in others:
        _refuse_other_joints(first, other)
    files = [table.file for table in tables]
    if twice := [str(file) for file in files if files.count(file) > 1]:
        raise ValueError(f"annotations: {twice[0]} is given twice.")
    images = [table.image_files for table in tables]
    if folders is not None:
        places = [Path(folder).expanduser() for folder in folders]
        pairs = zip(places, images, strict=True)
        images = [tuple(str(place / name) if name else "" for name in of) for place, of in pairs]
    starts = np.cumsum([0, *(len(table.image_ids) for table in tables)])[:-1]
    whole = {name: [getattr(table, name) for table in tables] for name in (*PER_IMAGE, *PER_PERSON)}
    columns: dict[str, Any] = {name: np.concatenate(parts) for name, parts in whole.items()}
    rows = np.concatenate([t.images + start for t, start in zip(tables, starts, strict=True)])
    columns["overlaps"] = largest_iou(columns["boxes"], rows, columns["crowd"])
    return replace(
        first,
        **columns | {"image_ids": _apart(whole["image_ids"]), "ids": _apart(whole["ids"])},
        file=files[0] if len(files) == 1 else Path(f"{files[0]} and {len(files) - 1} more"),
        image_files=tuple(name for of in images for name in of),
        images=rows,
    )


def folders_of(files: Sequence[str], images: str | Sequence[str]) -> list[str]:
    """The folder of images of each file: one for all of them, or one each."""
    folders = [images] * len(files) if isinstance(images, str) else list(images)
    if len(folders) != len(files):
        raise ValueError(
            f"images: {len(folders)} folders for {len(files)} files of annotations: give one for "
            "each file, in their order, or one for all."
        )
    for folder in folders:
        if not Path(folder).expanduser().is_dir():
            raise ValueError(f"{folder}: there is no such folder of images.")
    return folders


def _refuse_other_joints(first: Annotations, other: Annotations) -> None:
    for fact in SAME:
        one, two = (getattr(table.schema, fact) for table in (first, other))
        if one != two:
            said = {"names": "joints", "flip": "mirror joints", "sigmas": "OKS sigmas"}[fact]
            raise ValueError(
                f"{other.file}: its {said} are {', '.join(map(str, two))}, and those of "
                f"{first.file} {', '.join(map(str, one))}: one set has the same, in the same order."
            )


def _apart(numbers: list[Int64[np.ndarray, " _"]]) -> Int64[np.ndarray, " row"]:
    """The numbers of all files; a file with one that was there before goes on from the largest."""
    known = np.zeros(0, dtype=np.int64)
    for own in numbers:
        if np.isin(own, known).any():
            own = own - own.min() + known.max() + 1
        known = np.concatenate([known, own])
    return known
