"""How far a run is: one bar for all of its steps on a terminal, lines now and then elsewhere."""

import logging
import time
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

log = logging.getLogger(__name__)


class Lines(ProgressBar):
    """Speaks every so many seconds and no more often: looking at a loss waits for the device."""

    def __init__(self, seconds: float, watched: str) -> None:
        super().__init__()
        self.seconds, self.watched, self.enabled = seconds, watched, True

    def disable(self) -> None:
        self.enabled = False

    def enable(self) -> None:
        self.enabled = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.began = self.last = time.monotonic()
        self.first, self.loss = trainer.global_step, ""
        self.steps = trainer.estimated_stepping_batches  # looks into the loader: once

    def on_train_batch_end(self, trainer: Trainer, _: object, outputs: Any, *rest: Any) -> None:
        now = time.monotonic()
        ends = trainer.global_step >= self.steps
        if self.enabled and (ends or now - self.last >= self.seconds):
            self.last, self.loss = now, f"loss {float(outputs['loss']):.4f}"
            if not ends:
                self.say(trainer, self.state(trainer))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Speaks once more, after the last validation."""
        if self.enabled:
            self.last = time.monotonic()
            self.end(trainer, self.state(trainer))

    def state(self, trainer: Trainer) -> str:
        """The loss, and the figure that training is watched by, as the last validation gave it."""
        figure = trainer.callback_metrics.get(self.watched)
        return self.loss + ("" if figure is None else f"  {self.watched} {float(figure):.3f}")

    def say(self, trainer: Trainer, state: str) -> None:
        left = (self.steps - trainer.global_step) / self._rate(trainer)
        self._line(trainer, state, f"{left:.0f} s left")

    def end(self, trainer: Trainer, state: str) -> None:
        """Says nothing of a training so short that it has said nothing yet."""
        if (took := self.last - self.began) >= self.seconds:
            self._line(trainer, state, f"done in {took:.0f} s")

    def _line(self, trainer: Trainer, state: str, time_words: str) -> None:
        steps = f"step {trainer.global_step}/{self.steps}"
        log.info(f"  {steps}  {state}  {self._rate(trainer):.1f} steps/s  {time_words}")

    def _rate(self, trainer: Trainer) -> float:
        return max(trainer.global_step - self.first, 1) / (self.last - self.began)


class Bar(Lines):
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        left = TimeRemainingColumn(elapsed_when_finished=True)
        state = TextColumn("{task.fields[state]}")
        columns = ("training", BarColumn(), MofNCompleteColumn(), left, state)
        self.bar = Progress(*columns, disable=not self.enabled)
        self.task = self.bar.add_task("", total=self.steps, completed=self.first, state="")
        self.bar.start()

    def on_train_batch_end(self, trainer: Trainer, *rest: Any) -> None:
        self.bar.update(self.task, completed=trainer.global_step)
        super().on_train_batch_end(trainer, *rest)

    def say(self, trainer: Trainer, state: str) -> None:
        self.bar.update(self.task, state=state)

    def end(self, trainer: Trainer, state: str) -> None:
        self.say(trainer, state)
        self.bar.stop()

    def on_exception(self, *_: object) -> None:
        if hasattr(self, "bar"):
            self.bar.stop()
