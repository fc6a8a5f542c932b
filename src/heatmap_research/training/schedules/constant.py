from dataclasses import dataclass

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler


@dataclass(frozen=True)
class Constant:
    """Linear warm-up, then the full rate: a training that may be prolonged later."""

    warmup: int  # steps

    def __call__(self, optimizer: Optimizer, steps: int) -> LRScheduler:
        return LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / (self.warmup + 1)))
