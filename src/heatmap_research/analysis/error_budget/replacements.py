"""Oracles that read the same maps better, or take a systematic error off what was read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float64

from heatmap_research.analysis.error_budget.stages import Readout
from heatmap_research.analysis.error_budget.state import State, start

POINTS_FOR_A_PART = 64  # a bin is cut into more parts only where each would have these
MIN_POINTS = 8  # fewer say nothing of a mean
MAX_PARTS = 16  # of a bin

Pairs = Float64[np.ndarray, "*any 2"]
Lines = Float64[np.ndarray, "2 part 2"]  # level and slope per bin, in each part along x and y


@dataclass(frozen=True)
class Decoding:
    """Chooses the decoder with the least mean error; the run's own where it is that."""

    name: ClassVar[str] = "decoding"

    def __call__(self, state: State) -> State:
        return _best(state, [(decoder, state.readout[1]) for decoder in state.fit.decoders])


@dataclass(frozen=True)
class Flip:
    """Reads with a flip test or without it, whichever has the lower mean error."""

    name: ClassVar[str] = "flip"

    def __call__(self, state: State) -> State:
        return _best(state, [(state.readout[0], flip) for flip in (False, True)])


@dataclass(frozen=True)
class JointBias:
    """Takes off each joint's mean error, a vector in crop pixels."""

    name: ClassVar[str] = "joint_bias"

    def __call__(self, state: State) -> State:
        sound = state.frame.sound(state.fit.truth, state.fitted)
        means = by_joint(state.fitted, sound)
        return state.less(*(np.broadcast_to(means, e.shape) for e in (state.fitted, state.errors)))


@dataclass(frozen=True)
class PhaseBias:
    """Takes off the mean error of all joints as a function of the truth's phase along x and y.

    It knows the truth. From answers at whole bins it takes along the noise that these do not show,
    and so leaves less than a better decoder would. A regression has the phase of a pixel.
    """

    name: ClassVar[str] = "phase_bias"

    def __call__(self, state: State) -> State:
        sound = state.frame.sound(state.fit.truth, state.fitted)
        own, other = (state.frame.phase(stage.truth.points) for stage in (state.fit, state.read))
        lines = _fitted(own[sound], state.fitted[sound])
        return state.less(_along(lines, own), _along(lines, other))


def by_joint(errors: np.ndarray, sound: np.ndarray) -> Float64[np.ndarray, "joint 2"]:
    """Each joint's mean error over its sound points; 0 where these are too few."""
    count = sound.sum(0)[:, None]
    total = np.where(sound[..., None], errors, 0).sum(0)
    return np.where(count >= MIN_POINTS, total / np.maximum(count, 1), 0)


def _fitted(phase: Float64[np.ndarray, "n 2"], errors: Float64[np.ndarray, "n 2"]) -> Lines:
    """Fits lines by least squares, in as many equal parts of a bin as there are points for."""
    parts = 1
    while parts < MAX_PARTS and len(phase) >= 2 * parts * POINTS_FOR_A_PART:
        parts *= 2  # decoders jump at whole bins, halves or quarters: each is met exactly
    lines = np.zeros((2, parts, 2))
    places, from_middles = _placed(phase, parts)
    for axis in (0, 1):
        for part in range(parts):
            there = places[:, axis] == part
            if there.sum() >= MIN_POINTS:
                lines[:, part, axis] = _line(from_middles[there, axis], errors[there, axis])
    return lines


def _along(lines: Lines, phase: Pairs) -> Pairs:
    part, from_middle = _placed(phase, lines.shape[1])
    level, slope = lines[:, part, np.arange(2)]
    return level + slope * from_middle


def _best(state: State, readouts: Sequence[Readout]) -> State:
    """Keeps the run's own readout where another is only as good."""
    able = [each for each in readouts if each in state.fit.answers and each in state.read.answers]
    best = min([state.readout, *able], key=state.fit.mean_px)
    return start(state.frame, state.fit, state.read, best)


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The line's level at 0 and its slope."""
    variance = x.var()
    slope = ((x - x.mean()) * y).mean() / variance if variance > 0 else 0.0
    return float(y.mean() - slope * x.mean()), float(slope)


def _placed(phase: Pairs, parts: int) -> tuple[np.ndarray, Pairs]:
    """The part of a bin that each phase is in, and how far it is from the part's middle."""
    part = np.clip(np.floor((phase + 0.5) * parts).astype(int), 0, parts - 1)
    return part, phase + 0.5 - (part + 0.5) / parts
