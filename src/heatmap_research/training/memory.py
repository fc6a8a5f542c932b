"""Whether the maps of a batch, and the batches that are read ahead, can be held at all."""

import math
import os
import shutil
import sys

import torch

from heatmap_research.config.job import Job
from heatmap_research.training.task import KeypointTask
from heatmap_research.types import IncompatibleError

COPIES = 3  # scores, their gradient and the labels; what a network keeps besides is not counted
OF_A_NUMBER = 4  # bytes
SHARED = "/dev/shm"  # where Linux keeps what processes share
AHEAD = 2 * 2  # batches that a process reads ahead, for training and meanwhile for validating


def refuse_beyond_memory(job: Job, task: KeypointTask) -> None:
    """Refuses a batch whose maps alone need more memory than the device has."""
    images, joints = job.config.data.batch_size, job.schema.joints
    bins = sum(map(math.prod, task.codec.shapes))
    needed = COPIES * OF_A_NUMBER * images * joints * bins
    there = _memory(job.config.trainer.accelerator)
    if needed > there:
        fits = int(images * there / needed)
        smaller = f" or data.batch_size={fits} at most" if fits else ""
        raise IncompatibleError(
            f"stride={job.config.stride}: {bins:,} bins for each of {joints} joints of "
            f"data.batch_size={images} images need {needed / 2**30:,.0f} GiB, and there are "
            f"{there / 2**30:,.0f}: choose a coarser stride{smaller}."
        )


def refuse_beyond_shared_memory(job: Job) -> None:
    """Refuses processes that read images where their batches have no room to be handed over in."""
    data, workers = job.config.data, job.config.data.workers
    if not workers or sys.platform != "linux":
        return
    image = job.config.backbone.in_chans * math.prod(job.config.image_size)  # bytes
    devices = job.config.trainer.get("devices", 1)
    processes = devices if isinstance(devices, int) and devices > 0 else 1  # on this machine
    needed = AHEAD * processes * workers * data.batch_size * image
    there = shutil.disk_usage(SHARED).free if os.access(SHARED, os.W_OK) else 0
    if needed > there:
        mebibytes = f"{needed / 2**20:,.0f} MiB of shared memory, and {SHARED} has"
        raise IncompatibleError(
            f"data.workers={workers}: what they read ahead needs {mebibytes} "
            f"{there / 2**20:,.0f}: choose data.workers=0 or fewer, a smaller data.batch_size, or "
            "give a container more (docker run --shm-size=1g)."
        )


def _memory(accelerator: str) -> int:
    if accelerator != "cpu" and torch.cuda.is_available():
        return torch.cuda.get_device_properties(0).total_memory
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
