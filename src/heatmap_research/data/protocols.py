"""What a data set has to offer, and what it may say of itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import UInt8
from torch.utils.data import Subset

from heatmap_research.data.annotations import Annotations
from heatmap_research.types import Sample, Schema


@runtime_checkable
class KeypointDataset(Protocol):
    """Crops of one person (or animal, or hand) each, by an index that counts from 0.

    A class with these two methods is a whole data set, and needs no base class. To train on it,
    write a file in `conf/data` whose `data.train`, `data.val` and `data.test` name the class as
    `_target_`, and whose `data.schema` describes the joints. Nothing may depend on the order in
    which indices are asked for: processes ask for different ones.

    A data set may offer three things more:
    - `__getitems__(indices) -> Sample` answers a whole batch, collated. It is called instead of
      `__getitem__`, and can decode or render much faster.
    - `about` is an `About`, as an attribute or a property. Without it, `About()` holds.
    - `source(index)` is the picture that a crop was cut from, for sheets of people.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...


@dataclass(frozen=True)
class About:
    """What loaders, metrics and the run's record should know of a data set beyond its samples.

    The values given here are those of a data set that says nothing; state only what differs.
    """

    schema: Schema | None = None  # joints its files name, which have to be those of data.schema
    truth: Annotations | None = None  # for AP: also the people and crowds that no sample shows
    skipped: Sequence[str] = ()  # what could not be read and was left out as asked, a line each
    endless: bool = False  # index i + len is valid too: another image, or another draw for item i
    device: str | None = None  # where samples are made; None: in main memory, which may be pinned


def about(data: object) -> About:
    """What a data set says of itself; a part of one, as overfit takes it, keeps only the device."""
    if isinstance(data, Subset):
        return About(device=about(data.dataset).device)
    return getattr(data, "about", About())


def source_of(data: object, index: int, sample: Sample) -> tuple[UInt8[np.ndarray, "h w 3"], bool]:
    """The picture behind a sample, in colours, and whether source pixels are its pixels.

    Where a data set has none, the crop is shown: its own source, or with pixels of its own.
    """
    if (source := getattr(data, "source", None)) is not None:
        return _in_colours(source(index)), True
    itself = bool((sample.to_source == torch.eye(2, 3)).all())
    return _in_colours(sample.image.permute(1, 2, 0).numpy()), itself


def _in_colours(pixels: UInt8[np.ndarray, "h w channel"]) -> UInt8[np.ndarray, "h w 3"]:
    """The first three channels as red, green and blue; fewer become grey, by the first."""
    return pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1].repeat(3, axis=2)
