"""Errors against where the truth lies: within its bin, and how far from the crop's border."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from heatmap_research.analysis.error_budget.state import Frame, State


@dataclass(frozen=True, eq=False)
class Profile:
    """Errors over a place, as a row for each interval of it that holds points."""

    middle: Float64[np.ndarray, " interval"]  # mean place
    bias: Float64[np.ndarray, " interval"]  # mean error, with its sign if it has one
    deviation: Float64[np.ndarray, " interval"]  # standard error of the bias
    absolute: Float64[np.ndarray, " interval"]  # mean size of the error
    absolute_deviation: Float64[np.ndarray, " interval"]
    count: Float64[np.ndarray, " interval"]


def by_phase(states: Sequence[State], intervals: int = 16) -> dict[str, Profile]:
    """Errors along x and along y over the truth's phase; gross errors are left out."""
    pairs = [(s, s.frame.sound(s.read.truth, s.errors)) for s in states]
    phase = np.concatenate([s.frame.phase(s.read.truth.points)[sound] for s, sound in pairs])
    error = np.concatenate([s.errors[sound] for s, sound in pairs])
    edges = np.linspace(-0.5, 0.5, intervals + 1)
    return {name: profile(phase[:, a], error[:, a], edges) for a, name in enumerate(("x", "y"))}


def by_border(states: Sequence[State], intervals: int = 12) -> Profile:
    """Lengths of errors over the truth's distance to the border; intervals hold as many points."""
    points = np.concatenate([s.read.truth.points[s.read.truth.counted] for s in states])
    errors = np.concatenate([s.errors[s.read.truth.counted] for s in states])
    distance = to_border(points, states[0].frame)
    edges = np.unique(np.quantile(distance, np.linspace(0, 1, intervals + 1)))
    edges = edges if len(edges) > 1 else np.array([edges[0] - 0.5, edges[0] + 0.5])
    return profile(distance, np.hypot(*errors.T), edges)


def to_border(points: Float64[np.ndarray, "n 2"], frame: Frame) -> Float64[np.ndarray, " n"]:
    """The distance to the nearest border of the crop, in pixels; below 0 outside."""
    height, width = frame.image_size
    far = np.array([width, height]) - 0.5
    return np.minimum(points + 0.5, far - points).min(-1)


def profile(
    place: Float64[np.ndarray, " n"],
    error: Float64[np.ndarray, " n"],
    edges: Float64[np.ndarray, " edge"],
) -> Profile:
    part = np.clip(np.searchsorted(edges, place, side="right") - 1, 0, len(edges) - 2)
    counts = np.bincount(part)
    there = counts > 0
    count = counts[there].astype(float)
    middle, bias, square, size = (
        np.bincount(part, values)[there] / count for values in (place, error, error**2, abs(error))
    )
    deviations = [
        np.sqrt(np.maximum(square - mean**2, 0) / np.maximum(count - 1, 1)) for mean in (bias, size)
    ]
    return Profile(middle, bias, deviations[0], size, deviations[1], count)
