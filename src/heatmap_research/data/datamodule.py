"""The loaders of a run. The order of training depends on the seed and the batch's number alone."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from lightning_fabric.utilities.seed import pl_worker_init_function
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Sampler, Subset, default_collate, get_worker_info

from heatmap_research.data.annotations import Annotations
from heatmap_research.data.protocols import KeypointDataset, about
from heatmap_research.types import IncompatibleError, Sample, first_line


@dataclass(eq=False)
class ShuffledBatches(Sampler[list[int]]):
    """Batches of indices, epoch after epoch, that start where training stands.

    Every rank draws the same order and takes its own part of each batch.
    """

    size: int
    batch_size: int
    seed: int
    position: Callable[[], int]  # batches trained on so far
    rank: int = 0
    ranks: int = 1
    endless: bool = False  # each epoch has new indices, larger by `size` than the last one's

    def __len__(self) -> int:
        return self.size // (self.batch_size * self.ranks)

    def __iter__(self) -> Iterator[list[int]]:
        start = self.position()
        for position in range(start, start + len(self)):
            epoch, batch = divmod(position, len(self))
            if batch == 0 or position == start:
                order = self._order(epoch)
            first = (batch * self.ranks + self.rank) * self.batch_size
            yield order[first : first + self.batch_size]

    def _order(self, epoch: int) -> list[int]:
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + epoch) % 2**63)
        order = torch.randperm(self.size, generator=generator)
        return (order + epoch * self.size * self.endless).tolist()


def collate(samples: Sample | list[Sample], joints: Sequence[int] | None = None) -> Sample:
    """Makes a batch, unless the data set has made it already, and picks the joints to learn."""
    with _shared_in_time():
        batch = samples if isinstance(samples, Sample) else default_collate(samples)
        if joints is not None:
            only = list(joints)
            per_joint = ("keypoints", "visible", "others", "others_visible")
            batch = batch._replace(**{name: getattr(batch, name)[:, only] for name in per_joint})
        return Sample(*(part.share_memory_() for part in batch)) if get_worker_info() else batch


@contextmanager
def _shared_in_time() -> Iterator[None]:
    """Says where a worker finds no room for a batch; torch hands it over in a thread behind.

    There an error would be printed, and whoever trains would wait for this batch for ever.
    """
    try:
        yield
    except RuntimeError as error:
        if "shared memory" not in str(error):
            raise
        raise IncompatibleError(
            f"data.workers: a batch cannot be handed over ({first_line(error)}): choose fewer "
            "or data.workers=0, a smaller data.batch_size, or give a container more shared memory "
            "(docker run --shm-size=1g)."
        ) from error


def _begin_worker(number: int) -> None:
    """Leaves it to the loader to end its workers, whom a terminal or a scheduler signals as well.

    The first SIGTERM passes; a second, as the loader sends it to one that hangs, ends the worker.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _: signal.signal(number, signal.SIG_DFL))
    if os.environ.get("PL_SEED_WORKERS") == "1":  # what Lightning does where nothing else is done
        pl_worker_init_function(number)


class DataModule(LightningDataModule):
    def __init__(
        self,
        make: Mapping[str, Callable[[], KeypointDataset]],  # train, val, test: called when needed
        batch_size: int,
        workers: int,
        seed: int,
        overfit: int,  # batches to train and validate on, over and over; 0 uses all data
        joints: Sequence[int] | None = None,  # numbers of the joints to learn; None: all
        names: Sequence[str] | None = None,  # of all joints, the same in every stage's data
    ) -> None:
        super().__init__()
        self.joints, self.names = joints, names
        self.collate = partial(collate, joints=joints)
        self.make, self.made = make, dict[str, KeypointDataset]()
        self.batch_size, self.workers = batch_size, workers
        self.seed, self.overfit = seed, overfit

    def dataset(self, stage: str) -> KeypointDataset:
        """Made at the first call. With overfit, val is the same part of train."""
        if self.overfit and stage == "val":
            stage = "train"
        if stage not in self.made:
            whole = self.make[stage]()
            self._refuse_other_joints(whole, stage)
            overfitted = self.overfit and stage == "train"
            self.made[stage] = self._first_batches(whole) if overfitted else whole
        return self.made[stage]

    def _first_batches(self, whole: KeypointDataset) -> KeypointDataset:
        images = self.overfit * self.batch_size
        if images > len(whole):
            raise IncompatibleError(
                f"overfit={self.overfit} batches are {images} images of the {len(whole)} there "
                "are: choose a smaller number."
            )
        return Subset(whole, range(images))  # type: ignore[arg-type]

    def _refuse_other_joints(self, data: KeypointDataset, stage: str) -> None:
        schema = about(data).schema
        if schema and self.names is not None and tuple(schema.names) != tuple(self.names):
            raise IncompatibleError(
                f"data.{stage} has the joints {', '.join(schema.names)}, and data.train "
                f"{', '.join(self.names)}: give files of the same joints, in the same order."
            )

    def truth(self, stage: str) -> Annotations | None:
        """All annotations of a stage, if its data set has more than its samples show.

        None where limit_val_batches or limit_test_batches leaves people out: they were not missed.
        """
        truth = None if self._limited(stage) else about(self.dataset(stage)).truth
        return truth if truth is None or self.joints is None else truth.only(self.joints)

    def _limited(self, stage: str) -> bool:
        """Whether the trainer reads a part of a stage only."""
        if (trainer := self.trainer) is None:
            return False
        batches = trainer.num_test_batches if stage == "test" else trainer.num_val_batches
        return sum(batches) < len(self._evaluation(stage))

    @property
    def skipped(self) -> dict[str, list[str]]:
        """What could not be read and was left out as asked, by stage."""
        skipped = {stage: list(about(data).skipped) for stage, data in self.made.items()}
        return {stage: lines for stage, lines in skipped.items() if lines}

    def make_ready(self) -> None:
        """Makes the data sets before the clock of a training runs, as it can take minutes."""
        for stage in ("train", "val"):
            self.dataset(stage)

    def train_dataloader(self) -> DataLoader[Sample]:
        data = self.dataset("train")
        size, (rank, ranks), endless = len(data), self._place, about(data).endless
        if size < self.batch_size * ranks:
            raise IncompatibleError(
                f"data.batch_size={self.batch_size} on {ranks} device(s) is more than the "
                f"{size} training samples: choose a smaller one."
            )
        order = (self.batch_size, self.seed, self._position, rank, ranks, endless)
        batches = ShuffledBatches(size, *order)
        return self._loader(data, batch_sampler=batches)

    def val_dataloader(self) -> DataLoader[Sample]:
        return self._evaluation("val")

    def test_dataloader(self) -> DataLoader[Sample]:
        return self._evaluation("test")

    def _evaluation(self, stage: str) -> DataLoader[Sample]:
        data = self.dataset(stage)
        size, (rank, ranks) = len(data), self._place
        if size < ranks:
            raise IncompatibleError(
                f"data.{stage} has {size} sample(s) for {ranks} devices: choose fewer."
            )
        share = range(rank, size, ranks)  # not padded, which would count some items twice
        return self._loader(data, batch_size=self.batch_size, sampler=share)

    def _loader(self, data: KeypointDataset, **order: Any) -> DataLoader[Sample]:
        return DataLoader(
            data,  # type: ignore[arg-type] # it needs the two methods only, not the class Dataset
            collate_fn=self.collate,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            worker_init_fn=_begin_worker if self.workers else None,
            pin_memory=torch.cuda.is_available() and about(data).device is None,
            **order,
        )

    def _position(self) -> int:
        return self.trainer.fit_loop.epoch_loop.batch_progress.total.ready if self.trainer else 0

    @property
    def _place(self) -> tuple[int, int]:
        """This process's rank, and how many there are."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
