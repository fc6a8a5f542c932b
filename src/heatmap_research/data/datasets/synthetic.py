"""Drawn figures whose joints are known exactly, from a shared pool or rendered when asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.data import Dataset

from heatmap_research.data import counter_random
from heatmap_research.data.counter_random import Index
from heatmap_research.data.protocols import About
from heatmap_research.data.rendering import body
from heatmap_research.data.rendering import pool as pools
from heatmap_research.data.rendering.figures import Figures
from heatmap_research.types import Sample


@dataclass(eq=False)
class Synthetic(Dataset[Sample]):
    """Item i is image `first + i % pool`, or without a pool image `first + i`, for any i.

    So an endless stream never shows an image twice, as its sampler counts on from epoch to epoch.
    """

    figures: Figures
    first: int  # number of the first image; train, val and test must not overlap
    pool: int | None  # distinct images; None for an endless stream
    length: int | None  # images of one epoch; None for the size of the pool
    label_noise: float  # standard deviation of each coordinate, pixels
    round_labels: bool  # to whole pixels, after the noise
    render: Literal["pool", "online", "auto"]  # auto: online on a machine with a GPU
    device: str | None  # that renders online; None: a GPU if there is one
    cache: str | None  # directory of rendered pools; None keeps them in memory
    images: pools.Images | None = field(init=False, repr=False, default=None)
    labels: dict[str, Any] = field(init=False, repr=False, default_factory=dict)  # of the pool

    def __post_init__(self) -> None:
        self._validate()
        gpu = torch.cuda.is_available() and self.device != "cpu"
        if self.render == "online" or self.pool is None or (self.render == "auto" and gpu):
            # CUDA does not survive a fork: on a GPU the loader must have no workers.
            self.device = self.device or ("cuda" if gpu else "cpu")
            if self.device.startswith("cuda") and not gpu:
                raise ValueError(
                    f"data.device={self.device}: torch finds no such device here: choose "
                    "data.device=cpu, or null for the best there is."
                )
        else:
            self.images = pools.load(self.figures, self.first, self.pool, self.cache)
            self.labels = self._labels(self.first + torch.arange(self.pool))

    @property
    def about(self) -> About:
        return About(schema=body.SCHEMA, endless=self.pool is None, device=self.device)

    def __len__(self) -> int:
        return self.length or self.pool or 0

    def __getitem__(self, position: int) -> Sample:
        return Sample(*(batch[0] for batch in self.__getitems__([position])))

    def __getitems__(self, positions: Sequence[int]) -> Sample:
        """Makes a batch, already collated."""
        row = torch.tensor(positions)
        if self.pool is not None:
            if min(positions) < 0 or max(positions) >= len(self):
                raise IndexError(f"positions {positions} of {len(self)} images.")
            row %= self.pool
        if self.images is None:
            index = (self.first + row).to(self.device)
            return Sample(image=self.figures(index), **self._labels(index))
        labels = {name: label[row] for name, label in self.labels.items()}
        return Sample(image=torch.from_numpy(self.images[row.numpy()]), **labels)

    def _labels(self, index: Index) -> dict[str, Tensor]:
        """All of a sample but its image. There is no source image: a crop is its own source."""
        joints, others = self.figures.joints(index), self.figures.others(index)
        corner = joints.amin(1)
        size = joints.amax(1) - corner
        one = torch.ones_like(size[:, 0])
        return {
            "keypoints": self._as_labelled(joints, index, "label noise"),
            "visible": 2 - self.figures.covered(index).long(),  # also beyond the border
            "to_source": torch.eye(2, 3, device=index.device).repeat(len(index), 1, 1),
            "scale": size.prod(-1).sqrt(),  # of the box around the true joints
            "image_id": index,
            "instance_id": index,
            "box": torch.cat([corner, size], dim=-1),
            "box_score": one,
            "head": torch.nan * one,
            "overlap": 0 * one,
            "others": self._as_labelled(others, index, "label noise of the second figure"),
            "others_visible": self._others_visible(others, index),
        }

    def _others_visible(self, others: body.Joints, index: Index) -> Tensor:
        visible = 2 - self.figures.others_covered(index).long()
        return visible.masked_fill(others[..., 0].isnan(), 0)

    def _as_labelled(self, joints: body.Joints, index: Index, what: str) -> body.Joints:
        if self.label_noise:
            purpose = (self.figures.seed, what)
            noise = counter_random.normal(purpose, index, joints[0].numel()).view(joints.shape)
            joints = joints + self.label_noise * noise
        return joints.round() if self.round_labels else joints

    def _validate(self) -> None:
        for knob in ("pool", "length"):
            value = getattr(self, knob)
            if value is not None and value < 1:
                raise ValueError(f"data.{knob}={value}: choose a positive number, or null.")
        if self.pool is None and self.length is None:
            raise ValueError(
                "data.pool=null: an endless stream has no length; choose the images of an epoch, "
                "data.length."
            )
        if self.pool is None and self.render == "pool":
            raise ValueError("data.render=pool: an endless stream has no pool; choose online.")
        if not 0 <= self.label_noise < float("inf"):
            raise ValueError(f"data.label_noise={self.label_noise}: choose pixels, at least 0.")
        if self.render not in ("pool", "online", "auto"):
            raise ValueError(f"data.render={self.render}: choose pool, online or auto.")
