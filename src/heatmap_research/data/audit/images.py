"""Images: as the file lists them, and as they are on disk, where training would read them."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from heatmap_research.data.annotations.reading import is_size
from heatmap_research.data.audit.columns import is_id, mask, several
from heatmap_research.data.audit.records import LEARNT, REFUSED, SKIPPABLE, Finding, Records

REDUCTION = 8  # source pixels per pixel: every byte of a JPEG is read, few pixels are made


def check(records: Records) -> Iterator[Finding]:
    ids = [image.get("id") for image in records.images]
    files = [str(image.get("file_name") or "") for image in records.images]
    used = np.isin(np.arange(len(ids)), records.rows[records.learnable])
    no_id = mask(not is_id(i) for i in ids)
    unnamed = used & mask(not name for name in files)
    sizes = [(image.get("width") or 0, image.get("height") or 0) for image in records.images]
    wrong = mask(not all(map(is_size, size)) for size in sizes)
    unknown = used & ~wrong & ~(records.image_sizes >= 1).all(1)
    shared = several(filter(None, files))
    yield Finding("image without a whole number as id", records.named_images(no_id), REFUSED)
    yield Finding("id of several images", several(f"image {i}" for i in ids), REFUSED)
    yield Finding("image without a file_name", records.named_images(unnamed), SKIPPABLE)
    yield Finding("file of several images", shared, LEARNT)
    yield Finding("width or height is no size", records.named_images(wrong), REFUSED)
    taken = "taken from the picture"
    yield Finding("image without width and height", records.named_images(unknown), taken)


def check_on_disk(records: Records, folder: Path, channels: int) -> Iterator[Finding]:
    """Reads the images with someone to learn from; no training reads any other."""
    if not folder.is_dir():
        yield Finding("folder of images is not there", [str(folder)], REFUSED)
        return
    rows = sorted(set(records.rows[records.learnable & (records.rows >= 0)].tolist()))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = list(pool.map(lambda row: _problem(records, row, folder, channels), rows))
    for kind in ("is not on disk", "has another size than the file says", "cannot be read"):
        where = [image for problem, image in problems if problem == kind]
        yield Finding(f"image {kind}", where, SKIPPABLE)


def _problem(records: Records, row: int, folder: Path, channels: int) -> tuple[str, str]:
    """The kind of problem an image has, or "", and the image's name, with the reason."""
    from heatmap_research.data import images, shards  # and with them OpenCV

    name, file = records.image_name(row), records.image_file(row, folder)
    if not shards.is_there(str(file)):  # false for a name that no file system takes, too
        return "is not on disk", name
    try:
        images.read(str(file), channels, records.known_size(row), REDUCTION)
    except ValueError as error:
        kind = "has another size than the file says" if "annotated as" in str(error) else ""
        reason = str(error).replace(str(file), "").strip(" :")
        return kind or "cannot be read", f"{name} {reason}"
    return "", ""
