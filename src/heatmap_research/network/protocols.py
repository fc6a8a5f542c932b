"""What a backbone, a neck and a head must offer. Each is also a `torch.nn.Module`."""

from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol, runtime_checkable

from torch import Tensor

from heatmap_research.codec.grid import Grid
from heatmap_research.types import Heatmaps, Level


@runtime_checkable
class Backbone(Protocol):
    """Turns images into feature maps, one for each of its `levels`, in that order.

    Images are (batch, channel, height, width) with values from 0 to 255; a backbone normalises
    them itself. A feature map is (batch, level.channels, height, width), with one cell for every
    `level.stride` input pixels.
    """

    levels: tuple[Level, ...]

    def __call__(self, image: Tensor) -> list[Tensor]: ...


@runtime_checkable
class Neck(Protocol):
    """Turns the backbone's feature maps into those that the head sees.

    It is constructed with the backbone's `levels` and the options of its YAML file, and says by
    its own `levels` which feature maps it returns.
    """

    levels: tuple[Level, ...]

    def __call__(self, features: list[Tensor]) -> list[Tensor]: ...


@runtime_checkable
class Head(Protocol):
    """Turns the neck's feature maps into raw scores, without an activation.

    `ndim` says what one map of a joint is: 2 for a (height, width) map, 1 for a height and a
    width vector, 0 for x and y (and their spreads) instead of maps. A head returns one tensor
    (batch, joint, *shape) for each of `grid.shapes`. It knows neither the labels nor the loss.
    """

    ndim: ClassVar[Literal[0, 1, 2]]

    def __call__(self, features: list[Tensor]) -> Heatmaps: ...


@runtime_checkable
class MakeHead(Protocol):
    """Constructs a head, once the options of its YAML file are filled in.

    `levels` are the neck's. A head that cannot reach the stride of `grid` from them raises an
    IncompatibleError that names what to choose instead.
    """

    def __call__(self, *, levels: Sequence[Level], grid: Grid, joints: int) -> Head: ...
