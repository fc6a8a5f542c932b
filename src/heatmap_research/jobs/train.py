"""One training, or one of a sweep's, from the config that Hydra has composed."""

import logging
import shlex
import sys
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from heatmap_research.config import additions, hydra_job, yaml_file
from heatmap_research.config.error_words import REFUSALS
from heatmap_research.config.hydra_job import in_sweep
from heatmap_research.config.job import Job, prepare
from heatmap_research.jobs.also import evaluate_also, refuse_impossible
from heatmap_research.runs import record, sweep
from heatmap_research.runs.store import RunStore
from heatmap_research.types import IncompatibleError

log = logging.getLogger(__name__)


def train(cfg: DictConfig) -> None:
    if in_sweep():
        _train_in_sweep(cfg)
    else:
        hydra_job.claim(Path(cfg.output_dir))  # unless it was before Hydra wrote there
        _train(composed(cfg))


def composed(cfg: DictConfig) -> Job:
    additions.refuse(cfg)
    return prepare(cfg, hydra_job.choices())


def _train(job: Job) -> None:
    from heatmap_research.training import extending, fit  # torch: after a look at the config

    store = RunStore(Path(job.config.output_dir))
    hydra_job.name_in_loggers(job.config)
    if job.config.resume and store.record.exists():
        extending.refuse_other_course(job)
    if hydra_job.is_first():  # others of this run may be reading it
        yaml_file.save(job.but(resume=None).config, store.folder / ".hydra" / "config.yaml")
    refuse_impossible(job)
    refuse_question(job)
    try:
        fit.train(job, store, in_sweep())
        evaluate_also(job, store.folder)
    except fit.InterruptedRunError as stop:
        _say_how_to_go_on(store, str(stop))
        sys.exit(130 * hydra_job.is_first())  # another's status would have Lightning kill the first
    except KeyboardInterrupt:
        _say_how_to_go_on(store, "stopped")
        raise


def _say_how_to_go_on(store: RunStore, stopped: str) -> None:
    again = f"heatmap-train {shlex.quote(f'resume={store.folder}')}"
    if in_sweep() or (store.checkpoints / "last.ckpt").is_file():
        log.warning(f"{stopped}; to go on: {'the same command' if in_sweep() else again}")


def refuse_question(job: Job) -> None:
    """Refuses a question that cannot be meant before the runs are made that should answer it."""
    if job.config.get("question"):
        from heatmap_research.jobs import question  # and with it scipy

        question.made(job.config.question)


def _train_in_sweep(cfg: DictConfig) -> None:
    """Trains a job unless it has been done, and goes on with one that has been cut off."""
    if "slurm" not in HydraConfig.get().launcher._target_.lower():  # which starts its own
        instead = "give each job a command of its own, without -m"
        hydra_job.refuse_several_processes(cfg.trainer, "a job of a sweep", instead)
    store = RunStore(Path(cfg.output_dir))

    def asked() -> dict[str, Any]:
        config: Any = OmegaConf.to_container(cfg, resolve=False)  # which may not resolve
        return record.asked(config, hydra_job.choices())

    with sweep.claimed(store.folder) as free:
        if not free:
            log.info(f"  another process is at it: {store.folder}")
            return
        with sweep.failures_recorded(store, asked, REFUSALS):
            _train_unless_done(composed(cfg), store)


def _train_unless_done(job: Job, store: RunStore) -> None:
    yaml_file.save(job.config, store.folder / ".hydra" / "config.yaml")
    identity = record.identity(job.record)
    if place := sweep.finished(store.folder, identity):
        log.info(f"  finished before: {place}")
        sweep.leave(store.folder)
        evaluate_also(job, place)
    else:
        _train(job.but(resume=str(store.folder)) if _goes_on(store, identity) else job)


def _goes_on(store: RunStore, identity: dict[str, Any]) -> bool:
    """Whether there is a checkpoint that can be read; if not, the folder is made as new."""
    from heatmap_research.training.checkpoints import checkpoint_of  # torch, where there is one

    if not sweep.goes_on(store, identity):
        return False
    try:
        checkpoint_of(store.checkpoints / "last.ckpt")
    except IncompatibleError as error:
        log.warning(f"  {error} This job is trained anew.")
        store.clear()
        return False
    return True
