from collections.abc import Sequence

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
        super().__init__(names, size, pair, without, average)
        if most <= 0:
            raise ValueError(f"metric.auc.most={most:g}: choose a threshold above 0.")
        self.most = most

    def of_errors(self, error: PerJoint) -> Float[Tensor, "value batch joint"]:
        return (1 - error / self.most).clamp(min=0)[None]
