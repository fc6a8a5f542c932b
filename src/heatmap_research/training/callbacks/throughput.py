import time
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from heatmap_research.types import Sample


class Throughput(Callback):
    """Logs images a second on this device, over the steps since it was last logged."""

    def __init__(self, every: int) -> None:
        self.every = every  # steps

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.step = trainer.global_step
        self._begin()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin()  # its time is not training's

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Sample, *_: Any
    ) -> None:
        self.images += len(batch.image)
        if trainer.global_step % self.every == 0 and trainer.global_step > self.step:
            self.step = trainer.global_step  # which stays while gradients accumulate
            rate = self.images / (time.monotonic() - self.began)
            pl_module.log("train/images_per_second", rate)
            self._begin()

    def _begin(self) -> None:
        self.images, self.began = 0, time.monotonic()
