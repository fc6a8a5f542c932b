import math
from dataclasses import dataclass

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler


@dataclass(frozen=True)
class Cosine:
    """Linear warm-up, then half a cosine."""

    warmup: float  # of all steps
    last: float  # of the full rate, at the end

    def __call__(self, optimizer: Optimizer, steps: int) -> LRScheduler:
        warm = max(1, round(self.warmup * steps))

        def rate(step: int) -> float:
            if step < warm:
                return (step + 1) / warm
            done = min(1.0, (step - warm) / max(1, steps - warm))
            return self.last + (1 - self.last) * (1 + math.cos(math.pi * done)) / 2

        return LambdaLR(optimizer, rate)
