"""Chooses people of an annotation file, and makes of them what a contact sheet draws."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heatmap_research.data.audit.contact_sheet import LEFT, MIDDLE, RIGHT, DrawnPerson, Skeleton
from heatmap_research.data.audit.records import Records


def skeleton(records: Records) -> Skeleton:
    """If the names of a pair do not tell its sides, its first joint is drawn as the left one."""
    colours = [MIDDLE] * len(records.names)
    for left, right in records.pairs:
        colours[left], colours[right] = LEFT, RIGHT
    return Skeleton(records.names, colours, records.bones)


def drawn_by_lot(records: Records, number: int, seed: int) -> list[int]:
    learnable = np.flatnonzero(records.learnable)
    if not len(learnable):
        raise ValueError(f"{records.file}: there is nobody to learn from; name some with --id.")
    lot = np.random.default_rng(seed)
    return sorted(lot.choice(learnable, min(number, len(learnable)), replace=False).tolist())


def named(records: Records, ids: Sequence[str]) -> list[int]:
    """The rows of these annotations, also of those training would refuse or leave out."""
    if unknown := [name for name in ids if name not in records.ids]:
        raise ValueError(f"{records.file}: there is no annotation {', '.join(unknown)}.")
    return [row for name in ids for row, own in enumerate(records.ids) if own == name]


def people(
    records: Records, rows: Sequence[int], folder: Path | None, channels: int
) -> list[DrawnPerson]:
    drawn = []
    for row in rows:
        image = _image(records, int(records.rows[row]), folder, channels)
        name = records.ids[row] + (" (no image)" if folder and image is None else "")
        drawn.append(DrawnPerson(name, records.points[row], records.boxes[row], image))
    return drawn


def _image(
    records: Records, row: int, folder: Path | None, channels: int
) -> NDArray[np.uint8] | None:
    """Three channels to look at; None if the image cannot be read, which `check` explains."""
    if folder is None or row < 0:
        return None
    from heatmap_research.data import images  # and with it OpenCV

    try:
        path = str(records.image_file(row, folder))
        pixels, _ = images.read(path, channels, records.known_size(row))
    except ValueError:
        return None
    return pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1].repeat(3, axis=2)
