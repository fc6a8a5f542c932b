"""Images as they are on disk, read as training reads them."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from heatmap_research.data import images
from heatmap_research.data.audit.finding import REFUSED, SKIPPABLE, Finding, found
from heatmap_research.data.audit.records import Records

COARSE = 8  # source pixels per pixel: every byte of a JPEG is read, few pixels are made


def check(records: Records, folder: Path, channels: int) -> Iterator[Finding]:
    """Only those with someone to learn from are ever read."""
    if not folder.is_dir():
        yield from found("folder of images is not there", [str(folder)], REFUSED)
        return
    rows = sorted(set(records.rows[records.learnable & (records.rows >= 0)].tolist()))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        words = list(pool.map(lambda row: _refusal(records, row, folder, channels), rows))
    for problem in ("is not on disk", "has another size than the file says", "cannot be read"):
        where = [text for kind, text in words if kind == problem]
        yield from found(f"image {problem}", where, SKIPPABLE)


def _refusal(records: Records, row: int, folder: Path, channels: int) -> tuple[str, str]:
    """What is wrong with an image, if anything."""
    name, file = records.image(row), folder / str(records.images[row].get("file_name"))
    if not file.is_file():
        return "is not on disk", name
    width, height = records.image_sizes[row]
    known = width > 0 and height > 0
    size = (int(width), int(height)) if known else None
    try:
        images.read(str(file), channels, size, COARSE)
    except ValueError as error:
        kind = "has another size than the file says" if "annotated as" in str(error) else ""
        reason = str(error).replace(str(file), "").strip(" :")
        return kind or "cannot be read", f"{name} {reason}"
    return "", ""
