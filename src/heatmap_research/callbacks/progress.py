"""How far a run is: one bar for all of its steps on a terminal, lines now and then elsewhere."""

import logging
import time
from abc import abstractmethod
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

log = logging.getLogger(__name__)


class Report(ProgressBar):
    """Says something every so many seconds: looking at a loss waits for the device."""

    def __init__(self, seconds: float, watched: str) -> None:
        super().__init__()
        self.seconds, self.watched, self.enabled = seconds, watched, True

    def disable(self) -> None:
        self.enabled = False

    def enable(self) -> None:
        self.enabled = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.began = self.last = time.monotonic()
        self.first = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.monotonic()
        if self.enabled and now - self.last >= self.seconds:
            self.last = now
            self.say(trainer, f"loss {float(outputs['loss']):.4f}{_on_val(trainer, self.watched)}")

    @abstractmethod
    def say(self, trainer: Trainer, state: str) -> None: ...


class Lines(Report):
    def say(self, trainer: Trainer, state: str) -> None:
        steps, done = trainer.estimated_stepping_batches, trainer.global_step
        rate = max(done - self.first, 1) / (self.last - self.began)
        left = (steps - done) / rate
        log.info(f"  step {done}/{steps}  {state}  {rate:.1f} steps/s  {left:.0f} s left")


class Bar(Report):
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        state = TextColumn("{task.fields[state]}")
        columns = ("training", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), state)
        self.bar = Progress(*columns, disable=not self.enabled)
        self.task = self.bar.add_task("", total=trainer.estimated_stepping_batches, state="")
        self.bar.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.bar.update(self.task, completed=trainer.global_step)
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def say(self, trainer: Trainer, state: str) -> None:
        self.bar.update(self.task, state=state)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.bar.stop()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        if hasattr(self, "bar"):
            self.bar.stop()


def _on_val(trainer: Trainer, figure: str) -> str:
    """What training is watched by, at the last validation."""
    found = trainer.callback_metrics.get(figure)
    return "" if found is None else f"  {figure} {float(found):.3f}"
