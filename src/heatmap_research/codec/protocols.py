"""What each kind of option must offer. The codecs know their options by these protocols alone."""

from typing import ClassVar, Protocol, runtime_checkable

from heatmap_research.types import (
    Activation,
    Heatmap,
    Keypoints,
    Label,
    PerJoint,
    Position,
    Strides,
)


@runtime_checkable
class Target(Protocol):
    """Draws what one map of each joint should look like, given where the joint is.

    `shape` counts the map's bins and `stride` the input pixels per bin, both along each axis of
    the map. A joint that has two 1-D maps is drawn twice, so one target serves both layouts.
    """

    def __call__(self, position: Position, shape: tuple[int, ...], stride: Strides) -> Heatmap: ...


@runtime_checkable
class Loss(Protocol):
    """Compares the raw scores of one map of each joint with that map's label.

    The codec adds up the maps of a joint and takes the mean over the joints that are learnt.
    """

    @property
    def activation(self) -> Activation: ...  # how the scores that it trains are read

    def __call__(self, scores: Heatmap, label: Label) -> PerJoint: ...
    def least(self, label: Label) -> PerJoint: ...  # the loss of the best scores there can be


@runtime_checkable
class Decoder(Protocol):
    """Finds each joint in one activated map of it; the answer is in bins, in the map's axis order.

    `stride`, in input pixels per bin, is there for decoders whose constants are in pixels.
    """

    @property
    def needs(self) -> Activation | None: ...  # the only activation it can read; None for any map

    def __call__(self, heatmap: Heatmap, stride: float) -> Position: ...


@runtime_checkable
class CoordinateLoss(Protocol):
    """Compares predicted keypoints with the true ones, without a map; all are in crop pixels."""

    activation: ClassVar[Activation]
    spread: ClassVar[bool]  # whether the head also predicts how uncertain x and y are

    def __call__(
        self, predicted: Keypoints, wanted: Keypoints, spread: Keypoints | None
    ) -> PerJoint: ...
