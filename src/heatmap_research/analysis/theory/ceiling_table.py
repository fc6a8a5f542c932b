"""What codecs reach where nothing is left to learn: rows of a table, its file, its laws."""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from jaxtyping import Float, Float64

from heatmap_research.analysis.theory import round_trip
from heatmap_research.analysis.theory.laws import quantisation
from heatmap_research.analysis.theory.true_poses import TruePoses
from heatmap_research.codec import geometry
from heatmap_research.metrics import average_precision, oks
from heatmap_research.runs.whole_file import written

SCHEMA = pa.schema(
    [
        ("layout", pa.string()),  # 2d, 1d
        ("target", pa.string()),
        ("sigma", pa.float64()),  # input pixels; null where neither target nor decoder has one
        ("stride", pa.float64()),  # input pixels per bin
        ("decoder", pa.string()),
        ("geometry", pa.string()),
        ("flip_test", pa.bool_()),
        ("uncertainty", pa.float64()),  # input pixels along each axis; the mean over joints
        ("height", pa.int32()),
        ("width", pa.int32()),
        # pixels of the crop, then of the source; pck05: within 0.05 of the box's longer side
        *((name, pa.float64()) for name in ("mean_px", "median_px", "p95_px", "bias_x", "bias_y")),
        *((name, pa.float64()) for name in ("mean_source_px", "mean_oks", "ap", "ap50", "ap75")),
        ("pck05", pa.float64()),
    ]
)
TO_MIDDLE = quantisation.mean_distance(1, 1)  # mean distance to a square's middle, in sides

Row = dict[str, Any]


def rows(
    representation: round_trip.Representation, poses: TruePoses, noise: float = 0.0, seed: int = 0
) -> Iterator[Row]:
    """Yields a row for each decoder.

    Noise is a standard deviation per bin, as a share of a map's highest value. Errors in pixels are
    those of labelled joints inside the map. The others are drawn where the map comes closest to
    them, and count in OKS, AP and PCK.
    """
    grid = representation.codec.grid
    boxes = torch.from_numpy(poses.crops)
    to_source = grid.geometry.to_source(boxes, grid.image_size)
    source = torch.from_numpy(poses.keypoints)
    true = geometry.apply(geometry.inverse(to_source), source).float()
    inside = torch.stack([beyond <= 0 for beyond in grid.beyond(true)]).all(0).numpy()
    counted = inside & (poses.people.keypoints[..., 2] > 0)
    answers = round_trip.decoded(representation, poses.schema, true, noise, seed)
    for decoder, points in answers.items():
        in_source = geometry.apply(to_source, points.double()).numpy()
        yield {
            **described(representation, decoder),
            **_errors((points - true).double().numpy()[counted]),
            "mean_source_px": _mean(_length(in_source - poses.keypoints)[counted]),
            **_similarities(in_source, poses),
        }


def law(row: Row) -> float | None:
    """The mean error in pixels to be expected, or None where no closed form says it."""
    if row["uncertainty"] or row["flip_test"] or row["geometry"] == "udp":
        return None
    whole = "rounded" in row["target"] or row["target"] == "one_hot"
    if row["decoder"] == "argmax" or (whole and row["decoder"] in ("quarter_offset", "dark")):
        return TO_MIDDLE * row["stride"]
    if row["decoder"] == "quarter_offset" and row["target"] in ("gaussian", "laplace"):
        return TO_MIDDLE / 2 * row["stride"]
    return None


def write(rows: Sequence[Row], file: Path, **facts: str) -> None:
    """Writes Parquet, NaN as null; its metadata holds the facts that are true of every row."""
    schema = SCHEMA.with_metadata(facts)
    arrays = [pa.array([row[f.name] for row in rows], f.type, from_pandas=True) for f in schema]
    with written(file) as partial:
        pq.write_table(pa.Table.from_arrays(arrays, schema=schema), partial)


def split(rows: Iterable[Row], *keys: str) -> dict[tuple[Any, ...], list[Row]]:
    """Rows by their values of these keys, in the order in which these first come."""
    kinds: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        kinds.setdefault(tuple(row[key] for key in keys), []).append(row)
    return kinds


def described(representation: round_trip.Representation, decoder: str) -> Row:
    """The values in which the row of this decoder differs from every other row."""
    grid = representation.codec.grid
    return {
        "layout": representation.layout,
        "target": representation.target,
        "sigma": representation.sigmas[decoder],
        "stride": grid.stride,
        "decoder": decoder,
        "geometry": representation.geometry,
        "flip_test": representation.flip_test,
        "uncertainty": _mean(np.array(representation.widths)),
        "height": grid.image_size[0],
        "width": grid.image_size[1],
    }


def _errors(away: Float64[np.ndarray, "point 2"]) -> Row:
    length = _length(away)
    median, high = np.quantile(length, [0.5, 0.95]) if len(length) else (math.nan, math.nan)
    return {
        "mean_px": _mean(length),
        "median_px": float(median),
        "p95_px": float(high),
        "bias_x": _mean(away[:, 0]),
        "bias_y": _mean(away[:, 1]),
    }


def _similarities(points: Float64[np.ndarray, "person joint 2"], poses: TruePoses) -> Row:
    people = poses.people
    close = _length(points - poses.keypoints) <= 0.05 * people.boxes[:, 2:].max(1, keepdims=True)
    return {**_of_oks(points, poses), "pck05": _mean(close[people.keypoints[..., 2] > 0])}


def _of_oks(points: Float64[np.ndarray, "person joint 2"], poses: TruePoses) -> Row:
    """OKS and AP where all scores are 1, and so stand in the order of images and the file."""
    if not poses.schema.tolerances_known:
        return dict.fromkeys(("mean_oks", "ap", "ap50", "ap75"), np.nan)
    sigmas, people = np.array(poses.schema.sigmas), poses.people
    alike = oks.to_truth(points.copy(), people.keypoints, people.areas, people.boxes, sigmas)
    answers = average_precision.Found(people.image, points, np.ones(len(points)))
    ap = average_precision.evaluate(poses.truth, answers, sigmas)
    return {"mean_oks": _mean(alike), **{name.lower(): ap[name] for name in ("AP", "AP50", "AP75")}}


def _length(away: Float[np.ndarray, "*any 2"]) -> Float[np.ndarray, "*any"]:
    return np.hypot(away[..., 0], away[..., 1])


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else math.nan
