"""People of the runs of experiments/budget, for AP: python .../measure.py STUDY

Writes cells.parquet: a row for each run and test image, with the person's score and OKS by the
decoder that is best on val.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from heatmap_research.analysis.comparison.verdict import kept
from heatmap_research.analysis.comparison.verdict.reading import Reading
from heatmap_research.analysis.comparison.verdict.settings import grouped
from heatmap_research.runs.find import Run, find

HERE = Path(__file__).parent
BUDGET = HERE.parent / "budget"
STEPS = "trainer.max_steps"
TOLERANCES = (0.05, 0.005)  # OKS sigmas
LEAST_SCORE = 0.2  # of a joint that counts in a person's score
NAMES = ("image", "joint", "x_source", "y_source", "x_true_source", "y_true_source")


def decoders() -> dict[tuple[str, int], str]:
    reading = Reading("pixel_error", None, kept.STAGE, 1)
    groups = grouped(kept.kept(BUDGET), "arm")
    return {(group.arm, dict(group.setting)[STEPS]): reading.decoder(group) for group in groups}


def of_run(run: Run, decoder: str) -> pa.Table:
    table = run.predictions(kept.STAGE, decoder, [*NAMES, "score", "scale"])
    order = np.lexsort((table["joint"].to_numpy(), table["image"].to_numpy()))
    joints = int(table["joint"].to_numpy().max()) + 1
    rows = {n: table[n].to_numpy()[order].reshape(-1, joints) for n in table.column_names}
    away = np.hypot(*(rows[f"{a}_source"] - rows[f"{a}_true_source"] for a in "xy"))
    score, counts = rows["score"], rows["score"] > LEAST_SCORE
    columns: dict[str, Any] = {
        "image": rows["image"][:, 0],
        "score": np.where(counts, score, 0).sum(1) / np.maximum(counts.sum(1), 1),
    }
    for tolerance in TOLERANCES:
        exponent = (away / (2 * tolerance * rows["scale"])) ** 2 / 2
        columns[f"oks_{tolerance:g}"] = np.exp(-exponent).mean(1).astype(np.float32)
    columns["score"] = columns["score"].astype(np.float32)
    named = {"arm": run.arm, "steps": run.value(STEPS), "seed": run.seed}
    return pa.table({n: [v] * len(score) for n, v in named.items()} | columns)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("study", type=Path)
    read_by = decoders()
    runs = [run for run in find(asked.parse_args().study) if run.status == "finished"]
    runs.sort(key=lambda run: (run.arm, run.value(STEPS), run.seed))
    tables = [of_run(run, read_by[run.arm, run.value(STEPS)]) for run in runs]
    pq.write_table(pa.concat_tables(tables), HERE / "cells.parquet", compression="zstd")


if __name__ == "__main__":
    main()
