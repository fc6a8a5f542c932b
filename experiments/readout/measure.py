"""How much of SimCC's published gain is the read-out: python experiments/readout/measure.py

Needs HEATMAP_DATA (COCO val2017's points). Writes cells.parquet; answer.py makes the tables of it.
"""

import argparse
import csv
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.optimize import brentq
from simulate import MODELS, SCORES, Crops, Noise, answers

HERE = Path(__file__).parent
BINS = {"64x64": 3, "128x128": 2, "256x192": 2}  # of SimCC, a pixel
GROSS = (0.0, 0.05)
WIDTHS = np.geomspace(0.004, 0.5, 14)
RESAMPLES = 200
SEED = 0


def published() -> list[dict[str, str]]:
    with (HERE / "published.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def of_noise(task: tuple[str, str, float]) -> list[dict[str, Any]]:
    """All nets and rules of scores under one rule of errors, at one size of crop."""
    size, model, gross = task
    height, width = map(int, size.split("x"))
    file = Path(os.environ["HEATMAP_DATA"]) / "coco_val2017_keypoints.json.gz"
    crops, noise = Crops(file, (height, width)), Noise(model, gross)
    rows = [row for row in published() if row["size"] == size]
    return [cell for rule in SCORES for cell in _fitted(crops, noise, rule, rows)]


def _fitted(
    crops: Crops, noise: Noise, rule: str, rows: list[dict[str, str]]
) -> Iterator[dict[str, Any]]:
    """The width at which SimCC has a row's published AP, and what the same answers give in 2-D."""
    size = rows[0]["size"]

    def of_simcc(width: float) -> float:
        return crops.ap(answers(crops, noise, width, SEED).simcc(BINS[size]), rule, SEED)

    curve = np.array([of_simcc(width) for width in WIDTHS])
    for row in rows:
        wanted = float(row["simcc"])
        told = {"net": row["net"], "size": size, "model": noise.model, "gross": noise.gross}
        told |= {"scores": rule, "simcc_published": wanted}
        if not curve.min() < wanted < curve[0]:  # these errors cannot give that AP
            yield told | {"decoder": row["post_is"], "width": None, "simcc": curve[0]}
            continue
        below = int(np.argmax(curve < wanted))  # the first width that is too large
        ends = WIDTHS[below - 1], WIDTHS[below]
        width = float(brentq(lambda w, t=wanted: of_simcc(w) - t, *ends, rtol=2e-3))
        given = answers(crops, noise, width, SEED)
        fine, maps = given.simcc(BINS[size]), given.read()
        own = crops.drawn(fine, rule, SEED, RESAMPLES)
        for decoder, column in (("argmax", "argmax"), (row["post_is"], "post")):
            gain = own - crops.drawn(maps[decoder], rule, SEED, RESAMPLES)
            yield told | {
                "decoder": decoder,
                "width": width,
                "simcc": crops.ap(fine, rule, SEED),
                "predicted": crops.ap(maps[decoder], rule, SEED),
                "published": float(row[column]),
                "gains": gain.tolist(),  # SimCC less this decoder, images drawn anew
            }


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--sizes", nargs="+", default=list(BINS))
    asked.add_argument("--out", type=Path, default=HERE / "cells.parquet")
    asked.add_argument("--processes", type=int, default=2)
    given = asked.parse_args()
    tasks = list(product(given.sizes, MODELS, GROSS))
    with ProcessPoolExecutor(given.processes) as pool:
        cells = [cell for part in pool.map(of_noise, tasks) for cell in part]
    pq.write_table(pa.Table.from_pylist(cells), given.out, compression="zstd")
    print(f"{len(cells)} cells: {given.out}")


if __name__ == "__main__":
    main()
