"""Images that are rendered once, and that runs and processes share as a memory-mapped file."""

import functools
import hashlib
import json
import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

import numpy as np
import torch
from jaxtyping import UInt8

from heatmap_research.data import threads
from heatmap_research.data.rendering.figures import Figures
from heatmap_research.runs import whole_file

VERSION = 1  # to be raised when the same knobs draw other images
IMAGES_PER_STEP = 64  # of the progress bar

Images = UInt8[np.ndarray, "image channel height width"]

log = logging.getLogger(__name__)


def load(figures: Figures, first: int, count: int, cache: str | None) -> Images:
    """Maps images from the directory `cache`; keeps them in memory if it is None or unusable."""
    if cache is None:
        return render(figures, first, count)
    try:
        path = Path(cache).expanduser() / file_name(figures, first, count)
    except RuntimeError:  # of a user who has no home
        _warn_once(f"data.cache={cache} has no place here, images stay in memory.")
        return render(figures, first, count)
    if _holds(path, figures, first, count):
        return _mapped(path)
    with whole_file.one_at_a_time(path.parent) as alone:
        if _holds(path, figures, first, count):  # by now
            return _mapped(path)
        if alone:
            _remove_unfinished(path.parent)
        images = render(figures, first, count)
        try:
            with whole_file.written(path, uuid4().hex) as partial, partial.open("wb") as file:
                np.save(file, images)
            return _mapped(path)
        except OSError as problem:
            why = problem.strerror or problem
            _warn_once(f"data.cache={cache} cannot be written, images stay in memory: {why}")
            return images


def _mapped(path: Path) -> Images:
    """Neither pickles nor archives, which `np.load` also reads."""
    return np.lib.format.open_memmap(path, mode="r")


def _remove_unfinished(folder: Path) -> None:
    """Removes what renderings have left that were killed as they wrote."""
    for partial in folder.glob("figures-*.npy.*"):
        with suppress(OSError):
            partial.unlink()


def file_name(figures: Figures, first: int, count: int) -> str:
    height, width = figures.image_size
    knobs = asdict(figures) | {"image_size": [height, width]}
    content = json.dumps([VERSION, first, count, knobs], sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()[:16]
    return f"figures-{count}x{figures.channels}x{height}x{width}-{digest}.npy"


def render(figures: Figures, first: int, count: int) -> Images:
    images = np.empty((count, figures.channels, *figures.image_size), np.uint8)
    batches = torch.arange(count).split(IMAGES_PER_STEP)

    def draw(rows: torch.Tensor) -> None:
        images[rows.numpy()] = figures(first + rows).numpy()

    with threads.one_each() as side_by_side, ThreadPoolExecutor(side_by_side) as workers:
        drawn = workers.map(draw, batches)
        deque(threads.announced(drawn, len(batches), f"rendering {count} images"), maxlen=0)
    return images


def _holds(path: Path, figures: Figures, first: int, count: int) -> bool:
    """Whether the file has the right shape, and its first and last image are as rendered anew."""
    ends = np.array([0, count - 1])
    try:
        images = _mapped(path)
        expected = figures(first + torch.from_numpy(ends)).numpy()
        intact = images.shape[:1] == (count,) and np.array_equal(images[ends], expected)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError, EOFError):  # a file shorter than it says; a damaged header
        intact = False
    if not intact:
        log.warning("%s is damaged and is rendered anew.", path)
    return intact


@functools.cache
def _warn_once(message: str) -> None:
    log.warning(message)
