"""Packs the images of a data set into shards: tar files and an index of where each image begins."""

import json
import tarfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

from heatmap_research.data import shards
from heatmap_research.data.threads import announced
from heatmap_research.runs import bounded_file, whole_file

BLOCK = 512  # bytes, in which a tar file counts


def convert(names: Sequence[str], images: Path, out: Path, most: int) -> int:
    """Packs these images of a folder into shards of so many bytes, and returns their number.

    The folder of shards comes to be when all of them are in it.
    """
    _refuse(names, images, out)
    try:
        with whole_file.made(out) as partial:
            return len(_pack(names, images, partial, most))
    except FileExistsError as error:
        raise ValueError(
            f"{error.filename} is there: another process packs into it, or was killed; delete it "
            "then."
        ) from error


def _refuse(names: Sequence[str], images: Path, out: Path) -> None:
    if out.exists():
        raise ValueError(f"{out}: it is there already; choose another folder.")
    if not names:
        raise ValueError("there is no image to be packed.")
    for name in names:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise ValueError(
                f"{name} lies outside {images}: give the folder that names start from."
            )
    lost = [name for name in names if not shards.is_there(str(images / name))]
    if lost:
        more = f"; {len(lost)} of {len(names)} images are" if len(lost) > 1 else ""
        raise ValueError(f"{images / lost[0]} is missing{more}.")


def _pack(names: Sequence[str], images: Path, folder: Path, most: int) -> list[dict[str, Any]]:
    """Writes one tar file after the other, each until the next image would be too many bytes."""
    tars: list[dict[str, Any]] = []
    places: list[tuple[str, int, int, int]] = []
    told = announced(names, len(names), f"packing {len(names)} images")
    members = ((n, shards.content(str(images / n), bounded_file.PICTURE)) for n in told)
    member = next(members, None)
    while member is not None:
        file = folder / f"images-{len(tars):06d}.tar"
        with tarfile.open(file, "w") as tar:
            while member is not None and (not tar.offset or tar.offset + len(member[1]) <= most):
                places.append((member[0], len(tars), _added(tar, *member), len(member[1])))
                member = next(members, None)
        tars.append({"name": file.name, "bytes": file.stat().st_size})
    index = {"shards": tars, "images": places}
    (folder / shards.INDEX).write_text(json.dumps(index, separators=(",", ":")))
    return tars


def _added(tar: tarfile.TarFile, name: str, content: bytes) -> int:
    """Where the bytes of a new member begin."""
    facts = tarfile.TarInfo(name)
    facts.size = len(content)
    tar.addfile(facts, BytesIO(content))
    return tar.offset - -(-len(content) // BLOCK) * BLOCK
