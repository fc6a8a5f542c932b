"""How unsure a trained network is: the width of its posterior, joint by joint."""

import numpy as np
from jaxtyping import Float64

from heatmap_research.analysis.budget.biases import LEAST, JointBias, PhaseBias
from heatmap_research.analysis.budget.frame import Frame
from heatmap_research.analysis.budget.readings import Decoding
from heatmap_research.analysis.budget.stages import Stage
from heatmap_research.analysis.budget.state import start

NORMAL = 1.482602218505602  # standard deviations in a median absolute deviation


def uncertainty(frame: Frame, stage: Stage, flip: bool) -> Float64[np.ndarray, " joint"]:
    """Crop pixels along an axis: the robust spread of the best decoder's errors.

    Without gross errors, and after the biases by joint and by phase. It is the posterior's width if
    the network is as unsure as it should be; a joint with few points takes the spread of all.
    """
    any_reading = next(reading for reading in stage.found if reading[1] == flip)
    state = Decoding()(start(frame, stage, stage, any_reading))
    for bias in (JointBias(), PhaseBias()):
        state = bias(state)
    sound = frame.sound(stage.truth, state.errors)
    if not sound.any():
        raise ValueError("no joint is found near its truth: there is no spread to measure.")
    widths = [
        _spread(state.errors[sound[:, joint], joint] if many else state.errors[sound])
        for joint, many in enumerate(sound.sum(0) >= LEAST)
    ]
    return np.array(widths)


def _spread(errors: Float64[np.ndarray, "n 2"]) -> float:
    return NORMAL * float(np.median(np.abs(errors - np.median(errors, axis=0))))
