"""Means over maps that end, and over softmaxes that never reach zero; lengths are in bins."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from heatmap_research.analysis.theory.law_curves import LawCurve
from heatmap_research.analysis.theory.laws import expectation
from heatmap_research.codec import heatmaps


def border(widths: Sequence[float], bins: int) -> list[LawCurve]:
    """The mean's bias over the truth's distance from the map's edge, both in sigmas."""
    curves = []
    for width in widths:
        truth = np.linspace(0, 4 * width, 30) - 0.5
        label = heatmaps.gaussian(torch.as_tensor(truth)[:, None, None], (width,), (bins,))
        mean = heatmaps.expectation(heatmaps.normalise(label))[:, 0, 0].numpy()
        law = np.asarray(expectation.border_bias(truth, width, bins)) / width
        name = f"{width:g} bin{'s' * (width != 1)}"
        curves.append(LawCurve(name, (truth + 0.5) / width, (mean - truth) / width, law))
    return curves


def background(logits: Sequence[float], sigma: float, shape: tuple[int, ...]) -> list[LawCurve]:
    """The error of the mean of softmax(logit x Gaussian) along a map's last axis."""
    size = shape[-1]
    truth = np.full((40, len(shape)), [axis / 2 - 0.5 for axis in shape])
    truth[:, -1] = np.linspace(4 * sigma, size - 1 - 4 * sigma, 40)
    places = torch.as_tensor(truth)[:, None]
    label = heatmaps.gaussian(places, (sigma,) * len(shape), shape)
    curves = []
    for logit in logits:
        mean = heatmaps.expectation(heatmaps.activate(logit * label, "softmax"))[:, 0].numpy()
        law = expectation.softmax_bias(truth, logit, sigma, shape)
        error = mean[:, -1] - truth[:, -1]
        curves.append(LawCurve(f"peak {logit:g}", truth[:, -1], error, law[:, -1]))
    return curves


def worst(
    logits: Sequence[float], sigma: float, shapes: Mapping[str, tuple[int, ...]]
) -> list[LawCurve]:
    """The largest error that `background` has anywhere on a map, over the height of the peak."""
    curves = []
    for name, shape in shapes.items():
        errors = [background([logit], sigma, shape)[0] for logit in logits]
        measured = [np.abs(error.measured).max() for error in errors]
        law = [np.abs(error.law).max() for error in errors if error.law is not None]
        curves.append(LawCurve(name, np.array(logits, float), np.array(measured), np.array(law)))
    return curves
