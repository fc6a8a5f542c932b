from collections.abc import Sequence
from dataclasses import dataclass

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler


@dataclass(frozen=True)
class MultiStep:
    """Linear warm-up, then a drop at each milestone, as pose baselines have it."""

    milestones: Sequence[float]  # of all steps
    factor: float
    warmup: float  # of all steps

    def __call__(self, optimizer: Optimizer, steps: int) -> LRScheduler:
        def rate(step: int) -> float:
            drops = sum(step >= round(milestone * steps) for milestone in self.milestones)
            return min(1.0, (step + 1) / max(1, self.warmup * steps)) * self.factor**drops

        return LambdaLR(optimizer, rate)
