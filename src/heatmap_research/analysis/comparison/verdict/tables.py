"""Runs' predictions summed by image, and as tables of seeds by images."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from heatmap_research.analysis.comparison.statistics.two_way import linear
from heatmap_research.analysis.comparison.verdict import other_differences, truth
from heatmap_research.metrics.measures import Measure
from heatmap_research.runs.find import Run


class PerImage(NamedTuple):
    run: Run
    images: Int[np.ndarray, " image"]  # ascending
    sums: Float[np.ndarray, "image 2"]  # of what was measured, and of its weights
    truth: truth.TrueJoints

    @property
    def total(self) -> tuple[float, float]:
        whole, count = self.sums.sum(0)
        return float(whole), float(count)


def per_image(run: Run, stage: str, decoder: str, measure: Measure) -> PerImage:
    """Reads the columns that the measure needs, and those that say what it is measured by."""
    names = dict.fromkeys(["image", *measure.columns, *truth.COLUMNS])
    table = run.predictions(stage, decoder, list(names))
    if not len(table):
        raise ValueError(f"{run.name}: it has no {stage} predictions by decoder {decoder}.")
    columns = {name: table[name].to_numpy() for name in table.column_names}
    tensors = {name: torch.tensor(columns[name]) for name in measure.columns}
    values, weights = (each.numpy() for each in measure.rows(tensors, tolerances(run)))
    images, place = np.unique(columns["image"], return_inverse=True)
    counted = np.where(weights > 0, values * weights, 0)
    sums = np.array([np.bincount(place, each) for each in (counted, weights)])
    return PerImage(run, images, np.ascontiguousarray(sums.T), truth.of_rows(columns))


def refuse_empty(metric: str, stage: str, of_runs: Sequence[PerImage]) -> None:
    names = [each.run.name for each in of_runs if each.total[1] == 0]
    if names:
        raise ValueError(
            f"metric={metric}: on {stage} there is no joint that counts in it ({', '.join(names)})."
        )


def tolerances(run: Run) -> Sequence[float]:
    return run.value("tolerances") or ()


def cells(of_runs: Sequence[PerImage]) -> tuple[Float[np.ndarray, "seed image"], int]:
    """A row for each run, with images in the order of their numbers; and how many images count."""
    first = of_runs[0]
    for each in of_runs:
        if not np.array_equal(each.images, first.images):
            why = other_differences.of_data(first.run, each.run)
            raise ValueError(
                f"{first.run.name} and {each.run.name} were evaluated on different images "
                f"({len(first.images)} and {len(each.images)}): compare runs of the same "
                f"ones{why and f' ({why})'}."
            )
    sums = np.stack([each.sums for each in of_runs])
    totals, counts = sums[..., 0], sums[..., 1]
    numbers = np.isfinite(totals).all(1)
    if wrong := [each.run.name for each, ok in zip(of_runs, numbers, strict=True) if not ok]:
        raise ValueError(f"predictions that are no numbers cannot be compared: {', '.join(wrong)}.")
    return linear(totals, counts), int((counts > 0).any(0).sum())
