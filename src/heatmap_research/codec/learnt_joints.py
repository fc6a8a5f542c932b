"""Which joints are learnt, and whether from a drawn label or from an empty one."""

from dataclasses import dataclass

import torch

from heatmap_research.codec.sharing import once
from heatmap_research.types import Activation, IncompatibleError, PerJoint, Visible

CHOICES = {
    "covered": ("regress", "ignore", "uniform", "zero"),
    "unlabelled": ("ignore", "uniform", "zero"),
    "outside": ("ignore", "tail", "per_axis"),
}


@dataclass(frozen=True)
class Labels:
    """What each kind of joint is trained to be: located, ignored, or an empty map."""

    covered: str  # labelled, but cannot be seen
    unlabelled: str
    outside: str  # beyond the border of the map
    reach: float  # sigmas beyond the border up to which outside=tail draws a label
    sigma: float  # input pixels

    def __post_init__(self) -> None:
        for knob, choices in CHOICES.items():
            if getattr(self, knob) not in choices:
                raise ValueError(
                    f"labels.{knob}={getattr(self, knob)}: choose {' or '.join(choices)}."
                )
        if self.reach < 0:
            raise ValueError(f"labels.reach={self.reach:g}: give a number of sigmas, at least 0.")
        if len({self.covered, self.unlabelled} & {"uniform", "zero"}) > 1:
            raise ValueError(
                f"labels.covered={self.covered} and labels.unlabelled={self.unlabelled}: no map is "
                "trained to be both uniform and zero; choose one, or ignore."
            )

    @property
    def blanks(self) -> str | None:
        """The kind of empty map that some joints are trained to be, if any are."""
        for choice in (self.covered, self.unlabelled):
            if choice in ("uniform", "zero"):
                return choice
        return None

    @once
    def drawn(self, visible: Visible, beyond: PerJoint) -> PerJoint:
        """1 for joints learnt where they are; `beyond` is how many pixels each lies outside."""
        seen = visible >= (1 if self.covered == "regress" else 2)
        near = self.reach * self.sigma if self.outside == "tail" else 0.0
        return (seen & (beyond <= near)).float()

    def blank(self, visible: Visible) -> PerJoint | None:
        """1 for joints whose label is an empty map, if there may be any."""
        if not self.blanks:
            return None
        empty = torch.zeros_like(visible, dtype=torch.bool)
        if self.covered in ("uniform", "zero"):
            empty = empty | (visible == 1)
        if self.unlabelled in ("uniform", "zero"):
            empty = empty | (visible == 0)
        return empty.float()

    def per_map(self, beyond: tuple[PerJoint, ...]) -> tuple[PerJoint, ...]:
        """A joint outside one of its maps is outside all, unless each axis is learnt by itself."""
        if self.outside == "per_axis" or len(beyond) == 1:
            return beyond
        return (torch.stack(beyond).amax(0),) * len(beyond)

    def refuse_for(self, ndim: int, activation: Activation) -> None:
        if self.outside == "per_axis" and ndim != 1:
            raise IncompatibleError(
                "labels.outside=per_axis learns the axis along which a joint is inside, and only a "
                "1-D head has maps of their own for both: choose labels.outside=ignore or tail."
            )
        if self.blanks and activation == "coordinates":
            raise IncompatibleError(
                f"labels with {self.blanks} maps need maps, and this loss compares coordinates: "
                "choose labels.covered=regress or ignore, and labels.unlabelled=ignore."
            )
        if self.blanks == "uniform" and activation != "softmax":
            raise IncompatibleError(
                f"labels with uniform maps are distributions, but this loss trains {activation} "
                "maps: choose zero instead of uniform, or loss=cross_entropy."
            )
        if self.blanks == "zero" and activation == "softmax":
            raise IncompatibleError(
                "labels with zero maps have no place under a softmax, which always sums to one: "
                "choose uniform instead of zero, or loss=mse."
            )
