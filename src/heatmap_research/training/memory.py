"""Whether the maps of a batch can be held at all."""

import math
import os

import torch

from heatmap_research.config.job import Job
from heatmap_research.training.task import KeypointTask
from heatmap_research.types import IncompatibleError

COPIES = 3  # scores, their gradient and the labels; what a network keeps besides is not counted
OF_A_NUMBER = 4  # bytes


def refuse_beyond_memory(job: Job, task: KeypointTask) -> None:
    """Refuses a batch whose maps alone need more memory than the device has."""
    images, joints = job.config.data.batch_size, job.schema.joints
    bins = sum(map(math.prod, task.codec.shapes))
    needed = COPIES * OF_A_NUMBER * images * joints * bins
    there = _memory(job.config.trainer.accelerator)
    if needed > there:
        raise IncompatibleError(
            f"stride={job.config.stride}: {bins:,} bins for each of {joints} joints of "
            f"data.batch_size={images} images need {needed / 2**30:,.0f} GiB, and there are "
            f"{there / 2**30:,.0f}: choose a coarser stride or a smaller batch."
        )


def _memory(accelerator: str) -> int:
    if accelerator != "cpu" and torch.cuda.is_available():
        return torch.cuda.get_device_properties(0).total_memory
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
