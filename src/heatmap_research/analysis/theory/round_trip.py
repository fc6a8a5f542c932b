"""What a codec reaches where nothing is left to learn: true points, to maps and back."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from jaxtyping import Bool, Float64, Int64

from heatmap_research.analysis.theory.posterior import learnt, refuse_entangled
from heatmap_research.codec import geometry
from heatmap_research.codec.codec import Codec
from heatmap_research.codec.grid import Grid
from heatmap_research.data.annotations import Annotations
from heatmap_research.data.people import labelled
from heatmap_research.metrics import average_precision, oks
from heatmap_research.metrics.average_precision import Found, People
from heatmap_research.types import Heatmaps, IncompatibleError, Keypoints, Schema

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
        ("mean_px", pa.float64()),  # of the crop; likewise median, p95 and bias
        ("median_px", pa.float64()),
        ("p95_px", pa.float64()),
        ("bias_x", pa.float64()),
        ("bias_y", pa.float64()),
        ("mean_source_px", pa.float64()),
        ("mean_oks", pa.float64()),
        ("ap", pa.float64()),
        ("ap50", pa.float64()),
        ("ap75", pa.float64()),
        ("pck05", pa.float64()),  # share of joints within 0.05 of the box's longer side
    ]
)
AT_ONCE = 1 << 21  # bins; larger maps than a cache holds take longer

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Poses:
    """True points in source pixels, the boxes that crops are cut by, and who there is to find."""

    schema: Schema
    images: Int64[np.ndarray, " person"]
    keypoints: Float64[np.ndarray, "person joint 2"]
    visible: Int64[np.ndarray, "person joint"]  # 0 not labelled
    crops: Float64[np.ndarray, "person 4"]  # x, y, width, height
    boxes: Float64[np.ndarray, "person 4"]
    areas: Float64[np.ndarray, " person"]
    truth: People  # crowds and people without points among them

    def __len__(self) -> int:
        return len(self.images)


def annotated(truth: Annotations, padding: float) -> Poses:
    """Everyone with a box and a labelled joint, cut by that box."""
    people = labelled(truth)
    if not len(people):
        raise ValueError(f"{truth.file}: nobody in it has a box and a labelled joint.")
    corner, size = people.boxes[:, :2], people.boxes[:, 2:]
    images = truth.image_ids[truth.images]
    return Poses(
        schema=truth.schema,
        images=truth.image_ids[people.images],
        keypoints=people.keypoints,
        visible=people.visible,
        crops=np.concatenate([corner + size * (1 - padding) / 2, size * padding], axis=1),
        boxes=people.boxes,
        areas=people.scales**2,
        truth=People(images, truth.keypoints, truth.areas, truth.boxes, truth.crowd),
    )


def uniform(
    schema: Schema, image_size: tuple[int, int], number: int, margin: float, area: float, seed: int
) -> Poses:
    """Independent points, evenly spread over crops but for a margin; a person in each image."""
    height, width = image_size
    size = np.array([width, height], dtype=np.float64)
    draws = np.random.default_rng(seed).random((number, schema.joints, 2))
    points = (margin + (1 - 2 * margin) * draws) * size - 0.5
    images = np.arange(number)
    crops = np.tile([0.0, 0.0, width, height], (number, 1))
    areas = np.full(number, area * height * width)
    seen = np.full(points.shape[:2], 2)
    marked = np.concatenate([points, seen[..., None]], axis=-1)
    truth = People(images, marked, areas, crops, np.zeros(number, dtype=bool))
    return Poses(schema, images, points, seen, crops, crops, areas, truth)


@dataclass(frozen=True)
class Representation:
    """A codec with the names its rows bear; one encoding serves all its decoders."""

    codec: Codec
    layout: str
    target: str
    geometry: str
    sigmas: dict[str, float | None]  # of a row, by decoder
    flip_test: bool
    uncertainty: float | tuple[float, ...]  # of all joints, or of each
    whole_pixels: bool = False  # keypoints are rounded to, before a label is drawn

    def __post_init__(self) -> None:
        for width in self.widths:
            if not 0 <= width < math.inf:
                raise IncompatibleError(
                    f"uncertainty={width:g}: give a width in input pixels, at least 0."
                )
        if max(self.widths):
            refuse_entangled(self.codec)

    @property
    def widths(self) -> tuple[float, ...]:
        wide = self.uncertainty
        return wide if isinstance(wide, tuple) else (wide,)


def rows(
    representation: Representation, poses: Poses, noise: float = 0.0, seed: int = 0
) -> Iterator[Row]:
    """One a decoder. Noise is a standard deviation per bin, as a share of a map's highest value.

    Errors in pixels are those of labelled joints inside the map. The others are drawn where the map
    comes closest to them, and count in OKS, AP and PCK.
    """
    codec = representation.codec
    grid = codec.grid
    boxes = torch.from_numpy(poses.crops)
    to_source = grid.geometry.to_source(boxes, grid.image_size)
    source = torch.from_numpy(poses.keypoints)
    true = geometry.apply(geometry.inverse(to_source), source).float()
    found = decoded(representation, poses.schema, true, noise, seed)
    inside = torch.stack([beyond <= 0 for beyond in grid.beyond(true)]).all(0).numpy()
    counted = inside & (poses.visible > 0)
    for decoder, points in found.items():
        there = geometry.apply(to_source, points.double()).numpy()
        away = (points - true).double().numpy()[counted]
        yield {
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
            **_errors(away),
            "mean_source_px": _mean(_length(there - poses.keypoints)[counted]),
            **_figures(there, poses),
        }


def write(table: Sequence[Row], file: Path, **facts: str) -> None:
    """With facts that hold for every row in the file's metadata."""
    plain = [{k: None if _is_nan(v) else v for k, v in row.items()} for row in table]
    pq.write_table(pa.Table.from_pylist(plain, SCHEMA.with_metadata(facts)), file)


def decoded(
    representation: Representation,
    schema: Schema,
    true: Keypoints,
    noise: float = 0.0,
    seed: int = 0,
) -> dict[str, Keypoints]:
    """By decoder, where a network of this posterior that makes no other mistake answers."""
    codec = representation.codec
    wide = (representation.uncertainty, representation.whole_pixels)
    grid = codec.grid
    generator = torch.Generator().manual_seed(seed)
    bins = sum(math.prod(shape) for shape in grid.shapes) * true.shape[1]
    found: dict[str, list[Keypoints]] = {name: [] for name in codec.decoders}
    for people in _nearest(grid, true).split(max(1, AT_ONCE // bins)):
        maps = _noisy(learnt(codec, people, *wide), noise, generator)
        if representation.flip_test:
            mirrored = _mirrored(people, grid.image_size[1], schema.flip)
            other = _noisy(learnt(codec, mirrored, *wide), noise, generator)
            pairs = zip(maps, codec.mirror(other, schema.flip), strict=True)
            maps = tuple((one + two) / 2 for one, two in pairs)
        for name, decoder in codec.decoders.items():
            found[name].append(grid.join([decoder(each, grid.stride) for each in maps]))
    return {name: torch.cat(parts) for name, parts in found.items()}


def _noisy(maps: Heatmaps, noise: float, generator: torch.Generator) -> Heatmaps:
    if not noise:
        return maps
    return tuple(
        each + noise * each.amax() * torch.randn(each.shape, generator=generator) for each in maps
    )


def _mirrored(keypoints: Keypoints, width: int, flip: tuple[int, ...]) -> Keypoints:
    x, y = keypoints[:, list(flip)].unbind(-1)
    return torch.stack([width - 1 - x, y], dim=-1)


def _nearest(grid: Grid, keypoints: Keypoints) -> Keypoints:
    """Within the outer bins, which end half a bin beyond their middles."""
    sizes = [torch.tensor(shape, dtype=keypoints.dtype) for shape in grid.shapes]
    places = zip(grid.split(keypoints), sizes, strict=True)
    return grid.join([bins.clamp(min=-0.5).minimum(size - 0.5) for bins, size in places])


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


def _figures(there: Float64[np.ndarray, "person joint 2"], poses: Poses) -> Row:
    """With a score of 1 for everyone: equals stand in the order of images, then of the file."""
    sigmas = np.array(poses.schema.sigmas)
    seen: Bool[np.ndarray, "person joint"] = poses.visible > 0
    truths = np.concatenate([poses.keypoints, poses.visible[..., None]], axis=-1)
    alike = oks.to_truth(there.copy(), truths, poses.areas, poses.boxes, sigmas)
    found = Found(poses.images, there, np.ones(len(poses)))
    ap = average_precision.evaluate(poses.truth, found, sigmas)
    size = poses.boxes[:, 2:].max(1)
    close = _length(there - poses.keypoints) <= 0.05 * size[:, None]
    return {
        "mean_oks": _mean(alike),
        "ap": ap["AP"],
        "ap50": ap["AP50"],
        "ap75": ap["AP75"],
        "pck05": _mean(close[seen]),
    }


def _length(away: np.ndarray) -> np.ndarray:
    return np.hypot(away[..., 0], away[..., 1])


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else math.nan


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
