"""The representation by maps: keypoints to labels, scores to a loss, heatmaps to keypoints."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple, get_args

import torch
from jaxtyping import Float

from heatmap_research.codec import heatmaps, taylor
from heatmap_research.codec.grid import Grid
from heatmap_research.codec.learnt_joints import Labels
from heatmap_research.codec.parts import in_cache, joined
from heatmap_research.codec.protocols import Decoder, Loss, Target
from heatmap_research.codec.sharing import sharing
from heatmap_research.types import (
    Activation,
    Heatmap,
    Heatmaps,
    IncompatibleError,
    Keypoints,
    Label,
    Others,
    PerJoint,
    Position,
    Prediction,
    Strides,
    Tensor,
    Visible,
)


class Cost(NamedTuple):
    """The loss of a batch, and how far it is above the least that its labels allow, if asked."""

    loss: Float[Tensor, ""]
    excess: Float[Tensor, ""] | None


class Ideal(NamedTuple):
    """Facts of one map's label far from the border, joint by joint."""

    height: Float[Tensor, "1 joint"]  # as it is read, on a bin
    between: Float[Tensor, "1 joint"]  # halfway between two bins
    energy: Float[Tensor, "1 joint"]  # sum of squares


@dataclass(frozen=True)
class Widths:
    """How wide labels are, as multiples of the width that their target has."""

    anisotropy: tuple[float, float]  # along y, along x
    by_joint: tuple[float, ...] | None  # null: all joints alike

    def __post_init__(self) -> None:
        if min(*self.anisotropy, *(self.by_joint or (1.0,))) <= 0:
            raise ValueError(
                f"anisotropy={list(self.anisotropy)}: label widths along y and x are above 0."
            )

    def __call__(self, stride: tuple[float, ...], axes: tuple[int, ...], like: Tensor) -> Strides:
        """Returns the pixels per bin that make a target draw labels of these widths.

        A target divides its width by the pixels per bin, so fewer of them make a wider label.
        """
        scaled = tuple(s / self.anisotropy[axis] for s, axis in zip(stride, axes, strict=True))
        if self.by_joint is None:
            return scaled
        joints = heatmaps.constant(self.by_joint, like)[:, None]  # (K, 1)
        return tuple(s / joints for s in scaled)


UNSCALED = Widths(anisotropy=(1.0, 1.0), by_joint=None)
ScoreRule = Literal["product", "mass", "mean", "min"]


@dataclass(frozen=True)
class Codec:
    """Turns keypoints into maps and back. Every method serves both layouts by a loop over maps."""

    has_covariance: ClassVar[bool] = True  # every map has a width

    grid: Grid
    target: Target
    loss: Loss
    decoders: Mapping[str, Decoder]
    labels: Labels
    score: ScoreRule  # how the heights, or the masses, of a joint's maps make one score
    widths: Widths = UNSCALED
    beta: float = 1.0  # scores are multiplied by it before a softmax
    _ideals: dict[object, Ideal] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if self.score not in get_args(ScoreRule):
            raise ValueError(f"score={self.score}: choose {', '.join(get_args(ScoreRule))}.")
        self.labels.refuse_for(self.grid.ndim, self.loss.activation)
        if self.beta <= 0 or (self.beta != 1 and self.loss.activation != "softmax"):
            raise IncompatibleError(
                f"beta={self.beta:g} sharpens maps that are read through a softmax: choose a "
                "number above 0 and a loss that trains such maps, as loss=kl, or beta=1."
            )
        refuse_unreadable(self.decoders, self.loss.activation)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return self.grid.shapes

    def encode(
        self, keypoints: Keypoints, visible: Visible, others: Others | None = None
    ) -> list[Label]:
        """Returns one label for each map of a joint; some targets draw a second figure as well."""
        blank = self.labels.blank(visible)
        beyond = self.labels.per_map(self.grid.beyond(keypoints))
        positions, beside = self.grid.split(keypoints), self._beside(others)
        return [
            self._label(position, beside[m], blank, self.labels.drawn(visible, beyond[m]), m)
            for m, position in enumerate(positions)
        ]

    def training_loss(
        self,
        scores: Heatmaps,
        keypoints: Keypoints,
        visible: Visible,
        others: Others | None = None,
        excess: bool = True,
    ) -> Cost:
        """Adds up the maps of a joint, as log-likelihoods are, and takes the mean over joints.

        The least that labels allow costs half as much again: without `excess` it is left out.
        """
        with torch.autocast(keypoints.device.type, enabled=False), sharing():
            labels = self.encode(keypoints, visible, others)
            pairs = zip(scores, labels, strict=True)
            loss = _mean([self.loss(self._sharp(s), label) for s, label in pairs], labels)
            if not excess:
                return Cost(loss, None)
            least = _mean([self.loss.least(label) for label in labels], labels)
        return Cost(loss, loss.detach() - least)

    def activate(self, scores: Heatmaps) -> Heatmaps:
        return tuple(heatmaps.activate(self._sharp(s), self.loss.activation) for s in scores)

    def _sharp(self, scores: Heatmap) -> Heatmap:
        return scores.float() if self.beta == 1 else scores.float() * self.beta

    def mirror(self, activated: Heatmaps, flip: tuple[int, ...]) -> Heatmaps:
        """Turns the maps of a mirrored image into maps of the image itself."""
        return self.grid.mirror(tuple(heatmap[:, list(flip)] for heatmap in activated))

    def decode(self, activated: Heatmaps) -> dict[str, Prediction]:
        """Returns what each decoder, by name, finds in the same maps."""
        return joined([self._decode(part) for part in in_cache(activated)])

    def read(self, scores: Heatmaps) -> dict[str, Prediction]:
        """Activates and decodes; maps that are only read are then never written to memory."""
        return joined([self._decode(self.activate(part)) for part in in_cache(scores)])

    def _decode(self, activated: Heatmaps) -> dict[str, Prediction]:
        with torch.autocast(activated[0].device.type, enabled=False), sharing():
            score = self._score(activated)
            return {
                name: Prediction(self._locate(decoder, activated), score)
                for name, decoder in self.decoders.items()
            }

    def as_read(self, label: Heatmap) -> Heatmap:
        """Returns the activated map of a head whose scores match this label exactly."""
        return heatmaps.normalise(label) if self.loss.activation == "softmax" else label

    def _beside(self, others: Others | None) -> list[Position | None]:
        """Where the second figure is to be drawn in each map, if the target draws one.

        Joints that would not be learnt if they were the first figure's become nan.
        """
        if others is None or not getattr(self.target, "draws_others", False):
            return [None] * len(self.shapes)
        points, visible = others
        beyond = self.labels.per_map(self.grid.beyond(points))
        pairs = zip(self.grid.split(points), beyond, strict=True)
        return [
            position.masked_fill(self.labels.drawn(visible, away)[..., None] == 0, torch.nan)
            for position, away in pairs
        ]

    def _label(
        self,
        position: Position,
        beside: Position | None,
        blank: PerJoint | None,
        drawn: PerJoint,
        m: int,
    ) -> Label:
        shape = self.grid.shapes[m]
        middle = heatmaps.constant([(size - 1) / 2 for size in shape], position)
        position = torch.where(drawn[..., None] > 0, position, middle)  # or a nan would spread
        people = position if beside is None else torch.stack([position, beside], 1)
        heatmap = self._draw(people, m)
        if blank is not None:
            empty = 1 / heatmap[0, 0].numel() if self.labels.blanks == "uniform" else 0.0
            heatmap = torch.where(heatmaps.over(heatmap, blank) > 0, empty, heatmap)
        return Label(
            heatmap=heatmap,
            position=position,
            visible=drawn if blank is None else torch.maximum(drawn, blank),
            stride=self.grid.strides[m],
            energy=self._ideal(position, m).energy,
        )

    def _draw(self, position: Float[Tensor, "batch *person joint axis"], m: int) -> Heatmap:
        stride = self.widths(self.grid.strides[m], self.grid.axes[m], position)
        return self.target(position, self.grid.shapes[m], stride)

    def _ideal(self, like: Tensor, m: int) -> Ideal:
        """The facts of map m, drawn once for each kind of tensor; a compiler keeps its own."""
        if torch.compiler.is_compiling():
            return self._draw_ideal(like, m)
        key = m, like.shape[1], like.dtype, like.device
        if key not in self._ideals:
            with torch.inference_mode(False), torch.no_grad():  # or training could not use them
                self._ideals[key] = self._draw_ideal(like, m)
        return self._ideals[key]

    def _draw_ideal(self, like: Tensor, m: int) -> Ideal:
        on_a_bin, between = (self._middle(like, phase, m) for phase in (0.0, 0.5))
        heights = (self.as_read(each).flatten(2).amax(-1) for each in (on_a_bin, between))
        return Ideal(*heights, energy=on_a_bin.square().flatten(2).sum(-1))

    def _middle(self, like: Tensor, phase: float, m: int) -> Heatmap:
        """Draws one label per joint about the middle of map m, `phase` bins beyond a bin."""
        middle = heatmaps.constant([size // 2 + phase for size in self.grid.shapes[m]], like)
        return self._draw(middle.expand(1, like.shape[1], -1), m)

    def _locate(self, decoder: Decoder, activated: Heatmaps) -> Keypoints:
        return self.grid.join([decoder(heatmap, self.grid.stride) for heatmap in activated])

    def _score(self, activated: Heatmaps) -> PerJoint:
        score_map = self._mass if self.score == "mass" else self._height
        parts = torch.stack([score_map(heatmap, m) for m, heatmap in enumerate(activated)])
        if self.score == "min":
            return parts.amin(0).clamp(max=1)
        return (parts.mean(0) if self.score == "mean" else parts.prod(0)).clamp(max=1)

    def _height(self, heatmap: Heatmap, m: int) -> PerJoint:
        """Returns the peak as a share of an ideal label's: 1 for a label, on a bin or between two.

        A parabola estimates the peak from the highest bin. It may raise that bin by no more than
        it would raise the highest bin of a label halfway between two bins.
        """
        ideal = self._ideal(heatmap, m)
        centre = heatmaps.argmax(heatmap)
        near, _ = heatmaps.neighbourhood(heatmap, centre)
        top = heatmaps.middle(near).clamp(min=torch.finfo(heatmap.dtype).tiny)
        share = near / heatmaps.over(near, top)
        _, rise = taylor.paraboloid(share, heatmaps.interior(centre, heatmap.shape[2:]), 1e-12)
        return top / ideal.height * torch.minimum(rise, ideal.height / ideal.between)

    def _mass(self, heatmap: Heatmap, m: int) -> PerJoint:
        """Returns the share of mass near the highest bin, divided by that of a label drawn there.

        Near is where that label is above e^-2 of its peak: within two sigmas for a Gaussian.
        """
        label = self._draw(heatmaps.argmax(heatmap), m)
        peak = label.flatten(2).amax(-1)
        window = label >= 0.1353 * heatmaps.over(label, peak)
        share, ideal = (
            (heatmaps.normalise(each) * window).flatten(2).sum(-1) for each in (heatmap, label)
        )
        return (share / ideal).clamp(max=1)


def readable(needs: Activation | None, activation: Activation) -> bool:
    """Whether a decoder with these `needs` can read what a loss with this activation trains."""
    return needs == activation or (needs is None and activation != "coordinates")


def refuse_unreadable(decoders: Mapping[str, Decoder], activation: Activation) -> None:
    if not decoders:
        raise ValueError("decoder=[]: choose at least one, such as decoder=[argmax].")
    for name, decoder in decoders.items():
        if not readable(decoder.needs, activation):
            able = [n for n, d in decoders.items() if readable(d.needs, activation)]
            usual = "coordinates" if activation == "coordinates" else "argmax"
            raise IncompatibleError(
                f"decoder={name} reads {decoder.needs or 'any'} maps, but this loss trains "
                f"{activation} ones: choose decoder=[{','.join(able) or usual}], "
                f"decoder=all for every one that can read them, or another loss."
            )


def _mean(losses: list[PerJoint], labels: list[Label]) -> Float[Tensor, ""]:
    """Adds up maps and takes the mean over learnt joints; a joint may be learnt in one map only."""
    learnt = torch.stack([label.visible for label in labels])
    count = learnt.sum() / len(labels)
    return (torch.stack(losses) * learnt).sum() / torch.where(count > 0, count, 1)
