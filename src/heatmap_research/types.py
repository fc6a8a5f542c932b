"""What crosses rooms. Axes of tensors are named batch, joint, height, width and axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from jaxtyping import Float, Int, UInt8

if TYPE_CHECKING:
    from torch import Tensor
else:
    Tensor = Any  # keeps torch out of the import: a config is checked before torch is paid for

Keypoints = Float[Tensor, "batch joint 2"]  # x, y in crop pixels
PerJoint = Float[Tensor, "batch joint"]
Visible = Int[Tensor, "batch joint"]  # 0 not labelled, 1 labelled but covered, 2 visible
Heatmap = Float[Tensor, "batch joint ..."]  # then (height, width), (height,) or (width,)
Heatmaps = tuple[Heatmap, ...]  # one map in 2-D; a height and a width vector in 1-D
Others = tuple[Keypoints, Visible]  # a second figure's joints, nan where it has none, as in Sample
Position = Float[Tensor, "batch joint axis"]  # bins, in the axis order of one map
Strides = tuple[float | Tensor, ...]  # input pixels per bin along each axis of a map
Activation = Literal["identity", "sigmoid", "softmax", "coordinates"]


class Level(NamedTuple):
    """One feature map of a backbone or neck."""

    channels: int
    stride: int  # input pixels per cell


@dataclass(frozen=True)
class Schema:
    """The joints of a data set. This is the only place that says what they are."""

    names: tuple[str, ...]
    flip: tuple[int, ...]  # joint i of a mirrored person is joint flip[i]
    skeleton: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...]  # OKS tolerances
    tolerances_known: bool = True  # false: nobody measured them, and one value stands in for all
    mirrors: bool = True  # false: the mirror joint of one called left or right is not known

    def __post_init__(self) -> None:
        joints = range(len(self.names))
        if sorted(self.flip) != list(joints) or any(self.flip[self.flip[i]] != i for i in joints):
            raise ValueError(f"schema.flip={self.flip} does not pair {len(self.names)} joints.")
        if len(self.sigmas) != len(self.names):
            raise ValueError(
                f"schema.sigmas has {len(self.sigmas)} values for {len(self.names)} joints."
            )

    @classmethod
    def of_lists(
        cls,
        names: Sequence[str],
        flip: Sequence[int],
        skeleton: Sequence[Sequence[int]],
        sigmas: Sequence[float],
        tolerances_known: bool = True,
        mirrors: bool = True,
    ) -> "Schema":
        """Makes one of what JSON or YAML has kept of another."""
        bones = tuple((a, b) for a, b in skeleton)
        facts = (tuple(sigmas), tolerances_known, mirrors)
        return cls(tuple(names), tuple(flip), bones, *facts)

    @property
    def joints(self) -> int:
        return len(self.names)

    def only(self, names: Sequence[str]) -> "Schema":
        """Keeps these joints in this order; one whose mirror joint is left out becomes its own."""
        if unknown := [name for name in names if name not in self.names]:
            raise ValueError(
                f"there is no {', '.join(unknown)}; choose among {', '.join(self.names)}."
            )
        if len(set(names)) < len(names) or not names:
            raise ValueError("name at least one joint, and none twice.")
        old = [self.names.index(name) for name in names]
        new = {joint: place for place, joint in enumerate(old)}
        return Schema(
            names=tuple(names),
            flip=tuple(new.get(self.flip[joint], new[joint]) for joint in old),
            skeleton=tuple((new[a], new[b]) for a, b in self.skeleton if a in new and b in new),
            sigmas=tuple(self.sigmas[joint] for joint in old),
            tolerances_known=self.tolerances_known,
            mirrors=self.mirrors,
        )


class Sample(NamedTuple):
    """One cropped instance; a batch of them is the same class with a batch axis."""

    image: UInt8[Tensor, "*batch channel height width"]
    keypoints: Float[Tensor, "*batch joint 2"]  # x, y in crop pixels
    visible: Int[Tensor, "*batch joint"]  # 0 not labelled, 1 labelled but covered, 2 visible
    to_source: Float[Tensor, "*batch 2 3"]  # affine, crop pixels to source-image pixels
    scale: Float[Tensor, "*batch"]  # square root of the instance's area in source pixels
    image_id: Int[Tensor, "*batch"]
    instance_id: Int[Tensor, "*batch"]
    box: Float[Tensor, "*batch 4"]  # x, y, width, height of the instance; source pixels
    box_score: Float[Tensor, "*batch"]  # the detector's; 1 for an annotated box
    head: Float[Tensor, "*batch"]  # size of the head in source pixels; nan where unknown
    overlap: Float[Tensor, "*batch"]  # IoU of the box with the nearest other instance's; 0 alone
    others: Float[Tensor, "*batch joint 2"]  # a second figure's joints, crop pixels; nan: none
    others_visible: Int[Tensor, "*batch joint"]  # as `visible`; 0 where there is none


class Label(NamedTuple):
    """How one map of each joint should look, where the joint is, and whether it counts."""

    heatmap: Heatmap
    position: Position
    visible: PerJoint  # 1 where the label is to be learnt, else 0
    stride: tuple[float, ...]  # input pixels per bin along each axis
    energy: Float[Tensor, "#batch joint"]  # sum of squares of such a heatmap far from the border


class Prediction(NamedTuple):
    keypoints: Keypoints
    score: PerJoint  # 0 to 1; 1 for a map as high as an ideal label
    covariance: Float[Tensor, "batch joint 2 2"] | None = None  # of x and y, where it is asked for


class IncompatibleError(ValueError):
    """Raised for choices that are each valid but cannot be combined."""


def first_line(error: object) -> str:
    """The first line that says something, or the error's class."""
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)


def in_a_line(error: object) -> str:
    """All that an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
