"""What is recorded of a run before it begins: its config, versions, and the machine."""

import platform
import resource
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from heatmap_research.config.job import Job
from heatmap_research.runs import record, source


def of_job(job: Job) -> dict[str, Any]:
    """What a record holds of a run beside what came of it."""
    cfg = job.config
    return {
        **record.asked(job.record, job.choices),
        "schema": asdict(job.of_data),
        "started_in": str(Path.cwd()),  # where relative paths of the config begin
        "versions": source.versions(),
        "device": _device(),
        "boxes": cfg.data.get("boxes", "exact"),
        "score": cfg.score,
        "flip_test": cfg.flip_test,
        "decoders_not_applicable": list(job.unread),
    }


def _device() -> dict[str, Any]:
    gpu = torch.cuda.is_available()
    name = torch.cuda.get_device_name() if gpu else _processor()
    cuda = torch.version.cuda if gpu else None
    return {"name": name, "cuda": cuda, "threads": torch.get_num_threads()}


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def peak_memory() -> int:
    """The most bytes held so far: by the GPU where there is one, else by the process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
