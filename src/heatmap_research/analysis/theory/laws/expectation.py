"""How far the mean position of a map is from the truth; all lengths are in bins."""

import math

import numpy as np
from jaxtyping import Float
from scipy import special, stats

from heatmap_research.analysis.theory.laws import Numbers


def cut_bias(position: Numbers, sigma: Numbers, low: Numbers, high: Numbers) -> Numbers:
    """The mean of a Gaussian cut off at `low` and `high`, less the middle of the whole one."""
    start, end = (low - position) / sigma, (high - position) / sigma
    inside = special.ndtr(end) - special.ndtr(start)
    return sigma * (stats.norm.pdf(start) - stats.norm.pdf(end)) / inside


def border_bias(position: Numbers, sigma: Numbers, size: int) -> Numbers:
    """The bias of a map that ends half a bin beyond its outer bins: .798 sigma at its end."""
    return cut_bias(position, sigma, -0.5, size - 0.5)


def window_bias(phase: Numbers, sigma: Numbers, radius: int) -> Numbers:
    """The bias of a mean over `radius` bins on either side of the bin nearest to the truth."""
    return cut_bias(phase, sigma, -radius - 0.5, radius + 0.5)


def peak_mass(logit: float, sigma: float, axes: int) -> float:
    """The sum of exp(logit x Gaussian) - 1 over all bins, as an integral.

    In two dimensions it is 2 pi sigma² (Ei(logit) - log(logit) - Euler's constant).
    """
    return float(_powers(logit, sigma, axes)[0].sum())


def background_share(logit: float, sigma: float, shape: tuple[int, ...]) -> float:
    """The share of a softmax's mass that lies evenly over the map, as every bin adds exp(0) = 1."""
    bins = math.prod(shape)
    return bins / (bins + peak_mass(logit, sigma, len(shape)))


def background_bias(
    position: Float[np.ndarray, "... axis"], logit: float, sigma: float, shape: tuple[int, ...]
) -> Float[np.ndarray, "... axis"]:
    """The part of a soft-argmax's bias that the background makes: towards the map's middle."""
    middle = (np.array(shape) - 1.0) / 2
    return background_share(logit, sigma, shape) * (middle - position)


def softmax_bias(
    position: Float[np.ndarray, "... axis"], logit: float, sigma: float, shape: tuple[int, ...]
) -> Float[np.ndarray, "... axis"]:
    """A soft-argmax's bias from background and aliasing.

    An exponential of a Gaussian is a sum of the Gaussian's powers. They are narrower than the
    peak's top and alias more: twice as much at a logit of 10.
    """
    masses, widths = _powers(logit, sigma, len(shape))
    total = math.prod(shape) + masses.sum()
    phase = 2 * math.pi * position
    pull = -masses @ aliasing_amplitude(widths) / total * np.sin(phase)
    uneven = 2 * masses @ np.exp(-2 * np.square(math.pi * widths)) / total
    total_by_phase = 1 + uneven * np.cos(phase).sum(-1, keepdims=True)
    return background_bias(position, logit, sigma, shape) / total_by_phase + pull


def aliasing_bias(phase: Numbers, width: Numbers) -> Numbers:
    """The bias of a mean over a peak that bins sample coarsely; holds from widths of .4 bins on."""
    return -aliasing_amplitude(width) * np.sin(2 * math.pi * np.asarray(phase))


def aliasing_amplitude(width: Numbers) -> Numbers:
    """The largest bias of a mean over a peak of this width, which it has at a quarter of a bin."""
    return 4 * math.pi * np.square(width) * np.exp(-2 * np.square(math.pi * np.asarray(width)))


def _powers(
    logit: float, sigma: float, axes: int
) -> tuple[Float[np.ndarray, " power"], Float[np.ndarray, " power"]]:
    """Masses and widths of the Gaussians that exp(logit x Gaussian) - 1 is the sum of."""
    orders = np.arange(1.0, 60 + 3 * math.ceil(logit))
    widths = sigma / np.sqrt(orders)
    log = orders * math.log(logit) - special.gammaln(orders + 1)
    return np.exp(log) * (2 * math.pi * widths**2) ** (axes / 2), widths
