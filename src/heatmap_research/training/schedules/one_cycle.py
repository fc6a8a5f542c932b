from dataclasses import dataclass

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR


@dataclass(frozen=True)
class OneCycle:
    """Up over the warm-up, then down to almost nothing along a cosine (Smith & Topin, 2018)."""

    warmup: float  # of all steps

    def __call__(self, optimizer: Optimizer, steps: int) -> LRScheduler:
        rates = [group["lr"] for group in optimizer.param_groups]
        steps = max(steps, 3)
        warmup = max(self.warmup, 1.5 / steps)  # a rise within one step is a division by zero
        return OneCycleLR(optimizer, max_lr=rates, total_steps=steps, pct_start=warmup)
