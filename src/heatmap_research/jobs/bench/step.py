"""The rows of a training step: Lightning's beside a plain loop of torch, and its parts alone."""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from pytorch_lightning import Callback, Trainer, seed_everything

from heatmap_research.config.conf import conf_folder
from heatmap_research.config.job import Job, prepare
from heatmap_research.data.datamodule import DataModule
from heatmap_research.jobs.bench.timing import Clock, Row
from heatmap_research.runs.store import RunStore
from heatmap_research.training.build import build, build_data, build_trainer, wire
from heatmap_research.training.callbacks.progress import Lines
from heatmap_research.training.fit import quiet_libraries
from heatmap_research.types import Sample

ARMS = ("mse_2d", "ce_2d", "simcc")
WARM_UP = 5  # steps of a fit that are not counted
ON_CUDA = (
    *("trainer=gpu", "backbone=resnet50", "backbone.pretrained=false", "image_size=[256,192]"),
    *("data.batch_size=64", "data.pool=256"),
)


@contextmanager
def rows(steps: int, clock: Clock, *overrides: str, device: str = "cpu") -> Iterator[list[Row]]:
    """The demo's size: test_resnet, 64x64, the arms of its table; so many steps a round.

    On a GPU ResNet-50 in bfloat16, 64 images of 256x192.
    """
    quiet_libraries()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        sized = ON_CUDA if device.startswith("cuda") else ()
        jobs = [_job(arm, steps, (*sized, *overrides)) for arm in ARMS]
    yield [row for job in jobs for row in _rows(job, steps, clock, device)]


def _job(arm: str, steps: int, overrides: tuple[str, ...]) -> Job:
    chosen = [f"arm={arm}", "decoder=main", "data.pool=1024", "output_dir=."]
    chosen.append(f"trainer.max_steps={steps + WARM_UP}")
    return prepare(compose("train", [*chosen, *overrides]), {"arm": arm})


def _rows(job: Job, steps: int, clock: Clock, device: str) -> Iterator[Row]:
    arm, floor = job.choices["arm"], f"{job.choices['arm']}: network, forwards and backwards"
    seed_everything(0, verbose=False)
    task, data = build(wire(job)).train().to(device), build_data(job)
    optimizer = task.optimizer(task.net.parameters())
    batches = map(partial(_moved, device), chain.from_iterable(map(_epoch, repeat(data))))
    batch = next(batches)
    others = batch.others, batch.others_visible
    cost = partial(task.codec.training_loss, excess=False)  # as in a step that is not logged
    half = partial(torch.autocast, device.partition(":")[0], torch.bfloat16, device != "cpu")
    with half():
        scores = tuple(each.detach().requires_grad_() for each in task.net(batch.image))

    def network() -> None:
        with half():
            out = task.net(batch.image)
        torch.autograd.backward(out, [torch.ones_like(each) for each in out])

    def loss() -> None:
        cost(scores, batch.keypoints, batch.visible, others).loss.backward()

    def read() -> None:
        with torch.inference_mode():
            task.codec.read(scores)

    def plain() -> None:
        """A step as one writes it without Lightning."""
        each = next(batches)
        optimizer.zero_grad()
        with half():
            out = task.net(each.image)
        beside = each.others, each.others_visible
        cost(out, each.keypoints, each.visible, beside).loss.backward()
        optimizer.step()

    parts: dict[str, Callable[[], object]] = {
        "network, forwards and backwards": network,
        "loss with its labels": loss,
        "read by all of main": read,
        "optimiser": optimizer.step,
        "next batch": lambda: next(batches),
        "plain loop of torch": plain,
    }
    for name, part in parts.items():
        yield Row(f"{arm}: {name}", _often(part, steps), floor, count=steps)
    fit = f"{arm}: a step of heatmap-train"
    yield Row(fit, lambda: fitted(job, clock), floor, count=steps, tells_seconds=True)


def _epoch(data: DataModule) -> Iterable[Sample]:
    return data.train_dataloader()


def _moved(device: str, batch: Sample) -> Sample:
    return Sample(*(column.to(device, non_blocking=True) for column in batch))


def _often(work: Callable[[], object], steps: int) -> Callable[[], None]:
    def all_of_them() -> None:
        for _ in range(steps):
            work()

    return all_of_them


class _Ends(Callback):
    """Notes when the first steps had ended, and all: only then is a GPU waited for."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.ends = clock, list[float]()

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step in (WARM_UP, trainer.max_steps):
            self.ends.append(self.clock())


def fitted(job: Job, clock: Clock = time.perf_counter) -> float:
    """Seconds of the steps of a training after its first ones, without validation."""
    with tempfile.TemporaryDirectory() as folder:
        job = job.but(output_dir=folder)
        trainer = build_trainer(job, RunStore(Path(folder)), Lines(1000, job.watched))
        trainer.limit_val_batches = 0
        trainer.callbacks.append(ends := _Ends(clock))  # type: ignore[attr-defined]
        trainer.fit(build(wire(job)), build_data(job))
    first, last = ends.ends
    return last - first
