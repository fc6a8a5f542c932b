"""What runs predicted, as tables of seeds by images."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from heatmap_research.analysis.runs import Run
from heatmap_research.analysis.statistics.two_way import linear
from heatmap_research.analysis.verdict.measures import Measure

Table = dict[int, tuple[float, float]]  # by image: total, count


def per_image(run: Run, stage: str, decoder: str, measure: Measure) -> Table:
    table = run.predictions(stage, decoder, ["image", *measure.columns])
    if not len(table):
        raise ValueError(f"{run.name}: it has no {stage} predictions by decoder {decoder}.")
    columns = {name: table[name].to_numpy() for name in table.column_names}
    values, weights = measure.rows(columns, tolerances(run))
    images, place = np.unique(columns["image"], return_inverse=True)
    counted = np.where(weights > 0, values * weights, 0)
    parts = np.stack([np.bincount(place, each) for each in (counted, weights)], axis=-1)
    return dict(zip(images.tolist(), map(tuple, parts.tolist()), strict=True))


def tolerances(run: Run) -> Sequence[float]:
    return run.value("tolerances") or ()


def cells(
    of_runs: Sequence[tuple[Run, Table]],
) -> tuple[Float[np.ndarray, "seed image"], int]:
    """Rows in the order given, images in that of their numbers; and how many images count."""
    first, known = of_runs[0]
    for run, found in of_runs:
        if found.keys() != known.keys():
            raise ValueError(
                f"{first.name} and {run.name} were evaluated on different images "
                f"({len(known)} and {len(found)}): compare runs of the same ones."
            )
    parts = np.array([[found[image] for image in sorted(known)] for _, found in of_runs])
    totals, counts = parts[..., 0], parts[..., 1]
    return linear(totals, counts), int((counts > 0).any(0).sum())
