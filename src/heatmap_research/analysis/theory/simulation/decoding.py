"""Decoders on exact labels, and means over maps that end or never reach zero.

All is in double precision. Lengths are in bins, unless said otherwise.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from heatmap_research.analysis.theory.law_curves import LawCurve, Points, law_curve
from heatmap_research.analysis.theory.laws import expectation
from heatmap_research.codec import gaussians, heatmaps
from heatmap_research.codec.protocols import Decoder
from heatmap_research.types import Heatmap

STEPS: Mapping[str, Callable[[Points], Points]] = {  # decoder -> error by the place in a bin
    "argmax": lambda phase: -phase,
    "quarter_offset": lambda phase: np.sign(phase) / 4 - phase,
    "dark": np.zeros_like,
}


def staircase(
    decoders: Mapping[str, Decoder], sigma: float, stride: float, bins: int
) -> list[LawCurve]:
    """Decoded over true position, in input pixels from the middle of bin 0; so too `sigma`."""
    truth = np.linspace(2, bins - 3, 20 * (bins - 5) + 1)[:-1] + 0.025  # never between two bins
    phase = truth - np.floor(truth + 0.5)
    curves = []
    for name, decoder in decoders.items():
        measured = decoded(decoder, truth, sigma / stride, bins, stride)
        law = stride * (truth + STEPS[name](phase))
        curves.append(LawCurve(name, stride * truth, stride * measured, law))
    return curves


def by_width(
    decoders: Mapping[str, Decoder], sigma: float, widths: Sequence[float], reach: float
) -> list[LawCurve]:
    """Mean distance in bins over truths anywhere in a square bin, against the label's width.

    `widths` are in bins; decoders were made for `sigma` input pixels and windows of `reach` sigmas.
    """
    phase = (np.arange(200) + 0.5) / 200 - 0.5
    laws = {name: [step(phase)] * len(widths) for name, step in STEPS.items()}
    laws["soft_argmax"] = [expectation.aliasing_bias(phase, w) for w in widths]
    laws["local_soft_argmax"] = [_in_window(phase, width, reach) for width in widths]
    middle = 32  # of 65 bins: so far from any border that nothing is cut off
    curves = []
    for name, decoder in decoders.items():
        pairs = [(width, sigma / width) for width in widths]
        off = [decoded(decoder, middle + phase, w, 65, s) - middle - phase for w, s in pairs]
        measured, law = (
            [float(np.hypot.outer(e, e).mean()) for e in errors] for errors in (off, laws[name])
        )
        curves.append(law_curve(name, widths, measured, law))
    return curves


def decoded(decoder: Decoder, truth: Points, width: float, bins: int, stride: float) -> Points:
    """Positions that a decoder finds in labels of this width, whose bins sum to one."""
    return decoder(_labels(truth, width, bins), stride)[:, 0, 0].numpy()


def border(widths: Sequence[float], bins: int) -> list[LawCurve]:
    """The mean's bias over the truth's distance from the map's edge, both in sigmas."""
    curves = []
    for width in widths:
        truth = np.linspace(0, 4 * width, 30) - 0.5
        mean = heatmaps.expectation(_labels(truth, width, bins))[:, 0, 0].numpy()
        law = np.asarray(expectation.border_bias(truth, width, bins)) / width
        name = f"{width:g} bin{'s' * (width != 1)}"
        curves.append(law_curve(name, (truth + 0.5) / width, (mean - truth) / width, law))
    return curves


def background(logits: Sequence[float], sigma: float, shape: tuple[int, ...]) -> list[LawCurve]:
    """The error of the mean of softmax(logit x Gaussian) along a map's last axis."""
    truth = np.full((40, len(shape)), [axis / 2 - 0.5 for axis in shape])
    truth[:, -1] = np.linspace(4 * sigma, shape[-1] - 1 - 4 * sigma, 40)
    label = gaussians.gaussian(torch.as_tensor(truth)[:, None], (sigma,) * len(shape), shape)
    curves = []
    for logit in logits:
        mean = heatmaps.expectation(heatmaps.activate(logit * label, "softmax"))[:, 0].numpy()
        law = expectation.softmax_bias(truth, logit, sigma, shape)
        error = mean[:, -1] - truth[:, -1]
        curves.append(LawCurve(f"peak {logit:g}", truth[:, -1], error, law[:, -1]))
    return curves


def worst_background(
    logits: Sequence[float], sigma: float, shapes: Mapping[str, tuple[int, ...]]
) -> list[LawCurve]:
    """The largest error that a background makes anywhere on a map, over the peak's height."""
    curves = []
    for name, shape in shapes.items():
        errors = background(logits, sigma, shape)
        measured = [np.abs(error.measured).max() for error in errors]
        law = [np.abs(error.law).max() for error in errors if error.law is not None]
        curves.append(law_curve(name, logits, measured, law))
    return curves


def _labels(truth: Points, width: float, bins: int) -> Heatmap:
    """A Gaussian of this width about each true position; its bins sum to one."""
    places = torch.as_tensor(truth)[:, None, None]
    return heatmaps.normalise(gaussians.gaussian(places, (width,), (bins,)))


def _in_window(phase: Points, width: float, reach: float) -> Points:
    """The bias of a mean within a window, which cuts some off; no law below a width of one bin."""
    if width < 1:
        return np.full_like(phase, np.nan)
    radius = max(1, int(np.ceil(reach * width - 1e-6)))
    return np.asarray(expectation.window_bias(phase, width, radius))
