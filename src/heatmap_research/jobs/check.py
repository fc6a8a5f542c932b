"""Whether a configuration can be trained, found out without data or training."""

import sys

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from heatmap_research.config.hydra_job import in_sweep
from heatmap_research.jobs.train import composed, refuse_question
from heatmap_research.types import IncompatibleError


def check(cfg: DictConfig) -> None:
    name = f"  [{' '.join(HydraConfig.get().overrides.task)}]" * in_sweep()
    try:
        job = composed(cfg)
        from heatmap_research.training.build import dry_run, wire  # torch: after a first look
        from heatmap_research.training.starting import arriving

        plan, _ = dry_run(wire(job))
        if job.config.weights:
            arriving(plan, job.config.weights)
        refuse_question(job)
    except IncompatibleError as error:
        print(f"refused: {error}{name}")
        if not in_sweep():
            sys.exit(1)
    else:
        print(f"ok{name}")
