"""How unsure a trained network is: the width of its posterior, joint by joint."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from heatmap_research.analysis.error_budget.biases import LEAST, JointBias, PhaseBias
from heatmap_research.analysis.error_budget.frame import Frame
from heatmap_research.analysis.error_budget.readings import Decoding
from heatmap_research.analysis.error_budget.stages import Stage
from heatmap_research.analysis.error_budget.state import start

NORMAL = 1.482602218505602  # standard deviations in a median absolute deviation


@dataclass(frozen=True, eq=False)
class Spread:
    """Of nothing but points near their truth: how often a network is lost it does not say."""

    widths: Float64[np.ndarray, " joint"]  # crop pixels along an axis
    pooled: Bool[np.ndarray, " joint"]  # too few points of its own: the spread of all
    share: float  # of labelled joints, those it was measured on

    @property
    def of_few(self) -> bool:
        return self.share < 0.5


def unknown(joints: int) -> Spread:
    return Spread(np.full(joints, np.nan), np.zeros(joints, dtype=bool), 0.0)


def uncertainty(frame: Frame, stage: Stage, flip: bool) -> Spread:
    """The robust spread of the best decoder's errors.

    Without gross errors, and after the biases by joint and by phase. It is the posterior's width if
    the network is as unsure as it should be.
    """
    any_reading = next(reading for reading in stage.found if reading[1] == flip)
    state = Decoding()(start(frame, stage, stage, any_reading))
    for bias in (JointBias(), PhaseBias()):
        state = bias(state)
    sound = frame.sound(stage.truth, state.errors)
    if not sound.any():
        raise ValueError("no joint is found near its truth: there is no spread to measure.")
    pooled = sound.sum(0) < LEAST
    widths = [
        _spread(state.errors[sound] if few else state.errors[sound[:, joint], joint])
        for joint, few in enumerate(pooled)
    ]
    return Spread(np.array(widths), pooled, float(sound.sum() / stage.truth.counted.sum()))


def words(spread: Spread, names: Sequence[str]) -> Iterator[str]:
    """Widths by joint and what they rest on."""
    near = f"{100 * spread.share:.0f} %"
    each = ", ".join(
        f"{name} {width:.2f}{'*' if few else ''}"
        for name, width, few in zip(names, spread.widths, spread.pooled, strict=True)
    )
    star = " (*: too few of its own, so of all joints)" if spread.pooled.any() else ""
    yield f"measured on the {near} of labelled joints that are no gross errors, px: {each}{star}."
    if spread.of_few:
        yield (
            f"Warning: {100 * (1 - spread.share):.0f} % of joints are gross errors, which that "
            "leaves out: it is how unsure the network is where it is not lost, and too low for "
            "the rest."
        )


def _spread(errors: Float64[np.ndarray, "n 2"]) -> float:
    return NORMAL * float(np.median(np.abs(errors - np.median(errors, axis=0))))
