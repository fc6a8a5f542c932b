"""Joint by joint: what a run gets wrong, and how unsure its network is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from heatmap_research.analysis.error_budget import replacements
from heatmap_research.analysis.error_budget.stages import Stage
from heatmap_research.analysis.error_budget.state import Frame, State, start

DEVIATIONS_PER_MAD = 1.482602218505602  # of a normal variable's median absolute deviation


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """How wide a network's posterior is where it is near the truth, not how often it is lost."""

    widths: Float64[np.ndarray, " joint"]  # crop pixels along an axis; NaN if none is near
    pooled: Bool[np.ndarray, " joint"]  # whether too few points made it the width of all joints
    share: float  # of labelled joints, those it was measured on

    @property
    def is_of_few(self) -> bool:
        return self.share < 0.5


@dataclass(frozen=True, eq=False)
class Joints:
    """What each joint's errors are; NaN for one that is nowhere labelled."""

    count: Float64[np.ndarray, " joint"]
    mean_px: Float64[np.ndarray, " joint"]
    bias: Float64[np.ndarray, "joint 2"]  # crop pixels, without gross errors
    good: Float64[np.ndarray, " joint"]  # share
    uncertainty: Float64[np.ndarray, " joint"]  # crop pixels, without gross errors
    pooled: Bool[np.ndarray, " joint"]  # whose uncertainty is that of all joints


def uncertainty(frame: Frame, stage: Stage, flip: bool) -> Uncertainty:
    """Measures the robust spread of the best decoder's errors.

    Gross errors are left out, and the biases by joint and by phase are taken off. It is the
    posterior's width if the network is as unsure as it should be.
    """
    any_readout = next(readout for readout in stage.answers if readout[1] == flip)
    state = start(frame, stage, stage, any_readout)
    for kind in (replacements.Decoding, replacements.JointBias, replacements.PhaseBias):
        state = kind()(state)
    sound = frame.sound(stage.truth, state.errors)
    if not sound.any():
        none = np.zeros(sound.shape[1], dtype=bool)
        return Uncertainty(np.full(none.shape, np.nan), none, 0.0)
    pooled = sound.sum(0) < replacements.MIN_POINTS
    widths = [
        _robust_deviation(state.errors[sound] if few else state.errors[sound[:, joint], joint])
        for joint, few in enumerate(pooled)
    ]
    return Uncertainty(np.array(widths), pooled, float(sound.sum() / stage.truth.counted.sum()))


def sentences(measured: Uncertainty, names: Sequence[str]) -> Iterator[str]:
    """Widths by joint and what they rest on; then a warning where that is little."""
    near = f"{100 * measured.share:.0f} %"
    each = ", ".join(
        f"{name} {width:.2f}{'*' if few else ''}"
        for name, width, few in zip(names, measured.widths, measured.pooled, strict=True)
    )
    star = " (*: too few of its own, so of all joints)" if measured.pooled.any() else ""
    yield f"measured on the {near} of labelled joints that are no gross errors, px: {each}{star}."
    if measured.is_of_few:
        yield (
            f"Warning: {100 * (1 - measured.share):.0f} % of joints are gross errors, which that "
            "leaves out: it is how unsure the network is where it is not lost, and too low for "
            "the rest."
        )


def joints(states: Sequence[State], measured: Uncertainty) -> Joints:
    frame = states[0].frame
    counted = np.concatenate([s.read.truth.counted for s in states])
    sound = np.concatenate([frame.sound(s.read.truth, s.errors) for s in states])
    similarity = np.concatenate([frame.similarity(s.read.truth, s.errors) for s in states])
    errors = np.concatenate([s.errors for s in states])
    count = counted.sum(0).astype(float)
    known = np.where(count > 0, count, np.nan)
    lengths = np.hypot(*np.moveaxis(errors, -1, 0))
    return Joints(
        count=count,
        mean_px=np.where(counted, lengths, 0).sum(0) / known,
        bias=replacements.by_joint(errors, sound),
        good=(counted & (similarity >= frame.good)).sum(0) / known,
        uncertainty=measured.widths,
        pooled=measured.pooled,
    )


def _robust_deviation(errors: Float64[np.ndarray, "n 2"]) -> float:
    """The standard deviation along an axis, if errors are normal: few far ones do not raise it."""
    return DEVIATIONS_PER_MAD * float(np.median(np.abs(errors - np.median(errors, axis=0))))
