"""Runs' predictions summed by image, and as tables of seeds by images."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Shaped

from heatmap_research.analysis.comparison.statistics.two_way import linear
from heatmap_research.analysis.comparison.verdict import other_differences, truth
from heatmap_research.metrics.measures import Measure
from heatmap_research.runs.find import Run

Columns = dict[str, Shaped[np.ndarray, " row"]]
PerImage = dict[int, tuple[float, float]]  # by image: total, count


def per_image(run: Run, stage: str, decoder: str, measure: Measure) -> PerImage:
    return summed(run, rows(run, stage, decoder, measure), measure)


def rows(run: Run, stage: str, decoder: str, measure: Measure) -> Columns:
    """The columns that the measure reads, and those that say what it is measured by."""
    names = dict.fromkeys(["image", *measure.columns, *truth.COLUMNS])
    table = run.predictions(stage, decoder, list(names))
    if not len(table):
        raise ValueError(f"{run.name}: it has no {stage} predictions by decoder {decoder}.")
    return {name: table[name].to_numpy() for name in table.column_names}


def summed(run: Run, columns: Columns, measure: Measure) -> PerImage:
    tensors = {name: torch.tensor(columns[name]) for name in measure.columns}
    values, weights = (each.numpy() for each in measure.rows(tensors, tolerances(run)))
    images, place = np.unique(columns["image"], return_inverse=True)
    counted = np.where(weights > 0, values * weights, 0)
    parts = np.stack([np.bincount(place, each) for each in (counted, weights)], axis=-1)
    return dict(zip(images.tolist(), map(tuple, parts.tolist()), strict=True))


def total(table: PerImage) -> tuple[float, float]:
    """The sum of what was measured and the sum of its weights, both over all images."""
    whole, count = np.array(list(table.values())).sum(0)
    return float(whole), float(count)


def refuse_empty(metric: str, stage: str, of_runs: Sequence[tuple[Run, PerImage]]) -> None:
    names = [run.name for run, per_image in of_runs if total(per_image)[1] == 0]
    if names:
        raise ValueError(
            f"metric={metric}: on {stage} there is no joint that counts in it ({', '.join(names)})."
        )


def tolerances(run: Run) -> Sequence[float]:
    return run.value("tolerances") or ()


def cells(
    of_runs: Sequence[tuple[Run, PerImage]],
) -> tuple[Float[np.ndarray, "seed image"], int]:
    """A row for each run, with images in the order of their numbers; and how many images count."""
    first, known = of_runs[0]
    for run, per_image in of_runs:
        if per_image.keys() != known.keys():
            why = other_differences.of_data(first, run)
            raise ValueError(
                f"{first.name} and {run.name} were evaluated on different images ({len(known)} and "
                f"{len(per_image)}): compare runs of the same ones{why and f' ({why})'}."
            )
    parts = np.array([[each[image] for image in sorted(known)] for _, each in of_runs])
    totals, counts = parts[..., 0], parts[..., 1]
    if wrong := [
        run.name for (run, _), ok in zip(of_runs, np.isfinite(totals).all(1), strict=True) if not ok
    ]:
        raise ValueError(f"predictions that are no numbers cannot be compared: {', '.join(wrong)}.")
    return linear(totals, counts), int((counts > 0).any(0).sum())
