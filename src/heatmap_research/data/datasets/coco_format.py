"""Any keypoint data set in COCO's format, one crop for each person."""

import logging
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from heatmap_research.codec.geometry import Geometry, apply, inverse, padded
from heatmap_research.data import augmentation, crop_cache, images
from heatmap_research.data.annotations import Annotations, read
from heatmap_research.data.annotations.several import folders_of
from heatmap_research.data.augmentation import Augmentation, Draws, Joints
from heatmap_research.data.buffers import Buffers
from heatmap_research.data.crop_cache import Affines, CropCache, Crops, Places, Rows, Sides
from heatmap_research.data.datasets._image_files import ImageFiles
from heatmap_research.data.people import People, detected, labelled, part_of, without
from heatmap_research.data.protocols import About
from heatmap_research.types import Sample

log = logging.getLogger(__name__)

CHOICES = {
    "boxes": ("gt", "detections"),
    "on_error": ("stop", "skip"),
    "part": ("all", "rest", "held_out"),
}


@dataclass(eq=False)
class CocoFormat(Dataset[Sample]):
    """Item i is person `i % len`, with augmentation as it is drawn for the number i.

    Crops are black beyond the border of an image. With on_error=skip every image is read once at
    the start, and the people of those that cannot be read are left out and listed, so that length
    and order are the same in every process. `truth` has all annotations of the remaining images.
    """

    annotations: str | Sequence[str]  # a file, or several that make one set
    images: str | Sequence[str]  # the folder of their images, or one for each file
    image_size: Sequence[int]  # height, width
    channels: int
    geometry: Geometry
    boxes: str  # gt, or detections of a file
    detections: str | None
    padding: float  # side of the crop, in sides of the box
    augment: Augmentation | None
    sigmas: Sequence[float] | None  # OKS tolerances; None: the file's, or as its joints are known
    category: str | int | None  # needed where several have keypoints
    cache: bool | str | None  # of crops: true for the usual folder, a folder, or None
    on_error: str  # stop, or skip images that cannot be read
    seed: int  # of the augmentation
    held_out: int  # images set apart, the same for every seed; at most one in ten, at least one
    part: str  # all images, the held_out ones, or the rest
    first: int | None  # of these images, in an order drawn by their ids; None: all
    leave_out: Any = ()  # ids of images that are not used
    skipped: tuple[str, ...] = field(init=False, repr=False, default=())
    crops: CropCache | None = field(init=False, repr=False, default=None)
    buffers: Buffers = field(init=False, repr=False, default_factory=Buffers)

    def __post_init__(self) -> None:
        self._validate()
        self.size = self.image_size[0], self.image_size[1]
        whole = self._whole()
        if self.augment is not None and not whole.schema.mirrors:
            self.augment = replace(self.augment, flip=0.0)
        if self.augment is not None and not self.augment.active:
            self.augment = None
        whole = without(whole, self.leave_out)
        self.truth = part_of(whole, self.part, self.held_out, self.first)
        self.people = self._people()
        self.files = self._image_files()
        self.files.refuse_missing(few=self.on_error == "skip")
        if self.on_error == "skip":
            self._leave_out_unreadable()
        self.upper = augmentation.upper_half(self.truth.schema.names)
        if self.cache:
            self.crops = self._cached()

    @property
    def about(self) -> About:
        endless = self.augment is not None
        return About(self.truth.schema, self.truth, self.skipped, endless)

    def __len__(self) -> int:
        return len(self.people)

    def __getitem__(self, number: int) -> Sample:
        return Sample(*(batch[0] for batch in self.__getitems__([number])))

    def __getitems__(self, numbers: Sequence[int]) -> Sample:
        """Makes a batch, already collated."""
        if min(numbers) < 0 or (max(numbers) >= len(self) and self.augment is None):
            raise IndexError(f"items {numbers} of {len(self)}.")
        number = torch.tensor(numbers)
        row = number.numpy() % len(self)
        people = self.people.select(row)
        draws = None if self.augment is None else self.augment.draw(self.seed, number)
        to_source = self._to_source(people, draws)
        crops = self._crops(row, people, to_source.numpy())
        points, visible = _both_figures(people)
        points = apply(inverse(to_source), points)
        if draws is not None:
            points, visible = self._mirrored(draws, points, visible)
            visible = _occluded(draws, crops, points, visible)
        (own, others), (own_visible, others_visible) = points.chunk(2, 1), visible.chunk(2, 1)
        return Sample(
            image=torch.from_numpy(crops),
            keypoints=own.masked_fill(own_visible[..., None] == 0, 0).float(),
            visible=own_visible,
            to_source=to_source.float(),
            scale=torch.from_numpy(people.scales).float(),
            image_id=torch.from_numpy(self.truth.image_ids[people.images]),
            instance_id=torch.from_numpy(people.ids),
            box=torch.from_numpy(people.boxes).float(),
            box_score=torch.from_numpy(people.scores).float(),
            head=torch.from_numpy(people.heads).float(),
            overlap=torch.from_numpy(people.overlaps).float(),
            others=others.masked_fill(others_visible[..., None] == 0, math.nan).float(),
            others_visible=others_visible,
        )

    def source(self, number: int) -> UInt8[np.ndarray, "height width stored"]:
        """The whole picture of a person, as its file has it."""
        image = int(self.people.images[number % len(self)])
        return self.files.read(image, 1, Buffers())[0]

    def _to_source(self, people: People, draws: Draws | None) -> Float64[Tensor, "batch 2 3"]:
        region = self._padded(people)
        if self.augment is None or draws is None:
            return self.geometry.to_source(region, self.size)
        box = self.augment.boxes(draws, region, self._joints(people))
        return augmentation.to_source(draws, box, self.size, self.geometry)

    def _joints(self, people: People) -> Joints:
        points, visible = torch.from_numpy(people.keypoints), torch.from_numpy(people.visible)
        return Joints(points, visible, self.upper)

    def _padded(self, people: People) -> Float64[Tensor, "batch 4"]:
        return padded(torch.from_numpy(people.boxes), self.padding)

    def _mirrored(self, draws: Draws, points: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        flip, mirrored = list(self.truth.schema.flip), draws.flip[:, None]
        flip += [len(flip) + joint for joint in flip]  # the second figure's, behind the first's
        points = torch.where(mirrored[..., None], points[:, flip], points)
        return points, torch.where(mirrored, visible[:, flip], visible)

    def _crops(self, row: Rows, people: People, to_source: Affines) -> Crops:
        """Decodes each image once, or once for each reduction at which its people are read."""
        crops = self.buffers.take(len(row), self.channels, *self.size)
        done = np.zeros(len(row), bool)
        if self.crops is not None:
            done = self.crops.fill(crops, row, to_source, self.buffers)
        factors = map(images.reduction, images.spacing(to_source).tolist())
        wanted: dict[tuple[int, int], list[int]] = {}
        for place, task in enumerate(zip(people.images.tolist(), factors, strict=True)):
            if not done[place]:
                wanted.setdefault(task, []).append(place)
        for (image, asked), places in wanted.items():
            pixels, factor = self.files.read(image, asked, self.buffers)
            for place in places:
                matrix = images.in_reduced(to_source[place], factor)
                images.warp(pixels, matrix, crops[place], self.buffers)
        return crops

    def _whole(self) -> Annotations:
        if isinstance(self.annotations, str) and isinstance(self.images, str):
            return read(self.annotations, self.sigmas, self.category)
        one = isinstance(self.annotations, str)
        files = [str(self.annotations)] if one else list(self.annotations)
        if len(files) > 1 and self.boxes == "detections":
            raise ValueError(
                "data.boxes=detections: detections name images of one file of annotations by their "
                f"ids, and here are {len(files)}: choose data.boxes=gt, or one file."
            )
        return read(files, self.sigmas, self.category, folders_of(files, self.images))

    def _people(self) -> People:
        file = Path(str(self.detections)).expanduser()
        people = labelled(self.truth) if self.boxes == "gt" else detected(file, self.truth)
        if not len(people):
            raise ValueError(f"{self.annotations}: nobody in it has a box and a labelled joint.")
        return people

    def _image_files(self) -> ImageFiles:
        called = "detection" if self.boxes == "detections" else "annotation"
        several = not (isinstance(self.annotations, str) and isinstance(self.images, str))
        folder = Path() if several else Path(str(self.images)).expanduser()  # names have theirs
        return ImageFiles(folder, self.channels, self.truth, self.people, called)

    def _leave_out_unreadable(self) -> None:
        problems, used = self.files.unreadable(), self.files.used()
        self.skipped = tuple(problems.values())
        if not problems:
            return
        told = (len(problems), len(used), "\n  ".join(self.skipped))
        log.warning("%d of %d images are skipped:\n  %s", *told)
        kept = ~np.isin(np.arange(len(self.truth.image_ids)), list(problems))
        self.people, self.truth = self.people.within(kept), self.truth.select(kept)
        self.files = self._image_files()

    def _cached(self) -> CropCache:
        sizes = self.truth.image_sizes[self.people.images]
        if unknown := self.people.images[~sizes.all(1)].tolist():
            raise ValueError(
                f"data.cache: {self.annotations} gives no width and height of some images "
                f"({self.files.record(unknown[0])}), without which no crops are cached: choose "
                "data.cache=null."
            )
        default = os.environ.get("HEATMAP_CACHE", "~/.cache/heatmap_research")
        folder = Path(default if self.cache is True else str(self.cache)).expanduser()
        facts = {"files": self.files.stamps(), "images": self.people.images}
        asked = self._regions(sizes)
        return crop_cache.load(folder, facts, self.channels, asked, self.files.read)

    def _regions(self, sizes: Sides) -> crop_cache.Regions:
        people, region = self.people, self._padded(self.people)
        plain = self.geometry.to_source(region, self.size).numpy()
        boxes = [region]
        if self.augment is not None:
            boxes = self.augment.candidates(region, self._joints(people))
        low, high = zip(*map(self._extent, boxes), strict=True)
        ends = np.min(low, axis=0), np.max(high, axis=0)
        return crop_cache.regions(plain, *ends, people.images, sizes)

    def _extent(self, box: Float64[Tensor, "row 4"]) -> tuple[Places, Places]:
        """The first and the last source pixels, x and y, that crops of a box may reach."""
        plain = self.geometry.to_source(box, self.size).numpy()
        corner, size = box[:, :2].numpy(), box[:, 2:].numpy()
        reach = images.spacing(plain)[:, None] * np.array(self.size[::-1]) / 2
        if (augment := self.augment) is not None:
            if augment.rotation:
                reach = np.repeat(np.linalg.norm(reach, axis=1, keepdims=True), 2, axis=1)
            reach = reach * (1 + augment.scale) + augment.shift * size
        middle = corner + size / 2
        return middle - reach - 2, middle + reach + 2

    def _validate(self) -> None:
        for knob, choices in CHOICES.items():
            if (word := getattr(self, knob)) not in choices:
                raise ValueError(f"data.{knob}={word}: choose {' or '.join(choices)}.")
        if self.boxes == "detections" and not self.detections:
            raise ValueError(
                "data.boxes=detections: give the detector's file, data.detections=FILE, or choose "
                "data.boxes=gt."
            )
        if not 0 < self.padding < float("inf"):
            raise ValueError(f"data.padding={self.padding}: give sides of the crop in boxes.")
        if self.held_out < 0 or (self.part != "all" and not self.held_out):
            raise ValueError(f"data.held_out={self.held_out}: give a number of images.")
        if self.first is not None and self.first < 1:
            raise ValueError(f"data.train.first={self.first}: give a number of images, or null.")


def _both_figures(people: People) -> tuple[Tensor, Tensor]:
    """Points (B, 2K, 2) and visibility (B, 2K): each person's, then the second figure's."""
    points, visible, others = map(
        torch.from_numpy, (people.keypoints, people.visible, people.others)
    )
    both = torch.cat([points, others[..., :2]], 1)
    return both, torch.cat([visible, others[..., 2].long()], 1)


def _occluded(draws: Draws, crops: Crops, points: Tensor, visible: Tensor) -> Tensor:
    """Paints the patches black; a visible joint under one becomes covered."""
    if not draws.patches.numel():
        return visible
    height, width = crops.shape[2:]
    corner, size = draws.patches.split(2, dim=-1)
    sides = torch.tensor([width, height])
    low, high = ((edge * sides).round().long() for edge in (corner, corner + size))
    for crop, boxes in zip(crops, torch.cat([low, high], -1).tolist(), strict=True):
        for left, top, right, bottom in boxes:
            crop[:, top:bottom, left:right] = 0
    pixel = points.round()[:, None]  # (B, 1, K, 2)
    under = ((pixel >= low[:, :, None]) & (pixel < high[:, :, None])).all(-1).any(1)
    return torch.where(under & (visible > 1), 1, visible)
