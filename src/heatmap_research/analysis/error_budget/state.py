"""A run's errors with some of their causes put right, and what oracles know of its codec."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64

from heatmap_research.analysis.error_budget.stages import Points, Readout, Stage, StageTruth

Similarity = Float64[np.ndarray, "person joint"]
Pairs = Float64[np.ndarray, "*any 2"]
Lines = Sequence[tuple[float, float]]  # of y and x: the pixel bin 0 sits on, pixels per bin


@dataclass(frozen=True)
class Frame:
    """What oracles know of a codec and of the joints it is for."""

    image_size: tuple[int, int]  # height, width
    lines: Lines
    tolerances: tuple[float, ...]  # OKS sigmas
    flip: tuple[int, ...]  # joint i of a mirrored person is joint flip[i]
    good: float  # a joint this similar to its truth is no gross error
    near: float  # one this similar to a point is at that point
    cell: str = "bin"  # what a phase is within; a pixel where there are no bins

    @property
    def spacing(self) -> tuple[float, float]:
        """Crop pixels per bin along x and y."""
        (_, down), (_, across) = self.lines
        return across, down

    def phase(self, points: Pairs) -> Pairs:
        return phase(points, self.lines)

    def similarity(self, truth: StageTruth, errors: Points) -> Similarity:
        """OKS of one joint: 1 at no distance, exp(-1/2) at twice its tolerance times the scale."""
        source = (errors * truth.unit[:, None]) / (self.reach * truth.scale[:, None, None])
        return np.exp(-0.5 * (source**2).sum(-1))

    @property
    def reach(self) -> Float64[np.ndarray, "joint 1"]:
        """The distance at which similarity is exp(-1/2), as a share of a person's scale."""
        return 2 * np.array(self.tolerances)[:, None]

    def sound(self, truth: StageTruth, errors: Points) -> Bool[np.ndarray, "person joint"]:
        """Which joints show systematic errors: those labelled and near their truth."""
        return truth.counted & (self.similarity(truth, errors) >= self.near)


@dataclass(frozen=True, eq=False)
class State:
    """Whatever is chosen or fitted is so by one stage and read on another."""

    frame: Frame
    fit: Stage
    read: Stage
    readout: Readout
    fitted: Points  # errors of the stage that is fitted to
    errors: Points  # errors of the stage that is read

    def less(self, fitted: Points, errors: Points) -> "State":
        return replace(self, fitted=self.fitted - fitted, errors=self.errors - errors)


@runtime_checkable
class Replacement(Protocol):
    """An oracle that puts one cause right; `name` is that of the part it takes off the error."""

    @property
    def name(self) -> str: ...
    def __call__(self, state: State) -> State: ...


def phase(points: Pairs, lines: Lines) -> Pairs:
    """The place of points in their cells along x and y, from -1/2 to 1/2; 0 is the middle."""
    (top, down), (left, across) = lines
    bins = (points - np.array([left, top])) / np.array([across, down])
    return bins - np.floor(bins + 0.5)


def start(frame: Frame, fit: Stage, read: Stage, readout: Readout) -> State:
    """The state before any cause is put right."""
    return State(frame, fit, read, readout, fit.errors(readout), read.errors(readout))
