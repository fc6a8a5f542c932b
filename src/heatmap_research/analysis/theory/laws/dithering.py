"""What a network unsure of the truth learns from rounded labels: their mean, which still has signs.

All lengths are in bins: `phase` is the truth less its nearest bin, `uncertainty` the standard
deviation of the network's posterior, `sigma` the label's. A decoder reads the highest bin of the
map and the two beside it.
"""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy import special

Phases = Float[np.ndarray, " phase"]
Refine = Callable[[Phases, float, float], Phases]  # phase, uncertainty, sigma: an error


def learnt(phase: Phases, uncertainty: float, sigma: float) -> Float[np.ndarray, "phase 3"]:
    """The mean label at three bins about the nearest; `uncertainty` has to be above 0."""
    reach = math.ceil(8 * uncertainty) + 1
    labels = np.arange(-reach, reach + 1)
    edges = np.arange(-reach, reach + 2) - 0.5
    chance = np.diff(special.ndtr((edges - phase[:, None]) / uncertainty), axis=-1)
    return chance @ np.exp(-0.5 * ((np.arange(-1, 2) - labels[:, None]) / sigma) ** 2)


def dark_error(phase: Phases, uncertainty: float, sigma: float) -> Phases:
    """The error of a Taylor step on the logarithm of the three bins."""
    before, here, after = np.log(learnt(phase, uncertainty, sigma)).T
    return (after - before) / 2 / (2 * here - before - after) - phase


def quarter_error(phase: Phases, uncertainty: float, sigma: float) -> Phases:
    """The error of a quarter bin towards the higher neighbour, on the truth's side at any width."""
    return np.sign(phase) / 4 - phase


def mean_distance(
    refine: Refine, uncertainty: float, sigma: float, stride: float, steps: int = 1000
) -> float:
    """The mean over truths anywhere in a square bin, in the unit of the stride."""
    phase = (np.arange(steps) + 0.5) / steps - 0.5
    error = refine(phase, uncertainty, sigma)
    return stride * float(np.hypot.outer(error, error).mean())
