"""Keypoints to labels, scores to loss, heatmaps to keypoints."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, Protocol, get_args, runtime_checkable

import torch
from jaxtyping import Float, Int

from heatmap_research import heatmaps
from heatmap_research.grid import Grid
from heatmap_research.types import (
    Activation,
    Heatmap,
    Heatmaps,
    IncompatibleError,
    Keypoints,
    Label,
    PerJoint,
    Position,
    Prediction,
    Tensor,
)


@runtime_checkable
class Target(Protocol):
    def __call__(self, position: Position, shape: tuple[int, ...], stride: float) -> Heatmap: ...


@runtime_checkable
class Loss(Protocol):
    activation: ClassVar[Activation]  # how the scores it trains are to be read

    def __call__(self, scores: Heatmap, label: Label) -> PerJoint: ...
    def least(self, label: Label) -> PerJoint: ...  # the loss of perfect scores


@runtime_checkable
class Decoder(Protocol):
    @property
    def needs(self) -> Activation | None: ...  # the only reading it has a meaning for; None for any

    def __call__(self, heatmap: Heatmap, stride: float) -> Position: ...


class Cost(NamedTuple):
    """What a step minimises, and how far that is above the least these labels allow."""

    loss: Float[Tensor, ""]
    excess: Float[Tensor, ""]


@dataclass(frozen=True)
class Labels:
    """Which joints are learnt. Unlabelled ones, and those outside the crop, never are."""

    covered: Literal["regress", "ignore"]

    def __post_init__(self) -> None:
        if self.covered not in ("regress", "ignore"):
            raise ValueError(f"labels.covered={self.covered}: choose regress or ignore.")

    def __call__(self, visible: Int[Tensor, "batch joint"]) -> PerJoint:
        return (visible >= (1 if self.covered == "regress" else 2)).float()


ScoreRule = Literal["product", "mean", "min"]


@dataclass(frozen=True)
class Codec:
    """One representation of keypoints: every method serves both layouts by looping over maps."""

    grid: Grid
    target: Target
    loss: Loss
    decoders: Mapping[str, Decoder]
    labels: Labels
    score: ScoreRule  # how the heights of a joint's maps make one score

    def __post_init__(self) -> None:
        if self.score not in get_args(ScoreRule):
            raise ValueError(f"score={self.score}: choose {', '.join(get_args(ScoreRule))}.")
        if not self.decoders:
            raise ValueError("decoder=[]: choose at least one, such as decoder=[argmax].")
        for name, decoder in self.decoders.items():
            if not readable(decoder, self.loss):
                able = [n for n, d in self.decoders.items() if readable(d, self.loss)]
                raise IncompatibleError(
                    f"decoder={name} reads {decoder.needs} maps, but this loss trains "
                    f"{self.loss.activation} ones: choose decoder=[{','.join(able) or 'argmax'}], "
                    f"decoder=all for every one that can read them, or another loss."
                )

    def encode(self, keypoints: Keypoints, visible: Int[Tensor, "batch joint"]) -> list[Label]:
        learnt = self.labels(visible) * self.grid.inside(keypoints)
        keypoints = torch.where(learnt[..., None] > 0, keypoints, 0)  # or nowhere would spread
        return [
            Label(self.target(position, shape, self.grid.stride), position, learnt)
            for position, shape in zip(self.grid.split(keypoints), self.grid.shapes, strict=True)
        ]

    def training_loss(
        self, scores: Heatmaps, keypoints: Keypoints, visible: Int[Tensor, "batch joint"]
    ) -> Cost:
        """Summed over the maps of a joint, as log-likelihoods are; the mean over learnt joints."""
        with torch.autocast(keypoints.device.type, enabled=False):
            labels = self.encode(keypoints, visible)
            pairs = zip(scores, labels, strict=True)
            loss = _mean([self.loss(s.float(), label) for s, label in pairs], labels)
            least = _mean([self.loss.least(label) for label in labels], labels)
        return Cost(loss, loss.detach() - least)

    def activate(self, scores: Heatmaps) -> Heatmaps:
        return tuple(heatmaps.activate(s.float(), self.loss.activation) for s in scores)

    def mirror(self, activated: Heatmaps, flip: tuple[int, ...]) -> Heatmaps:
        """The maps of the image whose mirror image these are of."""
        return self.grid.mirror(tuple(heatmap[:, list(flip)] for heatmap in activated))

    def decode(self, activated: Heatmaps) -> dict[str, Prediction]:
        with torch.autocast(activated[0].device.type, enabled=False):
            score = self._score(activated)
            return {
                name: Prediction(self._locate(decoder, activated), score)
                for name, decoder in self.decoders.items()
            }

    def _locate(self, decoder: Decoder, activated: Heatmaps) -> Keypoints:
        return self.grid.join([decoder(heatmap, self.grid.stride) for heatmap in activated])

    def _score(self, activated: Heatmaps) -> PerJoint:
        heights = torch.stack([self._height(heatmap) for heatmap in activated])
        if self.score == "min":
            return heights.amin(0).clamp(max=1)
        return (heights.prod(0) if self.score == "product" else heights.mean(0)).clamp(max=1)

    def _height(self, heatmap: Heatmap) -> PerJoint:
        """Relative to an ideal label's: 1 whatever its phase, between bins or on one.

        What the parabola adds to the highest bin is bounded by what it adds to a label's.
        """
        on_a_bin, between = (self._label_peak(heatmap, phase) for phase in (0.0, 0.5))
        top = heatmap.flatten(2).amax(-1).clamp(min=torch.finfo(heatmap.dtype).tiny)
        _, rise = heatmaps.parabola(heatmap / heatmaps.over(heatmap, top), floor=1e-12)
        return top / on_a_bin * rise.clamp(max=on_a_bin / between)

    def _label_peak(self, like: Heatmap, phase: float) -> Float[Tensor, ""]:
        shape = tuple(like.shape[2:])
        position = like.new_tensor([[[size // 2 + phase for size in shape]]])
        label = self.target(position, shape, self.grid.stride)
        if self.loss.activation == "softmax":
            label = heatmaps.normalise(label)
        return label.amax()


def readable(decoder: Decoder, loss: Loss) -> bool:
    return decoder.needs in (None, loss.activation)


def _mean(losses: list[PerJoint], labels: list[Label]) -> Float[Tensor, ""]:
    learnt = labels[0].visible
    return (torch.stack(losses).sum(0) * learnt).sum() / learnt.sum().clamp(min=1)
