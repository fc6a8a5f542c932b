"""A contrast read from runs: its estimate, its interval, and what they say."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from jaxtyping import Float

from heatmap_research.analysis.comparison.contrast.factors import BEST, Factors, Place
from heatmap_research.analysis.comparison.contrast.protocols import Contrast
from heatmap_research.analysis.comparison.statistics import bootstrap, two_way
from heatmap_research.analysis.comparison.statistics.interval import BOTH, Interval
from heatmap_research.analysis.comparison.statistics.two_way import MeanSquares
from heatmap_research.analysis.comparison.verdict import tables
from heatmap_research.analysis.comparison.verdict.comparing import METHOD_OF_AP
from heatmap_research.analysis.comparison.verdict.reading import Reading
from heatmap_research.analysis.comparison.verdict.settings import Group, seeds_of

Cells = Float[np.ndarray, "cell seed image"]


@dataclass(frozen=True)
class Estimate:
    interval: Interval
    squares: MeanSquares
    seeds: tuple[int, ...]
    images: int
    groups: tuple[tuple[Group, str], ...]  # that count, with the decoder of each


def estimate(
    contrast: Contrast, factors: Factors, reading: Reading, level: float, per_image: bool
) -> Estimate:
    rows = contrast.rows(factors)
    places = [tuple(place) for place in np.argwhere((rows != 0).any(0)).tolist()]
    cells = [_read_by(factors, place, reading) for place in places]
    seeds = seeds_of(*(group for group, _ in cells))
    if not seeds:
        raise ValueError(f"question: no seed was run of all that {contrast.words()} needs.")
    weights = np.stack([[row[place] for place in places] for row in rows])
    scales = [_pixels(group) if per_image else 1.0 for group, _ in cells]
    read = _aps if reading.metric == "AP" else _means
    squares, images = read(contrast, weights / np.array(scales), reading, cells, seeds)
    if len(seeds) == images == 1:
        raise ValueError("one seed and one image say nothing of others: give more of either.")
    method = METHOD_OF_AP if read is _aps else two_way.METHOD
    return Estimate(
        two_way.interval(squares, BOTH, level, method), squares, seeds, images, tuple(cells)
    )


def linearised(
    contrast: Contrast, means: Float[np.ndarray, " row"]
) -> tuple[float, Float[np.ndarray, " row"]]:
    """The figure at these means, and its slope in each."""
    at = torch.tensor(means, dtype=torch.float64, requires_grad=True)
    figure = contrast.of(at)
    figure.backward()
    assert at.grad is not None
    return float(figure.detach()), at.grad.numpy()


def of_table(contrast: Contrast, sums: Float[np.ndarray, "row seed image"]) -> MeanSquares:
    return two_way.mean_squares(_near(contrast, sums, sums.mean((1, 2))))


def _near(
    contrast: Contrast, sums: Float[np.ndarray, "row seed any"], means: Float[np.ndarray, " row"]
) -> Float[np.ndarray, "seed any"]:
    """A figure that is no sum has the interval of the sum that it is like near its means."""
    figure, slope = linearised(contrast, means)
    return figure + np.tensordot(slope, sums - means[:, None, None], axes=1)


def _means(
    contrast: Contrast,
    weights: Float[np.ndarray, "row cell"],
    reading: Reading,
    cells: Sequence[tuple[Group, str]],
    seeds: Sequence[int],
) -> tuple[MeanSquares, int]:
    runs = [(group.runs[seed], decoder) for group, decoder in cells for seed in seeds]
    per_image = [reading.table(run, decoder) for run, decoder in runs]
    tables.refuse_empty(reading.metric, reading.stage, per_image)
    values, images = tables.cells(per_image)
    sums = np.tensordot(weights, values.reshape(len(cells), len(seeds), -1), axes=1)
    return of_table(contrast, sums), images


def _aps(
    contrast: Contrast,
    weights: Float[np.ndarray, "row cell"],
    reading: Reading,
    cells: Sequence[tuple[Group, str]],
    seeds: Sequence[int],
) -> tuple[MeanSquares, int]:
    drawn = [[reading.drawn(group.runs[seed], name) for seed in seeds] for group, name in cells]
    images = drawn[0][0].images
    if any(not np.array_equal(images, each.images) for each in chain(*drawn)):
        raise ValueError("question: AP is compared on the same images, and these runs have others.")
    aps = np.array([[each.aps for each in row] for row in drawn])  # (cell, seed, draw)
    sums = np.tensordot(weights, aps, axes=1)
    values = _near(contrast, sums, sums[..., 0].mean(1)).T  # (draw, seed)
    if np.isnan(values[0]).any():
        raise ValueError("there is nobody to be found, and so no AP to compare.")
    resampled = values[np.isfinite(values.sum(axis=1))][1:]
    return bootstrap.mean_squares(values[0], resampled, len(images)), len(images)


def _read_by(factors: Factors, place: Place, reading: Reading) -> tuple[Group, str]:
    group, decoder = factors.cells[place]
    return group, reading.decoder(group) if decoder == BEST else decoder


def _pixels(group: Group) -> float:
    """A hundredth of the image's side (of a square as large), so that errors become percent."""
    height, width = next(iter(group.runs.values())).value("image_size")
    return float(np.sqrt(height * width)) / 100
