"""Ctrl-C and SIGTERM end a training after its step, with a checkpoint that loses nothing."""

import logging
import math
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from pytorch_lightning import Callback, Trainer

log = logging.getLogger(__name__)


class InterruptedRunError(Exception):
    """Training was asked to stop and has been saved."""


class Interruption(Callback):
    """Turns the two signals into a stop after the step that is being taken."""

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self.asked = False
        self.before: dict[int, Callable[..., Any] | int | None] = {}

    def on_fit_start(self, *_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self.before[number] = signal.signal(number, self._ask)

    def teardown(self, *_: object, **__: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.before = {}

    on_exception = teardown  # the next job of a sweep is not this one's to stop

    def on_train_batch_end(self, trainer: Trainer, *rest: Any) -> None:
        *_, batch_idx = rest
        if trainer.fit_loop._should_accumulate():  # half a gradient cannot be saved
            return
        due = trainer.val_check_batch or math.inf
        if due > 1 and (batch_idx + 1) % due == 0:  # nor a validation yet to come
            return
        if trainer.strategy.reduce_boolean_decision(self.asked, all=False):
            trainer.save_checkpoint(self.checkpoint)
            raise InterruptedRunError(f"stopped after step {trainer.global_step}")

    def _ask(self, number: int, frame: FrameType | None) -> None:
        """Asks for a stop after this step; asked a second time, stops at once."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        log.warning("stopping after this step, saved; once more to stop at once")
