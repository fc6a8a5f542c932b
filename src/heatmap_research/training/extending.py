"""Whether a training can go on beyond the steps that it was begun for."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from heatmap_research.config.instantiate import make
from heatmap_research.config.job import Job
from heatmap_research.runs import record
from heatmap_research.types import IncompatibleError

Schedule = Callable[[Optimizer, int], LRScheduler]


def refuse_other_course(job: Job) -> None:
    """Refuses a run that has come to its end, and more steps than its learning rates allow."""
    folder, after = job.config.resume, job.config.trainer.max_steps
    known = record.read(Path(folder), "config", "status")
    before = known["config"]["trainer"]["max_steps"]
    if known["status"] == "finished" and after <= known.get("steps", 0):
        raise IncompatibleError(
            f"resume={folder}: this run has finished. To prolong it, add "
            "trainer.max_steps=MORE; to begin another with what it has learnt, choose "
            f"weights={folder} without resume."
        )
    if before == after:
        return
    if after < before:
        raise IncompatibleError(
            f"trainer.max_steps={after}: resume={folder} was begun for {before}; give more."
        )
    if not same_course(make(job.config.schedule, "schedule"), before, after):
        name = job.config.schedule._target_.rsplit(".", 1)[-1]
        raise IncompatibleError(
            f"trainer.max_steps={after}: the learning rate of resume={folder} is laid out for "
            f"{before} steps ({name}), and other steps would have come before. Begin a new run "
            f"with its weights, weights={folder}, or train with schedule=constant from the start."
        )


def same_course(schedule: Schedule, before: int, after: int) -> bool:
    """Whether the first steps have the same learning rates when more follow."""
    pairs = zip(_rates(schedule, before), _rates(schedule, after), strict=False)
    return all(one == other for one, other in pairs)


def _rates(schedule: Schedule, total: int) -> Iterator[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    course = schedule(optimizer, total)
    for _ in range(total):
        yield optimizer.param_groups[0]["lr"]
        optimizer.step()
        course.step()
