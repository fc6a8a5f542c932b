"""Trained networks in fewer bits: python experiments/quantised/measure.py STUDY ...

Reads finished runs of the studies in ASKED. Writes cells.parquet, a row for each run and test image
with its mean error in crop pixels in every precision, and graphs.parquet, a row for each run and
precision with the size of the network as a graph and the time that it takes. What the two files
have already stays and is not measured again.
"""

import argparse
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor, nn

from heatmap_research.codec.codec import Codec
from heatmap_research.config import of_run
from heatmap_research.config.job import Job
from heatmap_research.inference import graph, quantised
from heatmap_research.jobs import export_steps as steps
from heatmap_research.runs.best import best
from heatmap_research.runs.find import Run, find
from heatmap_research.training import build
from heatmap_research.training.task import KeypointTask
from heatmap_research.types import Heatmaps, Sample

HERE = Path(__file__).parent
STEPS = "trainer.max_steps"
ASKED = {  # steps of training
    "budget": (4000,),
    "layout": (1000,),
    "lspet": (4000,),
    "lspet_pretrained": (1000,),
}
CALIBRATED_ON = 128  # first crops of val
BATCH = 50  # test images
ROUNDS, REST = 60, 10  # times that each graph answers one crop; the first are not counted
MAX_OFF = 1e-3  # px by which a run's error may differ from the one that it has stored
log = logging.getLogger(__name__)
Named = dict[str, Any]


def chosen(studies: Sequence[Path]) -> list[Run]:
    runs = [run for study in studies for run in find(study) if run.status == "finished"]
    asked = [run for run in runs if run.value(STEPS) in ASKED.get(run.study, ())]
    return sorted(asked, key=lambda run: (-run.value(STEPS), run.study != "layout", *key_of(run)))


def key_of(run: Run) -> tuple[Any, ...]:
    return (*group_of(run), run.seed)


def group_of(run: Run) -> tuple[str, str, int]:
    """Which runs differ in their seed alone; the two studies have other strides."""
    return run.study, run.value("head") if run.study == "layout" else run.arm, run.value(STEPS)


def decoder_of(runs: Sequence[Run]) -> str:
    """The decoder that is best on val in the mean over seeds."""
    figures = {
        name: mean(run.metric("val", name, "pixel_error") or np.nan for run in runs)
        for name in runs[0].decoders
    }
    return best(figures) or ""


class Network(nn.Module):
    """Crops to scores, without a decoder: those of all layouts are exact, and cost what they do."""

    def __init__(self, task: KeypointTask) -> None:
        super().__init__()
        self.task = task

    def forward(self, image: Tensor) -> Heatmaps:
        return self.task.net(image)


def graphs(task: KeypointTask, crops: Tensor, folder: Path) -> Iterator[Path]:
    """Writes the four graphs of a network, each named by its precision."""
    names = [f"scores_{axis}" for axis in range(len(task.codec.grid.shapes))]
    for name, each in (("float32", task), ("fp16", quantised.halved(task))):
        program = graph.traced(Network(each), crops[:2])
        graph.write_onnx(program, names, {}, folder / name)
        yield folder / name
    for name, head in (("int8", True), ("int8_float_head", False)):
        quantised.to_integers(folder / "float32", crops, folder / name, head)
        yield folder / name


def session(file: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(file, options, ["CPUExecutionProvider"])


def scores(of: onnxruntime.InferenceSession, image: Tensor) -> Heatmaps:
    return tuple(map(torch.from_numpy, of.run(None, {"image": image.numpy()})))


def error(net: Callable[[Tensor], Heatmaps], codec: Codec, test: Sample) -> np.ndarray:
    """The error of each image, summed over its labelled joints, crop pixels."""
    with torch.inference_mode():
        activated = [codec.activate(net(part)) for part in test.image.split(BATCH)]
        found = [next(iter(codec.decode(each).values())).keypoints for each in activated]
    away = (torch.cat(found) - test.keypoints).norm(dim=-1)
    return torch.where(test.visible > 0, away, 0).sum(1).numpy()


def times(sessions: Named, crop: Tensor) -> dict[str, float]:
    """Milliseconds of a network for one crop on one thread; in turns, as others may run beside."""
    taken: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(ROUNDS):
        for name, each in sessions.items():
            start = perf_counter()
            each.run(None, {"image": crop.numpy()})
            taken[name].append(1000 * (perf_counter() - start))
    return {name: median(each[REST:]) for name, each in taken.items()}


def measured(run: Run, decoder: str, val: Sample, test: Sample) -> tuple[pa.Table, list[Named]]:
    job = of_run.read_by_one(run.folder, decoder, None)
    task = steps.task(job, of_run.weights_of(run.folder, "last"))
    half = quantised.halved(task).net
    with TemporaryDirectory() as folder:
        files = {file.name: file for file in graphs(task, val.image, Path(folder))}
        sessions = {name: session(file) for name, file in files.items()}
        errors = {
            name: error(partial(scores, each), task.codec, test) for name, each in sessions.items()
        }
        taken = times(sessions, test.image[:1])
        size = {name: file.stat().st_size for name, file in files.items()}
    errors["fp16_by_layer"] = error(half, task.codec, test)
    joints = (test.visible > 0).sum(1).numpy()
    _refuse_other(run, decoder, errors["float32"].sum() / joints.sum())
    seen = joints > 0
    study, arm, count = group_of(run)
    named = {"study": study, "arm": arm, "steps": count, "seed": run.seed, "decoder": decoder}
    columns = {n: (each[seen] / joints[seen]).astype(np.float32) for n, each in errors.items()}
    rows = {name: [value] * int(seen.sum()) for name, value in named.items()}
    table = pa.table(rows | {"image": test.image_id.numpy()[seen].astype(np.int32)} | columns)
    each_graph = [
        named | {"precision": name, "bytes": size[name], "milliseconds": taken[name]}
        for name in files
    ]
    return table, each_graph


def _refuse_other(run: Run, decoder: str, error: float) -> None:
    """The network that was opened has to answer as it did after its training."""
    stored = run.metric("test", decoder, "pixel_error")
    if stored is None or abs(stored - error) > MAX_OFF:
        raise ValueError(f"{run.name}: {decoder} errs by {error:g} px, not by {stored} px.")
    log.warning(f"{run.study}/{run.name}: {decoder}, {stored:.4f} px as stored")


def read(run: Run) -> tuple[Sample, Sample]:
    """The crops of its study to fit ranges on, and those to read."""
    job = of_run.read_by_one(run.folder, run.decoders[0], None)
    return samples(job, "val", CALIBRATED_ON), samples(job, "test", None)


def there() -> tuple[list[pa.Table], list[Named]]:
    """What the two files have, of an earlier call."""
    if not (HERE / "graphs.parquet").exists():
        return [], []
    cells, rows = (pq.read_table(HERE / f"{name}.parquet") for name in ("cells", "graphs"))
    return [cells], rows.to_pylist()


def samples(job: Job, stage: str, count: int | None) -> Sample:
    module = build.build_data(job)
    data = module.dataset(stage)
    return module.collate([data[row] for row in range(count or len(data))])


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("studies", type=Path, nargs="+")
    runs = chosen(asked.parse_args().studies)
    torch.set_num_threads(1)
    groups: dict[tuple[str, str, int], list[Run]] = {}
    for run in runs:
        groups.setdefault(group_of(run), []).append(run)
    read_by = {key: decoder_of(group) for key, group in groups.items()}
    tables, rows = there()
    done = {(row["study"], row["arm"], row["steps"], row["seed"]) for row in rows}
    runs = [run for run in runs if key_of(run) not in done]
    parts = {run.study: read(run) for run in {run.study: run for run in runs}.values()}
    for run in runs:
        table, of_graphs = measured(run, read_by[group_of(run)], *parts[run.study])
        tables.append(table)
        rows += of_graphs
        write(tables, rows)  # after each, so that nothing is lost


def write(tables: Sequence[pa.Table], rows: Sequence[Named]) -> None:
    pq.write_table(pa.concat_tables(tables), HERE / "cells.parquet", compression="zstd")
    pq.write_table(pa.Table.from_pylist(rows), HERE / "graphs.parquet", compression="zstd")


if __name__ == "__main__":
    main()
