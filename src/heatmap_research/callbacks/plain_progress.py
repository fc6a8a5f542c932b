"""Progress in lines, for logs and pipes, where a moving bar would be noise."""

import logging
import time
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar

log = logging.getLogger(__name__)


class PlainProgress(ProgressBar):
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def disable(self) -> None:
        self.seconds = float("inf")

    def enable(self) -> None: ...

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.began = self.last = time.monotonic()
        self.first_step = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.monotonic()
        if now - self.last >= self.seconds and trainer.is_global_zero:
            self.last = now
            log.info(self._line(trainer, outputs["loss"], now - self.began))

    def _line(self, trainer: Trainer, loss: torch.Tensor, seconds: float) -> str:
        steps, done = trainer.estimated_stepping_batches, trainer.global_step
        rate = (done - self.first_step) / seconds
        left = f"{(steps - done) / rate:.0f} s left" if rate else ""
        return f"  step {done}/{steps}  loss {float(loss):.4f}  {rate:.1f} steps/s  {left}"
