"""What a data set has to offer, and what it may say of itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

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

    A data set may offer two things more:
    - `__getitems__(indices) -> Sample` answers a whole batch, collated. It is called instead of
      `__getitem__`, and can decode or render much faster.
    - `about` is an `About`, as an attribute or a property. Without it, `About()` holds.
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
