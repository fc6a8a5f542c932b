"""The third representation: a head that answers with two numbers per joint."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch

from heatmap_research.codec import heatmaps
from heatmap_research.codec.codec import Cost, Decoder, Visible, refuse_unreadable
from heatmap_research.codec.grid import Grid
from heatmap_research.codec.labels import Labels
from heatmap_research.types import Activation, Heatmaps, Keypoints, PerJoint, Prediction, Tensor


@runtime_checkable
class CoordinateLoss(Protocol):
    """Everything in crop pixels."""

    activation: ClassVar[Activation]
    spread: ClassVar[bool]  # whether it learns a width per axis too

    def __call__(
        self, predicted: Keypoints, wanted: Keypoints, spread: Keypoints | None
    ) -> PerJoint: ...


@dataclass(frozen=True)
class CoordinateCodec:
    """Scores are shares of the crop's sides from its middle: a mirror only turns a sign."""

    grid: Grid
    loss: CoordinateLoss
    decoders: Mapping[str, Decoder]
    labels: Labels

    def __post_init__(self) -> None:
        self.labels.refuse_for(self.grid.ndim, self.loss.activation)
        refuse_unreadable(self.decoders, self.loss.activation)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((4 if self.loss.spread else 2,),)

    def training_loss(self, scores: Heatmaps, keypoints: Keypoints, visible: Visible) -> Cost:
        """The mean over learnt joints, of sums over x and y."""
        learnt = self.labels.drawn(visible, self._beyond(keypoints))
        wanted = torch.where(learnt[..., None] > 0, keypoints, 0)  # or nowhere would spread
        with torch.autocast(keypoints.device.type, enabled=False):
            predicted, *spread = self.activate(scores)
            losses = self.loss(predicted, wanted, spread[0] if spread else None)
        loss = (losses * learnt).sum() / learnt.sum().clamp(min=1)
        return Cost(loss, loss.detach())

    def activate(self, scores: Heatmaps) -> tuple[Tensor, ...]:
        """Crop pixels; then, if a width is learnt, its pixels."""
        size = self._size(scores[0])
        shares = scores[0].float()
        points = shares[..., :2] * size + (size - 1) / 2
        return (points, shares[..., 2:].sigmoid() * size) if self.loss.spread else (points,)

    def mirror(self, activated: tuple[Tensor, ...], flip: tuple[int, ...]) -> tuple[Tensor, ...]:
        """What was found in the image whose mirror image this is of."""
        points, *spread = (each[:, list(flip)] for each in activated)
        x, y = points.unbind(-1)
        return (torch.stack([self.grid.image_size[1] - 1 - x, y], dim=-1), *spread)

    def decode(self, activated: tuple[Tensor, ...]) -> dict[str, Prediction]:
        points = activated[0]
        score = torch.ones_like(points[..., 0])
        if self.loss.spread:
            score = 1 - (activated[1] / self._size(points)).mean(-1)
        return {
            name: Prediction(decoder(points, 1.0), score) for name, decoder in self.decoders.items()
        }

    def _size(self, like: Tensor) -> Tensor:
        height, width = self.grid.image_size
        return heatmaps.constant([width, height], like.float())

    def _beyond(self, keypoints: Keypoints) -> PerJoint:
        """Pixels by which the crop misses a keypoint."""
        size = self._size(keypoints)
        return torch.maximum(-0.5 - keypoints, keypoints - (size - 0.5)).clamp(min=0).amax(-1)
