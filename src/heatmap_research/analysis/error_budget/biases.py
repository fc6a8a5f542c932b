"""Systematic errors: the mean by joint, and what the truth's place within a bin decides."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float64

from heatmap_research.analysis.error_budget.state import State

ENOUGH = 64  # points that a part of a bin is to have
LEAST = 8  # points; fewer say nothing of a mean
MOST = 16  # parts of a bin

Pairs = Float64[np.ndarray, "*any 2"]


@dataclass(frozen=True)
class JointBias:
    """Each joint's mean error, a vector in crop pixels."""

    name: ClassVar[str] = "joint_bias"

    def __call__(self, state: State) -> State:
        sound = state.frame.sound(state.fit.truth, state.fitted)
        means = by_joint(state.fitted, sound)
        return state.less(*(np.broadcast_to(means, e.shape) for e in (state.fitted, state.errors)))


@dataclass(frozen=True)
class PhaseBias:
    """The mean error of all joints as a function of the truth's phase, along x and along y.

    It knows the truth: from answers at whole bins it takes along the noise that these do not show,
    and leaves less than a better decoder would. A regression has the phase of a pixel.
    """

    name: ClassVar[str] = "phase_bias"

    def __call__(self, state: State) -> State:
        frame = state.frame
        sound = frame.sound(state.fit.truth, state.fitted)
        own, other = (frame.phase(stage.truth.points) for stage in (state.fit, state.read))
        law = fitted(own[sound], state.fitted[sound])
        return state.less(law(own), law(other))


@dataclass(frozen=True, eq=False)
class Pieces:
    """A line in each of so many equal parts of a bin.

    So the jumps of decoders that answer with whole bins, halves or quarters are met exactly.
    """

    level: Float64[np.ndarray, "part 2"]
    slope: Float64[np.ndarray, "part 2"]  # per bin

    def __call__(self, phase: Pairs) -> Pairs:
        part, from_middle = _placed(phase, len(self.level))
        axes = np.arange(2)
        return self.level[part, axes] + self.slope[part, axes] * from_middle


def by_joint(errors: np.ndarray, sound: np.ndarray) -> Float64[np.ndarray, "joint 2"]:
    count = sound.sum(0)[:, None]
    total = np.where(sound[..., None], errors, 0).sum(0)
    return np.where(count >= LEAST, total / np.maximum(count, 1), 0)


def fitted(phase: Float64[np.ndarray, "n 2"], errors: Float64[np.ndarray, "n 2"]) -> Pieces:
    """By least squares, in as many parts as there are points for."""
    parts = 1
    while parts < MOST and len(phase) >= 2 * parts * ENOUGH:
        parts *= 2
    lines = np.zeros((2, parts, 2))
    places, from_middles = _placed(phase, parts)
    for axis in (0, 1):
        for part in range(parts):
            there = places[:, axis] == part
            if there.sum() >= LEAST:
                lines[:, part, axis] = _line(from_middles[there, axis], errors[there, axis])
    return Pieces(*lines)


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    spread = x.var()
    slope = ((x - x.mean()) * y).mean() / spread if spread > 0 else 0.0
    return float(y.mean() - slope * x.mean()), float(slope)


def _placed(phase: Pairs, parts: int) -> tuple[np.ndarray, Pairs]:
    part = np.clip(np.floor((phase + 0.5) * parts).astype(int), 0, parts - 1)
    return part, phase + 0.5 - (part + 0.5) / parts
