"""COCO's people as a network would place them that errs by a known rule, read in several ways.

A network is taken to know, of each joint and each axis, a normal posterior about a middle m; the
truth lies where that posterior says. What it answers with follows: in SimCC's fine bins the highest
is m rounded; a map trained on rounded labels is their mixture under the posterior, which dithers.
Everything is separable, so that a map is one profile along each axis.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.special import ndtr

from heatmap_research.analysis.comparison.statistics import bootstrap, weighted_ap
from heatmap_research.analysis.theory import true_poses
from heatmap_research.codec import geometry
from heatmap_research.codec.decoders.dark_published import DarkPublished
from heatmap_research.codec.decoders.quarter_offset import QuarterOffset
from heatmap_research.codec.geometry import Geometry
from heatmap_research.data.annotations import read
from heatmap_research.metrics import average_precision
from heatmap_research.metrics.average_precision import Found

LEGACY = Geometry(first=0.0, last=0.0, flip_shift=None)  # bin n on pixel n x stride, as published
PADDING, STRIDE, LABEL = 1.25, 4, 2.0  # boxes, pixels a bin, bins of a label's sigma
# HRNet's and DARK's code refine only where the highest bin lies so far from all borders of a map:
# beyond the second bin of an axis, and this many before its end.
DECODERS = {
    "quarter": (QuarterOffset(step=0.25, dead_zone=1e-6, border="none"), 1),
    "dark": (DarkPublished(size=11, floor=1e-10), 2),
}
MODELS = ("pixels", "person", "heavy tails", "by joint")
SCORES = ("random", "box", "error")  # what people are ranked by


@dataclass(frozen=True)
class Noise:
    """How unsure a network is. `width` times the model's own unit is a standard deviation."""

    model: str
    gross: float  # share of joints found anywhere in the person's box

    def widths(self, crops: "Crops") -> np.ndarray:
        """(person, joint) crop pixels for a width of 1."""
        ones = np.ones(crops.labelled.shape)
        if self.model == "pixels":
            return ones * crops.size[0]
        if self.model == "by joint":
            return crops.root_area[:, None] * 2 * crops.sigmas
        return crops.root_area[:, None] * ones

    def errors(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Of a standard deviation of 1; heavy tails are Student's with 3 degrees of freedom."""
        if self.model == "heavy tails":
            return rng.standard_t(3, shape) / np.sqrt(3)
        return rng.standard_normal(shape)


class Crops:
    """Everyone with a labelled joint, cropped to one size."""

    def __init__(self, file: Path, size: tuple[int, int]) -> None:
        self.poses = true_poses.annotated(read(str(file), None, None), PADDING)
        self.size, people = size, self.poses.people
        self.sigmas = np.array(self.poses.schema.sigmas)
        self.to_source = LEGACY.to_source(torch.from_numpy(self.poses.crops), size)
        inverse = geometry.inverse(self.to_source)
        self.true = geometry.apply(inverse, torch.from_numpy(self.poses.keypoints)).numpy()
        self.labelled = people.keypoints[..., 2] > 0
        unit = self.to_source[:, 0, 0].numpy()
        self.root_area = np.sqrt(people.areas) / unit
        corner = people.boxes[:, None, :2]
        ends = np.concatenate([corner, corner + people.boxes[:, None, 2:]], 1)
        self.box = geometry.apply(inverse, torch.from_numpy(ends)).numpy()  # low, high
        self.images = np.unique(self.poses.truth.image)

    def found(self, points: np.ndarray, scores: np.ndarray) -> Found:
        source = geometry.apply(self.to_source, torch.from_numpy(points)).numpy()
        return Found(self.poses.people.image, source, scores)

    def ap(self, points: np.ndarray, rule: str, seed: int) -> float:
        found = self.found(points, self.scores(points, rule, seed))
        return 100 * average_precision.evaluate(self.poses.truth, found, self.sigmas)["AP"]

    def drawn(self, points: np.ndarray, rule: str, seed: int, resamples: int) -> np.ndarray:
        """AP of images drawn with replacement, the same draws for the same number of them."""
        found = self.found(points, self.scores(points, rule, seed))
        matched = weighted_ap.matched(self.poses.truth, found, self.sigmas, self.images)
        draws = bootstrap.blocks(np.random.default_rng(seed), resamples, len(self.images))
        return 100 * np.concatenate([matched.of(weights) for weights in draws])

    def scores(self, points: np.ndarray, rule: str, seed: int) -> np.ndarray:
        if rule == "box":  # of true boxes: all alike
            return np.ones(len(points))
        if rule == "random":
            return np.random.default_rng([seed, 7]).random(len(points))
        return average_precision.true_oks(
            self.poses.truth, self.found(points, np.ones(len(points))), self.sigmas
        )


@dataclass(frozen=True)
class Answers:
    """Posteriors of a network: their middles, (person, joint, 2), and widths, crop pixels."""

    middle: np.ndarray
    width: np.ndarray
    size: tuple[int, int]

    def simcc(self, bins: int) -> np.ndarray:
        """The highest of `bins` bins a pixel."""
        last = np.array(self.size[::-1]) * bins - 1
        return np.clip(np.rint(self.middle * bins), 0, last) / bins

    def maps(self) -> Iterator[torch.Tensor]:
        """A profile (1, person x joint, bin) for x, then for y, of a map with rounded labels."""
        width = np.maximum(self.width, 1e-3).reshape(-1, 1) / STRIDE
        for axis, side in enumerate(self.size[::-1]):
            count = side // STRIDE
            edges = np.arange(count + 1) - 0.5
            edges[[0, -1]] = -np.inf, np.inf  # labels beyond the map count as its last bins
            middle = self.middle[..., axis].reshape(-1, 1) / STRIDE
            share = np.diff(ndtr((edges - middle) / width), axis=1)
            bins = np.arange(count)
            drawn = np.exp(-0.5 * ((bins[:, None] - bins) / LABEL) ** 2)
            yield torch.from_numpy(share @ drawn)[None]

    def read(self) -> dict[str, np.ndarray]:
        """What the highest bin, a quarter step and DARK make of the maps, in crop pixels."""
        profiles = list(self.maps())
        shape = self.middle.shape[:2]

        def along_both(way: Callable[[torch.Tensor], torch.Tensor]) -> np.ndarray:
            return np.stack([way(p).double().numpy().reshape(shape) for p in profiles], -1)

        highest = along_both(lambda profile: profile.argmax(-1))
        last = np.array(self.size[::-1]) // STRIDE - 1
        points = {"argmax": highest}
        for name, (decoder, border) in DECODERS.items():
            inside = ((highest > 1) & (highest < last + 1 - border)).all(-1, keepdims=True)
            refined = along_both(lambda profile, decoder=decoder: decoder(profile, STRIDE))
            points[name] = np.where(inside, refined, highest)
        return {name: STRIDE * each for name, each in points.items()}


def answers(crops: Crops, noise: Noise, width: float, seed: int) -> Answers:
    """The same draws for every width, so that AP falls smoothly with it."""
    rng = np.random.default_rng(seed)
    shape = crops.true.shape
    away = noise.errors(rng, shape)
    lost, place = rng.random(shape[:2]) < noise.gross, rng.random(shape)
    widths = width * noise.widths(crops)
    anywhere = crops.box[:, :1] + place * np.diff(crops.box, axis=1)
    middle = np.where(lost[..., None], anywhere, crops.true + widths[..., None] * away)
    return Answers(middle, widths, crops.size)
