"""Scores of trained networks by every rule: python experiments/scores/measure.py STUDY

Reads the runs of experiments/budget at 4000 steps and writes cells.parquet: a row for each joint of
each test image, with its error and its scores; answer.py makes the tables of it.
"""

import argparse
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from omegaconf import OmegaConf

from heatmap_research.codec.codec import ScoreRule
from heatmap_research.config.job import prepare
from heatmap_research.config.of_run import weights_of
from heatmap_research.runs.find import Run, find
from heatmap_research.training import build
from heatmap_research.types import Sample

HERE = Path(__file__).parent
STEPS = 4000
READ_BY = {  # the decoder that is best on val, as experiments/budget has it
    "ce_2d": "soft_argmax",
    "simcc": "dark_blur",
    "simcc_marginal": "dark_blur",
    "marginal": "soft_argmax",
}
RULES = get_args(ScoreRule)
SHARE, PIXEL = 65535, 1000  # scores and errors are kept as whole numbers of so many
MAX_OFF = 1e-3  # px by which coordinates may differ from those that the run has stored
log = logging.getLogger(__name__)


def of_run(run: Run, batches: list[Sample]) -> pa.Table:
    """A run's errors in crop pixels and its scores, of all joints of all images."""
    job = prepare(OmegaConf.create(run.record["config"]), run.record["choices"])
    task, decoder = build.build(build.wire(job)).eval(), READ_BY[run.arm]
    build.load_weights(task, weights_of(run.folder, "last"))
    codecs = {rule: replace(task.codec, score=rule) for rule in RULES}
    parts = []
    for batch in batches:
        with torch.inference_mode():
            activated = task.codec.activate(task.net(batch.image))
            read = {rule: codec.decode(activated)[decoder] for rule, codec in codecs.items()}
        away = read["product"].keypoints - batch.keypoints
        joints = away.shape[1]
        columns = {
            "image": batch.image_id.repeat_interleave(joints).numpy(),
            "joint": np.tile(np.arange(joints), len(away)),
            "error": away.norm(dim=-1).flatten().numpy(),
            "scale": batch.scale.repeat_interleave(joints).numpy(),
            **{rule: one.score.flatten().numpy() for rule, one in read.items()},
        }
        parts.append(columns)
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    _refuse_other(run, decoder, whole)
    return _table(run, whole)


def _refuse_other(run: Run, decoder: str, now: dict[str, np.ndarray]) -> None:
    """The network that was opened has to answer as it did after its training."""
    names = ["image", "joint", "x", "y", "x_true", "y_true", "score"]
    stored = run.predictions("test", decoder, names)
    rows = {name: stored[name].to_numpy() for name in names}
    order, own = (
        np.lexsort((rows["joint"], rows["image"])),
        np.lexsort((now["joint"], now["image"])),
    )
    then = np.hypot(rows["x"] - rows["x_true"], rows["y"] - rows["y_true"])[order]
    off = (
        np.abs(then - now["error"][own]).max(),
        np.abs(rows["score"][order] - now["product"][own]).max(),
    )
    if max(off) > MAX_OFF:
        raise ValueError(
            f"{run.name}: it answers otherwise than it did (by {off[0]:g} px, {off[1]:g})"
        )
    log.warning(f"{run.name}: as stored within {off[0]:.1e} px and {off[1]:.1e} of the score")


def _table(run: Run, columns: dict[str, np.ndarray]) -> pa.Table:
    units = dict.fromkeys(RULES, SHARE) | {"error": PIXEL}
    whole = {name: np.rint(columns[name] * unit).astype(np.uint16) for name, unit in units.items()}
    kept: dict[str, Any] = columns | whole
    kept["image"], kept["joint"] = kept["image"].astype(np.int64), kept["joint"].astype(np.int8)
    named = {"arm": run.arm, "seed": np.int8(run.seed)}
    shared = {name: pa.array([value] * len(kept["error"])) for name, value in named.items()}
    return pa.table(shared | kept)


def chosen(study: Path) -> Iterator[Run]:
    for run in find(study):
        if run.status == "finished" and run.value("trainer.max_steps") == STEPS:
            yield run


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("study", type=Path)
    runs = sorted(chosen(asked.parse_args().study), key=lambda run: (run.arm, run.seed))
    config = OmegaConf.create(runs[0].record["config"])
    config.data.test.cache = None
    job = prepare(config, runs[0].record["choices"])
    batches = list(build.build_data(job).test_dataloader())
    tables = [of_run(run, batches) for run in runs]
    pq.write_table(pa.concat_tables(tables), HERE / "cells.parquet", compression="zstd")


if __name__ == "__main__":
    main()
