"""Draws figures with joints known to a fraction of a pixel, in batches, on a CPU or a GPU.

Pixel i has its centre at i. An image and its joints depend on the knobs and the image's number
alone, not on the batch: `counter_random` has the numbers, `canvas` the arithmetic for it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from heatmap_research.data import counter_random
from heatmap_research.data.counter_random import Index
from heatmap_research.data.rendering import body, colours, tiles
from heatmap_research.data.rendering.canvas import Canvas, area_average, blur, stretch

PIXELS_AT_ONCE = {"cpu": 1 << 16, "cuda": 1 << 22}  # what fits the caches; what fills the device
FILL = (0.72, 0.97)  # from and to, of the largest scale that fits
FAR_AWAY = -1e4  # pixels; where a second figure is put if there is to be none

LIMITS = {
    "figures.channels": (1, 256, "the number of channels"),
    "marker": (0, 1, "the opacity of the joint discs"),
    "occlusion": (0, 1, "a fraction of covered pixels"),
    "distractor": (0, 1, "the probability of a second figure"),
    "point_spread": (0, 8, "the blur in pixels"),
    "noise": (0, 1, "the standard deviation of the grain, white being 1,"),
    "downsample": (1, 16, "a whole factor"),
    "figures.edge": (0.1, 8, "the half width of an edge in pixels"),
    "figures.margin": (0, 0.4, "the free border as a fraction of a side"),
    "figures.padding": (0.5, 4, "the padding as a factor of the box"),
    "figures.scale_jitter": (0, 0.9, "the jitter of a scale"),
    "figures.shift_jitter": (0, 1, "the jitter of a shift as a fraction of a side"),
}


@dataclass(frozen=True)
class Figures:
    image_size: Sequence[int]  # height, width
    channels: int  # 1 is luminance, 2 or 3 are colours, more are mixtures of colours
    seed: int
    marker: float  # opacity of the discs on the joints; at 0 only limbs show where joints are
    palette_cue: bool  # whether left and right limbs differ in colour
    occlusion: float  # fraction of pixels, and of joints, that are covered
    distractor: float  # probability of a second figure behind
    # anywhere inside; or as in a crop around a detected box, which may cut off joints
    placement: Literal["uniform", "box"]
    margin: float  # uniform: free border, fraction of a side
    padding: float  # box: side of the crop, in boxes
    scale_jitter: float  # box: the crop's side is off by up to this factor, both ways
    shift_jitter: float  # box: its middle is off by up to this fraction of a side, both ways
    point_spread: float  # sigma of the Gaussian blur, pixels
    noise: float  # standard deviation of the grain; white is 1
    downsample: int  # scenes are drawn so many times larger, then averaged over areas
    edge: float  # half width of the anti-aliased edge, pixels

    def __post_init__(self) -> None:
        for knob, (low, high, meaning) in LIMITS.items():
            value = getattr(self, knob.rpartition(".")[2])
            if not low <= value <= high:
                raise ValueError(f"data.{knob}={value}: {meaning} lies in [{low}, {high}].")
        if len(self.image_size) != 2 or not all(16 <= side <= 1024 for side in self.image_size):
            raise ValueError(f"image_size={self.image_size}: height and width lie in [16, 1024].")
        if self.placement not in ("uniform", "box"):
            raise ValueError(f"data.placement={self.placement}: choose uniform or box.")

    def __call__(self, index: Index) -> UInt8[Tensor, "batch {self.channels} height width"]:
        height, width = self._scene_size
        at_once = max(1, PIXELS_AT_ONCE.get(index.device.type, 1 << 16) // (height * width))
        return torch.cat([self._develop(self._scene(part), part) for part in index.split(at_once)])

    def joints(self, index: Index) -> body.Joints:
        """x, y in pixels of the image."""
        return self._joints(index, "front", self.placement)

    def covered(self, index: Index) -> Bool[Tensor, "batch 13"]:
        height, width = self.image_size
        x, y = self.joints(index).unbind(-1)
        return self._tiles(index).at(x - (width - 1) / 2, y - (height - 1) / 2)

    @property
    def _scene_size(self) -> tuple[int, int]:
        height, width = self.image_size
        return height * self.downsample, width * self.downsample

    @property
    def _unit(self) -> float:
        """Pixels of the scene per pixel of a 64-pixel image."""
        return min(self._scene_size) / 64

    def _joints(self, index: Tensor, who: str, how: str) -> Tensor:
        draws = counter_random.uniform((self.seed, who, "pose"), index, len(body.RANGES))
        joints = body.pose(draws.double())  # float64 hides what sines of two devices differ by
        low, high = joints.amin(1), joints.amax(1)
        scale, middle = self._place(high - low, who, how, index)
        joints = (joints - (low + high)[:, None] / 2) * scale[:, None] + middle[:, None] - 0.5
        return joints.float()

    def _place(self, box: Tensor, who: str, how: str, index: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels per torso, and the middle of the joints' box: x, y from the outer corner."""
        draws = counter_random.uniform((self.seed, who, "place"), index, 3).double()
        size = box.new_tensor([*reversed(self.image_size)])
        if how == "uniform":
            room = size * (1 - 2 * self.margin)
            fill = FILL[0] + (FILL[1] - FILL[0]) * draws[:, :1]
            scale = (room / box).amin(-1, keepdim=True) * fill
            return scale, size / 2 + (room - box * scale) * (draws[:, 1:] - 0.5)
        jitter = 2 * draws - 1
        padded = self.padding * (1 + self.scale_jitter * jitter[:, :1])
        scale = (size / box).amin(-1, keepdim=True) / padded
        return scale, size / 2 + size * self.shift_jitter * jitter[:, 1:]

    def _scene(self, index: Tensor) -> Tensor:
        """Paints (B, C, H, W) in [0, 255], `downsample` times as large as the image."""
        canvas = Canvas(self._texture(index, "background"), self.edge * self.downsample)
        if self.distractor:
            behind = self._joints(index, "back", "uniform")
            draw = counter_random.uniform((self.seed, "back", "present"), index, 1)[..., None]
            behind += FAR_AWAY * (draw >= self.distractor)
            self._draw(canvas, behind, index, "back")
        self._draw(canvas, self.joints(index), index, "front")
        if not self.occlusion:
            return canvas.image
        return torch.where(self._mask(index), self._texture(index, "tiles"), canvas.image)

    def _draw(self, canvas: Canvas, joints: Tensor, index: Tensor, who: str) -> None:
        joints = (joints + 0.5) * self.downsample - 0.5
        points = body.with_middles(joints)
        parts = self._channels(colours.parts((self.seed, who), index, self.palette_cue))
        for start, end, half_width, part in body.LIMBS:
            radius = half_width * self._unit
            canvas.capsule(points[:, start], points[:, end], radius, parts[:, part])
        canvas.disc(joints[:, 0], body.HEAD_RADIUS * self._unit, parts[:, body.HEAD])
        if self.marker:
            markers = self._channels(colours.markers((self.seed, who), index))
            for joint, colour in zip(joints.unbind(1), markers.unbind(1), strict=True):
                canvas.disc(joint, body.MARKER_RADIUS * self._unit, colour, self.marker)

    def _texture(self, index: Tensor, what: str) -> Tensor:
        lattice = self._channels(colours.texture((self.seed, what), index))
        return stretch(lattice.movedim(-1, 1), *self._scene_size)

    def _channels(self, colour: Tensor) -> Tensor:
        return colours.channels(255 * colour, self.channels)

    def _tiles(self, index: Tensor) -> tiles.Tiles:
        return tiles.scatter(self.seed, index, *self.image_size, fraction=self.occlusion)

    def _mask(self, index: Tensor) -> Tensor:
        y, x = (
            (torch.arange(side, device=index.device) - (side - 1) / 2) / self.downsample
            for side in self._scene_size
        )
        return self._tiles(index).at(x[None, None], y[None, :, None])[:, None]

    def _develop(self, scene: Tensor, index: Tensor) -> Tensor:
        """Adds blur, pixels and grain, in the order of a camera."""
        if self.point_spread:
            scene = blur(scene, self.point_spread * self.downsample)
        image = scene if self.downsample == 1 else area_average(scene, self.downsample)
        if self.noise:
            step = 255 * self.noise * math.sqrt(12) / (1 << 16)
            grain = counter_random.shorts((self.seed, "grain"), index, image[0].numel())
            image.add_(grain.view(image.shape).float().add_(0.5).mul_(step))
        return image.clamp_(0, 255).round_().to(torch.uint8)
