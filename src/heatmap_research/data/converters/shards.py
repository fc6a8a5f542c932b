"""Packs the images of a data set into shards: tar files and an index of where each image begins."""

import json
import os
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

from heatmap_research.data import shards
from heatmap_research.data.threads import announced
from heatmap_research.runs import bounded_file

BLOCK = 512  # bytes, in which a tar file counts


def convert(names: Sequence[str], images: Path, out: Path, most: int) -> int:
    """Packs these images of a folder into shards of so many bytes, and returns their number.

    The folder of shards comes to be when all of them are in it.
    """
    _refuse(names, images, out)
    partial = out.with_name(f"{out.name}.partial")
    try:
        partial.mkdir(parents=True)
    except FileExistsError as error:
        raise ValueError(
            f"{partial} is there: another process packs into it, or was killed; delete it then."
        ) from error
    try:
        packed = _Packed(partial, most)
        for name in announced(names, len(names), f"packing {len(names)} images"):
            packed.add(name, shards.content(str(images / name), bounded_file.PICTURE))
        packed.close()
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return len(packed.tars)


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


@dataclass
class _Packed:
    """Shards as they grow, and their index."""

    folder: Path
    most: int
    tars: list[dict[str, Any]] = field(default_factory=list)
    images: list[tuple[str, int, int, int]] = field(default_factory=list)
    open: tarfile.TarFile | None = None

    def add(self, name: str, content: bytes) -> None:
        if self.open is not None and self.open.offset + len(content) > self.most:
            self._end()
        if self.open is None:
            file = f"images-{len(self.tars):06d}.tar"
            self.open = tarfile.open(self.folder / file, "w")  # noqa: SIM115
            self.tars.append({"name": file})
        member = tarfile.TarInfo(name)
        member.size = len(content)
        self.open.addfile(member, BytesIO(content))
        start = self.open.offset - -(-len(content) // BLOCK) * BLOCK
        self.images.append((name, len(self.tars) - 1, start, len(content)))

    def close(self) -> None:
        self._end()
        index = {"shards": self.tars, "images": self.images}
        (self.folder / shards.INDEX).write_text(json.dumps(index, separators=(",", ":")))

    def _end(self) -> None:
        if self.open is not None:
            self.open.close()
            self.tars[-1]["bytes"] = os.path.getsize(self.folder / self.tars[-1]["name"])
            self.open = None
