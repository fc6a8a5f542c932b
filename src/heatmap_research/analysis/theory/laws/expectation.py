"""How far a mean over a map, or the top of a parabola, is from the truth. Bins throughout."""

import math

import numpy as np
from jaxtyping import Float

from heatmap_research.analysis.theory.laws.normal import Numbers, below, density


def cut_bias(position: Numbers, sigma: Numbers, low: Numbers, high: Numbers) -> Numbers:
    """Mean of a Gaussian of which only what lies from low to high is left, less its middle."""
    start, end = (low - position) / sigma, (high - position) / sigma
    return sigma * (density(start) - density(end)) / (below(end) - below(start))


def border_bias(position: Numbers, sigma: Numbers, size: int) -> Numbers:
    """Of an expectation over a map that ends half a bin beyond its outer bins: .798 sigma there."""
    return cut_bias(position, sigma, -0.5, size - 0.5)


def window_bias(phase: Numbers, sigma: Numbers, radius: int) -> Numbers:
    """Of an expectation over so many bins on either side of the bin nearest to the truth."""
    return cut_bias(phase, sigma, -radius - 0.5, radius + 0.5)


def peak_mass(logit: float, sigma: float, axes: int) -> float:
    """Sum of exp(logit x Gaussian) - 1 over all bins, as an integral.

    In two dimensions 2 pi sigma^2 (Ei(logit) - log(logit) - Euler's constant).
    """
    return float(_powers(logit, sigma, axes)[0].sum())


def background_share(logit: float, sigma: float, shape: tuple[int, ...]) -> float:
    """Of a softmax's mass, what lies evenly over the map because every bin adds exp(0) = 1."""
    bins = math.prod(shape)
    return bins / (bins + peak_mass(logit, sigma, len(shape)))


def background_bias(
    position: Float[np.ndarray, "... axis"], logit: float, sigma: float, shape: tuple[int, ...]
) -> Float[np.ndarray, "... axis"]:
    """Of a soft-argmax, towards the middle of the map."""
    return background_share(logit, sigma, shape) * (_middle(shape) - position)


def softmax_bias(
    position: Float[np.ndarray, "... axis"], logit: float, sigma: float, shape: tuple[int, ...]
) -> Float[np.ndarray, "... axis"]:
    """Background and aliasing, both of every power of the Gaussian that the exponential is made of.

    Powers narrower than the peak's top alias more than it does: at a logit of 10, twice as much.
    """
    masses, widths = _powers(logit, sigma, len(shape))
    total = math.prod(shape) + masses.sum()
    phase = 2 * math.pi * position
    pull = -masses @ aliasing_amplitude(widths) / total * np.sin(phase)
    uneven = 2 * masses @ np.exp(-2 * np.square(math.pi * widths)) / total
    total_by_phase = 1 + uneven * np.cos(phase).sum(-1, keepdims=True)
    return background_bias(position, logit, sigma, shape) / total_by_phase + pull


def debiased(
    mean: Float[np.ndarray, "... axis"], total: Numbers, shape: tuple[int, ...]
) -> Float[np.ndarray, "... axis"]:
    """The position behind a soft-argmax, from its sum of exponentials (Gu et al., 2021)."""
    bins = math.prod(shape)
    total = np.asarray(total)[..., None]
    return (total * mean - bins * _middle(shape)) / (total - bins)


def sharp_width(sigma: Numbers, logit: Numbers) -> Numbers:
    """Sigma of softmax(logit x Gaussian) near its top; its flanks fall more steeply further out."""
    return sigma / np.sqrt(logit)


def aliasing_bias(phase: Numbers, width: Numbers) -> Numbers:
    """Of an expectation over a peak so narrow that bins sample it coarsely; from .4 bins on."""
    return -aliasing_amplitude(width) * np.sin(2 * math.pi * np.asarray(phase))


def aliasing_amplitude(width: Numbers) -> Numbers:
    return 4 * math.pi * np.square(width) * np.exp(-2 * np.square(math.pi * np.asarray(width)))


def blurred_dark_error(
    position: Float[np.ndarray, " place"],
    sigma: float,
    taps: Float[np.ndarray, " tap"],
    spread: int,  # bins a side that second differences span: 1, or 2 as published
) -> Float[np.ndarray, " place"]:
    """Of a Taylor step on the log of a Gaussian blurred by a kernel; summed, as no closed form is.

    From the bin nearest to the truth, in a map with nothing before bin 0: a kernel that reaches
    beyond pulls the step inwards. Without a blur the step is exact.
    """
    reach = len(taps) // 2
    centre = np.floor(position + 0.5)
    bins = centre[:, None, None] + np.arange(-2, 3)[:, None] + np.arange(-reach, reach + 1)
    label = np.exp(-0.5 * ((bins - position[:, None, None]) / sigma) ** 2) * (bins >= 0)
    log = np.log(label @ taps)  # (place, 5)
    curve = (log[:, 2 + spread] - 2 * log[:, 2] + log[:, 2 - spread]) / spread**2
    return centre - (log[:, 3] - log[:, 1]) / 2 / curve - position


def laplace_dark_error(phase: Numbers) -> Numbers:
    """Of a Taylor step on a Laplace label, whatever its width: straight flanks on a log scale."""
    return phase / (2 * (1 - np.abs(phase))) - phase


def softened_dark_error(phase: Numbers, sigma: float) -> Numbers:
    """Of a Taylor step on softmax(beta x Gaussian), whatever beta: a Gaussian is no parabola."""
    near = math.exp(-0.5 / sigma**2)
    step = near * np.sinh(phase / sigma**2) / (2 * (1 - near * np.cosh(phase / sigma**2)))
    return step - phase


def _powers(
    logit: float, sigma: float, axes: int
) -> tuple[Float[np.ndarray, " power"], Float[np.ndarray, " power"]]:
    """Masses and widths of the Gaussians that exp(logit x Gaussian) - 1 is the sum of."""
    orders = np.arange(1.0, 60 + 3 * math.ceil(logit))
    widths = sigma / np.sqrt(orders)
    log = orders * math.log(logit) - [math.lgamma(order + 1) for order in orders]
    return np.exp(log) * (2 * math.pi * widths**2) ** (axes / 2), widths


def _middle(shape: tuple[int, ...]) -> Float[np.ndarray, " axis"]:
    return (np.array(shape) - 1.0) / 2
