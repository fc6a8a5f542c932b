from collections.abc import Callable, Mapping
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn


class ReportValidation(Callback):
    """Reports the figures of each validation while there are steps left that a stop would save."""

    def __init__(self, report: Callable[[int, Mapping[str, float]], None]) -> None:
        self.report = report  # step and figures; raises to end the training
        self.steps = 0

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        self.steps = trainer.global_step

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        steps = trainer.global_step
        if trainer.state.fn == TrainerFn.FITTING and steps < trainer.estimated_stepping_batches:
            self.report(steps, {key: float(n) for key, n in trainer.callback_metrics.items()})
