"""False peaks, and how high maps rise: python experiments/collapse/peaks.py STUDY ...

Reads the finished runs of ARMS in studies, those of the same arm, width and seed once, and writes
peaks.parquet, a row for each run and test image: its joints, how many of them have their highest
bin more than FALSE px from the true place, and the sums of the heights of maps and of their labels.
answer.py prints what it says.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from heatmap_research.analysis.comparison.statistics.interval import Interval
from heatmap_research.analysis.comparison.statistics.two_way import linear, two_way
from heatmap_research.config import of_run
from heatmap_research.jobs import export_steps as steps
from heatmap_research.runs.find import Run, find
from heatmap_research.training import build
from heatmap_research.types import Sample

FILE = Path(__file__).with_name("peaks.parquet")
FALSE = 8.0  # px: two bins, further than rounding and narrow labels can put the right one
NARROW = 1.0  # px
ARMS = ("ce_2d", "mse_2d")
SHARES = {  # what is divided by what, over joints
    "false peaks, % of joints": ("false", "joints", 100),
    "height of maps over that of labels": ("height", "drawn", 1),
}


def measured(run: Run) -> pa.Table:
    job = of_run.read_by_one(run.folder, "argmax", False)
    task = steps.task(job, of_run.weights_of(run.folder, "last"))
    parts = []
    with torch.inference_mode():
        for batch in build.build_data(job).test_dataloader():
            (heatmap,) = task.codec.activate(task.net(batch.image))
            read = task.codec.decode((heatmap,))["argmax"].keypoints
            (label,) = task.codec.encode(batch.keypoints, batch.visible)
            drawn = task.codec.as_read(label.heatmap)
            parts.append(_rows(batch, read, heatmap.amax((-2, -1)), drawn.amax((-2, -1))))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    count = len(columns["image"])
    named = {"arm": run.arm, "sigma": float(run.value("sigma")), "seed": run.seed}
    return pa.table({name: [value] * count for name, value in named.items()} | columns)


def _rows(
    batch: Sample, read: torch.Tensor, height: torch.Tensor, drawn: torch.Tensor
) -> dict[str, np.ndarray]:
    counted = batch.visible > 0
    away = (read - batch.keypoints).norm(dim=-1)
    found = {"false": away > FALSE, "height": height, "drawn": drawn}
    sums = {name: torch.where(counted, each, 0).sum(1).numpy() for name, each in found.items()}
    return {"image": batch.image_id.numpy(), "joints": counted.sum(1).numpy()} | sums


def words(table: pa.Table) -> Iterator[str]:
    columns = {name: table[name].to_numpy() for name in table.column_names}
    groups = sorted(set(zip(columns["arm"], columns["sigma"], strict=True)))
    cells = {
        (arm, sigma, name): scale * _cells(columns, arm, sigma, part, whole)
        for arm, sigma in groups
        for name, (part, whole, scale) in SHARES.items()
    }
    yield "| trained by | sigma, px | " + " | ".join(SHARES) + " |"
    yield "|---" * (2 + len(SHARES)) + "|"
    for arm, sigma in groups:
        figures = (_told(two_way(cells[arm, sigma, name])) for name in SHARES)
        yield f"| {arm} | {sigma:g} | {' | '.join(figures)} |"
    yield ""
    for name in SHARES:
        less = two_way(cells["mse_2d", NARROW, name] - cells["ce_2d", NARROW, name])
        yield f"mse_2d less ce_2d at {NARROW:g} px, {name}: {_told(less)}."


def _cells(
    columns: dict[str, np.ndarray], arm: str, sigma: float, part: str, whole: str
) -> np.ndarray:
    """What each image adds to a ratio over joints, a row a seed; rows are in order in the file."""
    some = (columns["arm"] == arm) & (columns["sigma"] == sigma)
    shape = (len(set(columns["seed"][some])), -1)
    return linear(*(columns[name][some].reshape(shape).astype(float) for name in (part, whole)))


def _told(known: Interval) -> str:
    return f"{known.estimate:.3f} ({known.low:.3f} to {known.high:.3f})"


def main() -> None:
    found = [run for run in find(*map(Path, sys.argv[1:])) if run.status == "finished"]
    runs = {(r.arm, r.value("sigma"), r.seed): r for r in reversed(found) if r.arm in ARMS}
    table = pa.concat_tables([measured(run) for run in runs.values()])
    order = [(name, "ascending") for name in ("arm", "sigma", "seed", "image")]
    pq.write_table(table.sort_by(order), FILE, compression="zstd")
    print(f"{FILE}: {len(runs)} runs")


if __name__ == "__main__":
    main()
