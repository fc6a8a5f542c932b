from collections.abc import Sequence

from jaxtyping import Float

from heatmap_research.metrics._per_joint import PerJointMean
from heatmap_research.types import PerJoint, Tensor


class Nme(PerJointMean):
    """The mean error, divided by a size."""

    higher_is_better = False

    def __init__(
        self,
        names: Sequence[str],
        size: str,
        pair: Sequence[str] | None,
        without: Sequence[str],
        average: str,
    ) -> None:
        super().__init__(1, _itself, names, size, pair, without, average)

    def compute(self) -> Tensor:
        return self.means()[0]


def _itself(error: PerJoint) -> Float[Tensor, "value batch joint"]:
    return error[None]
