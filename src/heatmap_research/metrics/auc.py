from collections.abc import Sequence
from functools import partial

from jaxtyping import Float

from heatmap_research.metrics._per_joint import PerJointMean
from heatmap_research.types import PerJoint, Tensor


class Auc(PerJointMean):
    """The mean of PCK over all thresholds from 0 to `most`, without steps.

    A joint is found at all thresholds above its error e, which is a share 1 - e / most of them.
    """

    higher_is_better = True

    def __init__(
        self,
        most: float,
        names: Sequence[str],
        size: str,
        pair: Sequence[str] | None,
        without: Sequence[str],
        average: str,
    ) -> None:
        super().__init__(1, partial(_share, most=most), names, size, pair, without, average)
        if most <= 0:
            raise ValueError(f"metric.auc.most={most:g}: choose a threshold above 0.")

    def compute(self) -> Tensor:
        return self.means()[0]


def _share(error: PerJoint, most: float) -> Float[Tensor, "value batch joint"]:
    return (1 - error / most).clamp(min=0)[None]
