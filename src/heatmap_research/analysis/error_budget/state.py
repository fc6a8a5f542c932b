"""A run's errors with some of their causes put right."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from heatmap_research.analysis.error_budget.frame import Frame
from heatmap_research.analysis.error_budget.stages import Points, Reading, Stage


@dataclass(frozen=True, eq=False)
class State:
    """Whatever is chosen or fitted is so by one stage and read on another."""

    frame: Frame
    fit: Stage
    read: Stage
    reading: Reading
    fitted: Points  # errors of the stage that is fitted to
    errors: Points  # of the one that is read

    def less(self, fitted: Points, errors: Points) -> "State":
        return replace(self, fitted=self.fitted - fitted, errors=self.errors - errors)


@runtime_checkable
class Replacement(Protocol):
    @property
    def name(self) -> str: ...
    def __call__(self, state: State) -> State: ...


def start(frame: Frame, fit: Stage, read: Stage, reading: Reading) -> State:
    return State(frame, fit, read, reading, fit.errors(reading), read.errors(reading))


def mean_length(errors: Points, stage: Stage) -> float:
    return float(np.hypot(*errors[stage.truth.counted].T).mean())
