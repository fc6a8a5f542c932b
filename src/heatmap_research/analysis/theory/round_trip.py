"""True points to the maps a faultless network would answer with, and back to points."""

import math
from dataclasses import dataclass

import torch
from torch.quasirandom import SobolEngine

from heatmap_research.analysis.theory.posterior import is_entangled, learnt
from heatmap_research.codec.codec import Codec
from heatmap_research.codec.grid import Grid
from heatmap_research.types import Heatmaps, IncompatibleError, Keypoints, Schema

BINS_AT_ONCE = 1 << 21  # larger maps than a cache holds take longer


@dataclass(frozen=True)
class Representation:
    """A codec with the names its rows bear; one encoding serves all its decoders."""

    codec: Codec
    layout: str
    target: str
    geometry: str
    sigmas: dict[str, float | None]  # by decoder: input pixels, as its row states them
    flip_test: bool
    uncertainty: float | tuple[float, ...]  # input pixels, of all joints or of each
    whole_pixels: bool = False  # whether keypoints are rounded before a label is drawn

    def __post_init__(self) -> None:
        for width in self.widths:
            if not 0 <= width < math.inf:
                raise IncompatibleError(
                    f"uncertainty={width:g}: give a width in input pixels, at least 0."
                )
        if max(self.widths) and is_entangled(self.codec):
            raise IncompatibleError(
                "uncertainty above 0 needs a label that is the product of a profile along each "
                "axis, and this target's is not in 2-D: choose uncertainty=0, layout=1d or another "
                "target."
            )

    @property
    def widths(self) -> tuple[float, ...]:
        return self.uncertainty if isinstance(self.uncertainty, tuple) else (self.uncertainty,)


def decoded(
    representation: Representation,
    schema: Schema,
    true: Keypoints,
    noise: float = 0.0,
    seed: int = 0,
) -> dict[str, Keypoints]:
    """What each decoder answers, by its name, in crop pixels.

    The maps are those of a network that makes no mistake but is as unsure as its posterior is wide.
    """
    codec = representation.codec
    generator = torch.Generator().manual_seed(seed)
    bins = sum(math.prod(shape) for shape in codec.grid.shapes) * true.shape[1]
    parts: dict[str, list[Keypoints]] = {name: [] for name in codec.decoders}
    for people in _nearest(codec.grid, true).split(max(1, BINS_AT_ONCE // bins)):
        maps = _answered(representation, schema, people, noise, generator)
        for name, decoder in codec.decoders.items():
            parts[name].append(codec.grid.join([decoder(m, codec.grid.stride) for m in maps]))
    return {name: torch.cat(points) for name, points in parts.items()}


def floors(codec: Codec, joints: int, people: int = 64) -> dict[str, float]:
    """Each decoder's mean error in pixels where a network answers what its labels teach, exactly.

    Points lie in whole bins of the inner four fifths of the crop, evenly over the phases of a bin.
    """
    draws = SobolEngine(4, scramble=True, seed=0).draw(people * joints)
    place, phase = draws.view(people, joints, 2, 2).unbind(-2)
    bins = torch.tensor(codec.grid.bins)
    inner = (0.8 * bins).floor().clamp(min=1)
    bin_of = ((bins - inner) / 2).floor() + (place * inner).floor()
    points = codec.grid.join([bin_of + phase - 0.5])
    maps = learnt(codec, points, 0.0, False)
    answers = {name: prediction.keypoints for name, prediction in codec.decode(maps).items()}
    return {name: float((answer - points).norm(dim=-1).mean()) for name, answer in answers.items()}


def _answered(
    representation: Representation,
    schema: Schema,
    people: Keypoints,
    noise: float,
    generator: torch.Generator,
) -> Heatmaps:
    """The maps that are decoded; in a flip test the mean of both."""
    codec = representation.codec

    def answer(points: Keypoints) -> Heatmaps:
        maps = learnt(codec, points, representation.uncertainty, representation.whole_pixels)
        if not noise:
            return maps
        return tuple(m + noise * m.amax() * torch.randn(m.shape, generator=generator) for m in maps)

    maps = answer(people)
    if not representation.flip_test:
        return maps
    x, y = people[:, list(schema.flip)].unbind(-1)
    mirrored = answer(torch.stack([codec.grid.image_size[1] - 1 - x, y], dim=-1))
    pairs = zip(maps, codec.mirror(mirrored, schema.flip), strict=True)
    return tuple((one + two) / 2 for one, two in pairs)


def _nearest(grid: Grid, keypoints: Keypoints) -> Keypoints:
    """Moves points into the outer bins, which end half a bin beyond their middles."""
    sizes = [torch.tensor(shape, dtype=keypoints.dtype) for shape in grid.shapes]
    places = zip(grid.split(keypoints), sizes, strict=True)
    return grid.join([bins.clamp(min=-0.5).minimum(size - 0.5) for bins, size in places])
