"""How often one product of two vectors mixes two figures up, beside the law 2q(1 - q).

python experiments/rank/law.py STUDY writes law.parquet from the runs of ce_2d in a study;
answer.py prints what it says.

A joint's q is the share of its map that is at the second figure: where the map is cut along both
axes midway between the two figures, it is the mass in the second figure's corner over that in both
figures' corners. The other two corners are the crossed ones.
"""

import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from heatmap_research.analysis.comparison.statistics.two_way import linear, two_way
from heatmap_research.config import of_run
from heatmap_research.jobs import export_steps as steps
from heatmap_research.metrics.ghosts import is_apart, is_read_at
from heatmap_research.runs.find import Run, find
from heatmap_research.training import build
from heatmap_research.types import Sample

FILE = Path(__file__).with_name("law.parquet")
BATCH = 50
EDGES = (0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 1.0)  # of q, in the table


def measured(run: Run) -> pa.Table:
    """A row for each joint of test that is apart from the second figure's along both axes."""
    job = of_run.read_by_one(run.folder, "rank_1", False)
    task = steps.task(job, of_run.weights_of(run.folder, "last"))
    parts = []
    with torch.inference_mode():
        for batch in build.build_data(job).test_dataloader():
            (heatmap,) = task.codec.activate(task.net(batch.image))
            read = task.codec.decode((heatmap,))["rank_1"].keypoints
            parts.append(_columns(batch, heatmap, read, task.codec.grid.stride))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return pa.table({"seed": np.full(len(columns["q"]), run.seed, np.int8), **columns})


def _columns(batch: Sample, heatmap: Tensor, read: Tensor, stride: float) -> dict[str, np.ndarray]:
    own, other = batch.keypoints, batch.others
    counted = (batch.visible > 0) & is_apart(own, other)
    mass = heatmap.double() / heatmap.double().sum((-2, -1), keepdim=True)
    bins = (torch.arange(mass.shape[-1]) + 0.5) * stride - 0.5  # as wide as high
    middle = (own + other) / 2
    there = [  # of each axis, the bins on the second figure's side
        (bins - middle[..., axis, None]).sign() == (other - own)[..., axis, None].sign()
        for axis in (0, 1)
    ]
    x, y = (each.double() for each in there)
    both = torch.einsum("bjhw,bjh,bjw->bj", mass, y, x)
    whole_x = torch.einsum("bjhw,bjw->bj", mass, x)
    whole_y = torch.einsum("bjhw,bjh->bj", mass, y)
    neither = 1 - whole_x - whole_y + both
    crossed = 1 - both - neither
    product = whole_x * (1 - whole_y) + whole_y * (1 - whole_x)
    found = {
        "q": both / (both + neither).clamp(min=1e-12),
        "crossed": crossed,
        "crossed_product": product,
        "ghost": is_read_at("ghosts", read, own, other),
        "x_other": (read - other)[..., 0].abs() <= 3,
        "y_other": (read - other)[..., 1].abs() <= 3,
    }
    image = batch.image_id[:, None].expand_as(counted)
    kept = {"image": image[counted].numpy()}
    for name, values in found.items():
        each = values[counted].numpy()
        kept[name] = each if each.dtype == bool else each.astype(np.float32)
    return kept


def words(table: pa.Table) -> Iterator[str]:
    c = {name: table[name].to_numpy() for name in table.column_names}
    law = 2 * c["q"] * (1 - c["q"])
    columns = (law, c["crossed_product"], c["crossed"], c["ghost"])
    yield "Of joints by q, the share of the map that is at the second figure:\n"
    yield "| q | joints | 2q(1 - q) | crossed mass of the product | of the map | read at a ghost |"
    yield "|---|---|---|---|---|---|"
    for low, high in itertools.pairwise(EDGES):
        some = (c["q"] >= low) & ((c["q"] < high) | (high == 1))
        yield _row(f"{low:g} to {high:g}", some, columns)
    yield _row("all", np.ones(len(law), bool), columns) + "\n"
    x, y = c["x_other"].mean(), c["y_other"].mean()
    apart = x * (1 - y) + y * (1 - x)
    yield (
        f"If axes chose apart: x is read at the second figure in {x:.3f}, y in {y:.3f} of joints, "
        f"so that {apart:.3f} would be at a ghost, of which there are {c['ghost'].mean():.3f}."
    )
    for name, values in (("ghosts", c["ghost"]), ("crossed mass of the product", columns[1])):
        known = two_way(_cells(c["seed"], c["image"], values - law))
        ends = f"95 % {known.low:.4f} to {known.high:.4f}, new seeds and new images"
        yield f"Less 2q(1 - q): {name} {known.estimate:.4f} of joints ({ends})."


def _row(name: str, some: np.ndarray, columns: Sequence[np.ndarray]) -> str:
    means = " | ".join(f"{each[some].mean():.3f}" for each in columns)
    return f"| {name} | {100 * some.mean():.1f} % | {means} |"


def _cells(seed: np.ndarray, image: np.ndarray, value: np.ndarray) -> np.ndarray:
    """What each image adds to a mean over joints, a row a seed."""
    seeds, row = np.unique(seed, return_inverse=True)
    images, column = np.unique(image, return_inverse=True)
    total, count = (np.zeros((len(seeds), len(images))) for _ in range(2))
    np.add.at(total, (row, column), value)
    np.add.at(count, (row, column), 1)
    return linear(total, count)


def main() -> None:
    if studies := sys.argv[1:]:
        runs = [run for run in find(Path(studies[0])) if run.arm == "ce_2d"]
        pq.write_table(pa.concat_tables([measured(run) for run in runs]), FILE, compression="zstd")
    print(*words(pq.read_table(FILE)), sep="\n")


if __name__ == "__main__":
    main()
