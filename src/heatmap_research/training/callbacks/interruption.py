"""Ctrl-C and SIGTERM end a training after its step, with a checkpoint that loses nothing."""

import logging
import math
import signal
from pathlib import Path
from types import FrameType
from typing import Any

from pytorch_lightning import Callback, Trainer
from pytorch_lightning.trainer.states import TrainerFn

log = logging.getLogger(__name__)


class InterruptedRunError(Exception):
    """Training was asked to stop and has been saved."""


class Interruption(Callback):
    """Turns the two signals into a stop: of a training after its step, of an evaluation at once.

    Lightning puts handlers of its own in place before each hook that listens here, and after all is
    done it puts back those it found.
    """

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self.asked: set[int] = set()  # numbers of the signals that have come

    def on_train_start(self, *_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def on_validation_start(self, trainer: Trainer, *_: object) -> None:
        if trainer.state.fn == TrainerFn.FITTING:  # which stops when this validation is done
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        if self.asked:  # while the training was ending
            raise KeyboardInterrupt

    on_test_start = on_validation_start  # type: ignore[assignment]

    def on_train_batch_end(self, trainer: Trainer, *rest: Any) -> None:
        *_, batch_idx = rest
        if trainer.fit_loop._should_accumulate():  # half a gradient cannot be saved
            return
        due = trainer.val_check_batch or math.inf
        if due > 1 and (batch_idx + 1) % due == 0:  # nor a validation yet to come
            return
        self._stop_if_asked(trainer, row_due=True)

    def on_train_end(self, trainer: Trainer, *_: object) -> None:
        self._stop_if_asked(trainer)

    def _stop_if_asked(self, trainer: Trainer, row_due: bool = False) -> None:
        """Stops all processes of a training at the same step, whichever of them was asked."""
        if trainer.strategy.reduce_boolean_decision(bool(self.asked), all=False):
            if row_due:  # of metrics.csv, which Lightning adds after all callbacks of a step
                trainer._logger_connector.on_batch_end()
                trainer._logger_connector.update_train_step_metrics()
            trainer.save_checkpoint(self.checkpoint)
            raise InterruptedRunError(f"stopped after step {trainer.global_step}")

    def _ask(self, number: int, frame: FrameType | None) -> None:
        """Asks for a stop after this step; asked a second time by the same signal, stops at once.

        A scheduler's SIGTERM may come to a process that is also told by the one that started it.
        """
        if number in self.asked:
            raise KeyboardInterrupt
        self.asked.add(number)
        log.warning("stopping after this step, saved; once more to stop at once")
