import math
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from heatmap_research.types import IncompatibleError


class Finite(Callback):
    """Ends a run whose loss is lost, at the steps that are logged: elsewhere a look would wait."""

    def __init__(self, every: int) -> None:
        self.every = every  # steps

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step % self.every:
            return
        if not math.isfinite(loss := float(outputs["loss"])):
            raise IncompatibleError(
                f"the loss is {loss} after step {trainer.global_step}: choose a lower optimizer.lr,"
                " trainer.gradient_clip_val=1 or trainer.precision=32-true."
            )
