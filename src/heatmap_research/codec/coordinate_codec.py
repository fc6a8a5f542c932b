"""The representation without maps: the head answers with two numbers for each joint."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from heatmap_research.codec import heatmaps
from heatmap_research.codec.codec import Codec, Cost, refuse_unreadable
from heatmap_research.codec.grid import Grid
from heatmap_research.codec.learnt_joints import Labels
from heatmap_research.codec.protocols import CoordinateLoss, Decoder
from heatmap_research.types import (
    Heatmaps,
    Keypoints,
    Others,
    PerJoint,
    Prediction,
    Tensor,
    Visible,
)


@dataclass(frozen=True)
class CoordinateCodec:
    """Reads scores as shares of the crop's width and height, counted from its middle."""

    grid: Grid
    loss: CoordinateLoss
    decoders: Mapping[str, Decoder]
    labels: Labels

    def __post_init__(self) -> None:
        self.labels.refuse_for(self.grid.ndim, self.loss.activation)
        refuse_unreadable(self.decoders, self.loss.activation)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The head answers with x and y, then with their spreads if the loss learns them."""
        return ((4 if self.loss.spread else 2,),)

    @property
    def has_covariance(self) -> bool:
        """Whether the answers say how far they spread about their points."""
        return self.loss.spread

    def training_loss(
        self,
        scores: Heatmaps,
        keypoints: Keypoints,
        visible: Visible,
        others: Others | None = None,
        excess: bool = True,
    ) -> Cost:
        """Returns the mean over learnt joints of the loss, which is summed over x and y.

        Two coordinates have no room for the joints of others, and labels allow a loss of nothing.
        """
        learnt = self.labels.drawn(visible, self._beyond(keypoints))
        wanted = torch.where(learnt[..., None] > 0, keypoints, 0)  # or a nan would spread
        with torch.autocast(keypoints.device.type, enabled=False):
            predicted, *spread = self.activate(scores)
            losses = self.loss(predicted, wanted, spread[0] if spread else None)
        loss = (losses * learnt).sum() / learnt.sum().clamp(min=1)
        return Cost(loss, loss.detach())

    def activate(self, scores: Heatmaps) -> tuple[Tensor, ...]:
        """Returns keypoints, then their spreads if they are learnt; both in crop pixels."""
        size = self._size(scores[0])
        shares = scores[0].float()
        points = shares[..., :2] * size + (size - 1) / 2
        return (points, shares[..., 2:].sigmoid() * size) if self.loss.spread else (points,)

    def mirror(self, activated: tuple[Tensor, ...], flip: tuple[int, ...]) -> tuple[Tensor, ...]:
        """Turns what was predicted for a mirrored image into a prediction for the image itself."""
        points, *spread = (each[:, list(flip)] for each in activated)
        x, y = points.unbind(-1)
        return (torch.stack([self.grid.image_size[1] - 1 - x, y], dim=-1), *spread)

    def decode(self, activated: tuple[Tensor, ...]) -> dict[str, Prediction]:
        """The score is 1 less the mean spread as a share of the crop; 1 if no spread is learnt."""
        points = activated[0]
        score = torch.ones_like(points[..., 0])
        if self.loss.spread:
            score = 1 - (activated[1] / self._size(points)).mean(-1)
        return {
            name: Prediction(decoder(points, 1.0), score) for name, decoder in self.decoders.items()
        }

    def read(self, scores: Heatmaps) -> dict[str, Prediction]:
        return self.decode(self.activate(scores))

    def _size(self, like: Tensor) -> Tensor:
        height, width = self.grid.image_size
        return heatmaps.constant([width, height], like.float())

    def _beyond(self, keypoints: Keypoints) -> PerJoint:
        """The pixels by which a keypoint lies outside the crop."""
        size = self._size(keypoints)
        return torch.maximum(-0.5 - keypoints, keypoints - (size - 0.5)).clamp(min=0).amax(-1)


AnyCodec = Codec | CoordinateCodec
