"""What a network unsure of the truth learns from rounded labels: their mean, which still has signs.

Bins throughout: `phase` is the truth less its nearest bin, `uncertainty` the posterior's standard
deviation about it, `sigma` the label's. A map is read by its highest bin and those beside it.
"""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from heatmap_research.analysis.theory.laws.normal import Numbers, below

Phases = Float[np.ndarray, " phase"]
Refine = Callable[[Phases, float, float], Phases]  # phase, uncertainty, sigma: an error


def amplitude(uncertainty: Numbers) -> Numbers:
    """Of the label's mean about the truth: the slowest wave of a sawtooth blurred by a Gaussian.

    DARK's is larger, the more so the narrower the label: for one of 2 bins by 1, 6, 20 % at an
    uncertainty of .1, .2, .3.
    """
    return np.exp(-2 * (math.pi * np.asarray(uncertainty)) ** 2) / math.pi


def label_bias(phase: Numbers, uncertainty: float, waves: int = 200) -> Numbers:
    """Mean rounded position less the truth: all waves of the sawtooth, not the slowest alone."""
    order = np.arange(1, waves + 1)
    heights = (-1.0) ** order * np.exp(-2 * (math.pi * order * uncertainty) ** 2) / order
    return np.sin(2 * math.pi * np.multiply.outer(phase, order)) @ heights / math.pi


def learnt(phase: Phases, uncertainty: float, sigma: float) -> Float[np.ndarray, "phase 3"]:
    """The mean label about the nearest bin; an uncertainty of 0 is a limit and not allowed."""
    reach = math.ceil(8 * uncertainty) + 1
    labels = np.arange(-reach, reach + 1)
    edges = np.arange(-reach, reach + 2) - 0.5
    chance = np.diff(below((edges - phase[:, None]) / uncertainty), axis=-1)
    return chance @ np.exp(-0.5 * ((np.arange(-1, 2) - labels[:, None]) / sigma) ** 2)


def dark_error(phase: Phases, uncertainty: float, sigma: float) -> Phases:
    before, here, after = np.log(learnt(phase, uncertainty, sigma)).T
    return (after - before) / 2 / (2 * here - before - after) - phase


def quarter_error(phase: Phases, uncertainty: float, sigma: float) -> Phases:
    """A quarter of a bin towards the higher neighbour, however little higher it is.

    That is the one on the truth's side at any width, also where no float tells them apart.
    """
    return np.sign(phase) / 4 - phase


def mean_distance(
    refine: Refine, uncertainty: float, sigma: float, stride: float, steps: int = 1000
) -> float:
    """Over truths anywhere in a square bin, in the unit of the stride: integrated over phases."""
    phase = (np.arange(steps) + 0.5) / steps - 0.5
    error = refine(phase, uncertainty, sigma)
    return stride * float(np.hypot.outer(error, error).mean())
