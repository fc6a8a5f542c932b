import math
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from heatmap_research.types import IncompatibleError


class Finite(Callback):
    """Ends a run whose loss is not finite. It looks at logged steps: others do not wait for it."""

    def __init__(self, every: int) -> None:
        self.every = every  # steps

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step % self.every:
            return
        if not math.isfinite(loss := float(outputs["loss"])):
            raise _lost(f"the loss is {loss}", trainer.global_step)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not all(bool(torch.isfinite(weight).all()) for weight in pl_module.parameters()):
            raise _lost("weights are not finite", trainer.global_step)


def _lost(what: str, step: int) -> IncompatibleError:
    return IncompatibleError(
        f"{what} after step {step}: choose a lower optimizer.lr, trainer.gradient_clip_val=1 or "
        "trainer.precision=32-true."
    )
