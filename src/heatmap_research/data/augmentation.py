"""Draws random crops. An item's draw depends on the seed and the item's number alone."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int

from heatmap_research.codec.geometry import Geometry
from heatmap_research.data import counter_random
from heatmap_research.types import Tensor

PerItem = Float[Tensor, " batch"]
Boxes = Float[Tensor, "batch 4"]  # x, y, width, height; source pixels

# words in the names of joints of the lower half
LOWER_HALF = ("hip", "pelvis", "thigh", "knee", "shin", "ankle", "foot", "heel", "toe")
UP_TO_ONE = (
    *("flip", "rotation_probability", "shift_probability", "half_body", "half_body_upper"),
    *("patch_probability", "patch_size", "shift"),
)


def _truncated(draw: Tensor, limit: float) -> Tensor:
    tail = 0.5 * math.erfc(limit / math.sqrt(2))
    return torch.special.ndtri(tail + draw * (1 - 2 * tail))


SPREADS: dict[str, Callable[[Tensor, float], Tensor]] = {
    # standard normal; a draw beyond the limit becomes the limit
    "clipped": lambda draw, limit: torch.special.ndtri(draw).clamp(-limit, limit),
    "truncated": _truncated,  # standard normal, drawn within the limit only
    "uniform": lambda draw, limit: (2 * draw - 1) * limit,
}


class Joints(NamedTuple):
    """Where the joints of a batch are, and which of them belong to the upper half."""

    points: Float[Tensor, "batch joint 2"]  # source pixels
    visible: Int[Tensor, "batch joint"]
    upper: Bool[Tensor, " joint"]


class Draws(NamedTuple):
    """What is drawn at random for each item of a batch."""

    flip: Bool[Tensor, " batch"]
    angle: PerItem  # radians
    scale: PerItem  # factor of the box's sides
    shift: Float[Tensor, "batch 2"]  # x, y in sides of the padded box
    half: Bool[Tensor, " batch"]  # crop half the joints only, if enough are labelled
    upper: Bool[Tensor, " batch"]  # prefer the upper half to the lower one
    patches: Float[Tensor, "batch patch 4"]  # x, y, width, height in sides of the crop


@dataclass(frozen=True)
class Augmentation:
    """How strongly crops are changed: the strengths multiply draws of a standard distribution."""

    flip: float  # probability
    spread: str  # distribution of rotation, scale, shift: clipped or truncated (normal), uniform
    rotation: float  # degrees at 1 of the spread
    rotation_limit: float  # of the spread; that of scale and shift is 1
    rotation_probability: float
    scale: float  # the box's sides are multiplied by 1 + this x the spread
    shift: float  # in sides of the padded box
    shift_probability: float
    half_body: float  # probability
    half_body_least: int  # labelled joints a person must have
    half_body_padding: float  # side of the crop, in sides of the joints' box
    half_body_upper: float  # probability of the upper half
    patches: int  # number of patches that may be painted black
    patch_size: Sequence[float]  # least and largest, in sides of the crop
    patch_probability: float  # of each patch

    def __post_init__(self) -> None:
        if self.spread not in SPREADS:
            raise ValueError(f"augment.spread={self.spread}: choose {', '.join(SPREADS)}.")
        for knob in (field.name for field in fields(self) if field.name != "spread"):
            value = getattr(self, knob)
            limit = 1 if knob in UP_TO_ONE else math.inf
            numbers = value if isinstance(value, Sequence) else (value,)
            if not all(0 <= number <= limit and number < math.inf for number in numbers):
                raise ValueError(f"augment.{knob}={value}: choose from 0 to {limit}.")
        if self.scale >= 1:
            raise ValueError(f"augment.scale={self.scale}: a box needs a size; choose below 1.")
        if len(self.patch_size) != 2 or self.patch_size[0] > self.patch_size[1]:
            raise ValueError(f"augment.patch_size={self.patch_size}: give the least, the largest.")

    @property
    def active(self) -> bool:
        turned = self.rotation * self.rotation_probability
        moved, covered = self.shift * self.shift_probability, self.patches * self.patch_probability
        return any((self.flip, turned, self.scale, moved, self.half_body, covered))

    def draw(self, seed: int, number: Int[Tensor, " batch"]) -> Draws:
        purpose = ("augmentation", seed)
        uniform = counter_random.uniform(purpose, number, 9 + 5 * self.patches).double()
        uniform = uniform + 2.0**-25  # never 0, whose normal is infinite
        flip, turns, moves, half, upper = (uniform[:, i] for i in range(5))
        spread = SPREADS[self.spread]
        angle = math.radians(self.rotation) * spread(uniform[:, 5], self.rotation_limit)
        shift = self.shift * spread(uniform[:, 7:9], 1.0)
        return Draws(
            flip=flip < self.flip,
            angle=angle * (turns < self.rotation_probability),
            scale=1 + self.scale * spread(uniform[:, 6], 1.0),
            shift=shift * (moves < self.shift_probability)[:, None],
            half=half < self.half_body,
            upper=upper < self.half_body_upper,
            patches=self._patches(uniform[:, 9:].unflatten(1, (self.patches, 5))),
        )

    def _patches(self, uniform: Float[Tensor, "batch patch 5"]) -> Float[Tensor, "batch patch 4"]:
        least, largest = self.patch_size
        size = least + (largest - least) * uniform[..., 2:4]
        size = size * (uniform[..., 4:] < self.patch_probability)
        return torch.cat([uniform[..., :2] * (1 - size), size], dim=-1)

    def boxes(self, draws: Draws, padded: Boxes, joints: Joints) -> Boxes:
        """The boxes to crop: all of the person or half the joints, then scaled and shifted."""
        if self.half_body:
            halves = self._half_bodies(draws.upper, padded, joints)
            padded = torch.where(draws.half[:, None], halves, padded)
        middle = padded[:, :2] + padded[:, 2:] * (0.5 + draws.shift)
        size = padded[:, 2:] * draws.scale[:, None]
        return torch.cat([middle - size / 2, size], dim=-1)

    def candidates(self, padded: Boxes, joints: Joints) -> list[Boxes]:
        """Every box that may be cropped, before it is scaled and shifted."""
        if not self.half_body:
            return [padded]
        above = torch.ones(len(padded), dtype=torch.bool)
        return [padded, *(self._half_bodies(half, padded, joints) for half in (above, ~above))]

    def _half_bodies(self, above: Bool[Tensor, " batch"], padded: Boxes, joints: Joints) -> Boxes:
        """Boxes about the mean of half the joints, as in HRNet.

        The half that was drawn needs 3 labelled joints, else the other half is taken if it has 2.
        """
        seen = joints.visible > 0
        halves = torch.stack([seen & joints.upper, seen & ~joints.upper], dim=1)  # (B, 2, K)
        count = halves.sum(-1)
        first = torch.where(above & (count[:, 0] > 2) | (count[:, 1] <= 2), 0, 1)
        mask = halves[torch.arange(len(halves)), first]  # (B, K)
        out, kept = ~mask[..., None], mask.sum(-1, keepdim=True)
        middle = joints.points.masked_fill(out, 0).sum(1) / kept.clamp(min=1)
        high = joints.points.masked_fill(out, -math.inf).amax(1)
        low = joints.points.masked_fill(out, math.inf).amin(1)
        size = (high - low) * self.half_body_padding
        enough = (seen.sum(-1) > self.half_body_least) & (kept[:, 0] >= 2) & (size > 0).all(-1)
        return torch.where(enough[:, None], torch.cat([middle - size / 2, size], -1), padded)


def to_source(
    draws: Draws, box: Boxes, image_size: tuple[int, int], geometry: Geometry
) -> Float[Tensor, "batch 2 3"]:
    """Matrices from crop pixels to source pixels: mirror, put on the box, turn about its middle."""
    plain = geometry.to_source(box, image_size)
    middle = (geometry.first + box.new_tensor(image_size[::-1]) + geometry.last) / 2
    centre = plain[..., :2] @ middle + plain[..., 2]  # (B, 2) source pixels
    cosine, sine = draws.angle.cos(), draws.angle.sin()
    turn = torch.stack([cosine, -sine, sine, cosine], dim=-1).unflatten(-1, (2, 2))
    linear = turn @ plain[..., :2]
    offset = (turn @ (plain[..., 2] - centre)[..., None])[..., 0] + centre
    mirror = torch.where(draws.flip, -1.0, 1.0).to(box)
    offset = offset + linear[..., 0] * ((image_size[1] - 1) * draws.flip)[:, None]
    linear = torch.stack([linear[..., 0] * mirror[:, None], linear[..., 1]], dim=-1)
    return torch.cat([linear, offset[..., None]], dim=-1)


def upper_half(names: Sequence[str]) -> Bool[Tensor, " joint"]:
    """Every joint but those whose names speak of the hips or of something below."""
    return torch.tensor([not any(word in name.lower() for word in LOWER_HALF) for name in names])
