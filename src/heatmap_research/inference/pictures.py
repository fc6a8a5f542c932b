"""Pictures to predict on, in files or in memory, and the crops of the people in them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, UInt8
from PIL import ExifTags, Image
from torch import Tensor

from heatmap_research.codec.geometry import Geometry, padded
from heatmap_research.data import images
from heatmap_research.data.buffers import Buffers
from heatmap_research.data.images import Pixels, UnreadableError
from heatmap_research.runs import bounded_file
from heatmap_research.types import IncompatibleError

Boxes = Float64[np.ndarray, "person 4"]  # x, y of the corner, width, height; source pixels


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture that is read when it is needed; without boxes all of it is one crop."""

    name: str
    read: Callable[[int], tuple[Pixels, int]]  # at a reduction: pixels, source pixels in each
    size: tuple[int, int] | None  # width, height, where they are known without reading
    image_id: int = 0
    boxes: Boxes | None = None
    box_scores: Float64[np.ndarray, " person"] | None = None  # 1 each where they are not given

    def with_boxes(self, boxes: Boxes, scores: np.ndarray | None = None) -> "Picture":
        return replace(self, boxes=boxes, box_scores=scores)

    def numbered(self, image_id: int) -> "Picture":
        return replace(self, image_id=image_id)

    @property
    def whole(self) -> Boxes:
        if self.size is not None:
            width, height = self.size
        else:
            height, width = self.read(1)[0].shape[:2]
        return np.array([[0.0, 0.0, width, height]])


@dataclass(frozen=True, eq=False)
class Cut:
    """The people of a picture as crops, or why it cannot be read."""

    picture: Picture
    boxes: Boxes
    scores: Float64[np.ndarray, " person"]  # of the boxes
    crops: UInt8[Tensor, "person channel height width"]
    to_source: Float64[Tensor, "person 2 3"]
    problem: UnreadableError | None = None


@dataclass(frozen=True)
class Cutter:
    """Cuts crops as the data sets of files do, so that a network sees what it was trained on."""

    image_size: tuple[int, int]  # height, width
    channels: int
    geometry: Geometry
    padding: float  # side of the crop, in sides of the box

    def __call__(self, picture: Picture) -> Cut:
        try:
            return self._cut(picture)
        except UnreadableError as error:
            none = self._empty(0), torch.zeros(0, 2, 3, dtype=torch.float64)
            return Cut(picture, np.zeros((0, 4)), np.zeros(0), *none, error)

    def _cut(self, picture: Picture) -> Cut:
        whole = picture.boxes is None
        boxes = picture.whole if picture.boxes is None else picture.boxes
        region = padded(torch.from_numpy(boxes), 1.0 if whole else self.padding)
        to_source = self.geometry.to_source(region, self.image_size)
        crops = self._empty(len(boxes))
        self._fill(crops.numpy(), picture, to_source.numpy())
        scores = np.ones(len(boxes)) if picture.box_scores is None else picture.box_scores
        rounded = to_source.float().double()  # as samples carry it
        return Cut(picture, boxes, scores, crops, rounded)

    def _fill(self, crops: np.ndarray, picture: Picture, to_source: np.ndarray) -> None:
        """Decodes a picture once for each reduction at which its people are read."""
        factors = np.array([images.reduction(s) for s in images.spacing(to_source).tolist()])
        if not len(factors):  # nobody is here, but the picture is to be readable
            picture.read(images.REDUCTIONS[0])
        buffers = Buffers()
        for asked in np.unique(factors).tolist():
            pixels, factor = picture.read(asked)
            for row in np.flatnonzero(factors == asked):
                matrix = images.in_reduced(to_source[row], factor)
                images.warp(pixels, matrix, crops[row], buffers)

    def _empty(self, people: int) -> Tensor:
        return torch.zeros(people, self.channels, *self.image_size, dtype=torch.uint8)


def of_file(file: str | Path, channels: int, image_id: int = 0, name: str | None = None) -> Picture:
    """A picture in a file, of which the header may be read, and nothing else yet."""
    size = _upright_size(file)
    read = partial(_read, str(file), channels, size)
    return Picture(name or str(file), read, size, image_id)


def of_memory(image: Any, channels: int, name: str = "image", image_id: int = 0) -> Picture:
    """A Pillow image, or an array or tensor of pixels, (height, width[, channel]) or channel first.

    Bytes are levels from 0 to 255, numbers of 16 bits from 0 to 65535, floats shares from 0 to 1.
    """
    if isinstance(image, Image.Image):
        return of_pixels(images.of_image(image, channels), name, image_id)
    if isinstance(image, Tensor):
        image = (image.float() if image.is_floating_point() else image).detach().cpu().numpy()
    array = np.asarray(image)
    if not array.size:
        raise IncompatibleError(f"{name}: it has no pixels ({' x '.join(map(str, array.shape))}).")
    try:
        return of_pixels(images.of_array(array, channels, name=name), name, image_id)
    except IncompatibleError:
        raise
    except ValueError as error:
        raise IncompatibleError(f"{name}: {error}; several images are given as a list.") from error


def of_pixels(pixels: Pixels, name: str, image_id: int = 0) -> Picture:
    height, width = pixels.shape[:2]
    return Picture(name, lambda _: (pixels, 1), (width, height), image_id)


def _read(
    file: str, channels: int, size: tuple[int, int] | None, factor: int
) -> tuple[Pixels, int]:
    """Each call has buffers of its own, as several threads read at once."""
    return images.read(file, channels, size, factor)


def _upright_size(file: str | Path) -> tuple[int, int] | None:
    """Width and height, if the header says that the picture is stored as it is to be seen."""
    try:
        bounded_file.refuse_endless(file, bounded_file.PICTURE)
        with Image.open(file) as stored:
            turned = stored.getexif().get(ExifTags.Base.Orientation, 1) != 1
            return None if turned else stored.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None  # reading it says what is wrong, or it is an array
