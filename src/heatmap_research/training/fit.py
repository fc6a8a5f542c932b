"""One run from config to record: fit, evaluate with the last weights, write the folder."""

import logging
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from heatmap_research.config.job import Job
from heatmap_research.config.lazy import imported
from heatmap_research.data.datamodule import DataModule
from heatmap_research.runs import best, no_place, whole_file
from heatmap_research.runs.store import RunStore
from heatmap_research.runs.sweep import set_aside
from heatmap_research.training import build, facts, fitting_batch, telling
from heatmap_research.training.callbacks.interruption import InterruptedRunError
from heatmap_research.training.checkpoints import checkpoint_of
from heatmap_research.training.memory import refuse_beyond_memory, refuse_beyond_shared_memory
from heatmap_research.training.starting import file_of, start_from
from heatmap_research.training.task import KeypointTask
from heatmap_research.training.telling import Metrics
from heatmap_research.training.tensors import save_tensors
from heatmap_research.types import IncompatibleError, in_a_line

log = logging.getLogger(__name__)


def train(job: Job, store: RunStore, sweep: bool, watching: Sequence[Callback] = ()) -> Metrics:
    """Fits a network, evaluates it with its last weights, and leaves all of it in the folder."""
    quiet_libraries()
    job, checkpoint = _where_it_stands(job, store)
    parts = build.wire(job)
    plan, size = build.dry_run(parts)
    refuse_beyond_memory(job, plan)
    refuse_beyond_shared_memory(job)
    trainer = build.build_trainer(job, store, telling.progress(sweep, job.watched))
    trainer.callbacks.extend(watching)  # type: ignore[attr-defined]
    if trainer.is_global_zero:
        _make_room(store, checkpoint, job.config.trainer.max_steps)
    with _naming(store, trainer), _recorded(store, trainer, facts.of_job(job) | size):
        pl.seed_everything(job.config.seed, workers=True, verbose=False)
        task, data = _begun(parts, checkpoint), build.build_data(job)
        if trainer.is_global_zero and not sweep:
            telling.announce(job, size)
        data.make_ready()
        continued = checkpoint is not None and trainer.is_global_zero
        with store.continued_metrics() if continued else nullcontext():
            _log_what_it_is(trainer, job, size)
            with fitting_batch.said(trainer, task, data, job.config.resume):
                _fit(trainer, task, data, store, checkpoint)
                metrics = _evaluate(trainer, task, data, job)
            _log_chosen(trainer, metrics, job)
        if trainer.is_global_zero:
            store.update(metrics=metrics, steps=trainer.global_step, skipped=data.skipped)
            telling.report(metrics, task.first_figures, job.unread, store, sweep, task.beyond_reach)
    return metrics


def evaluate(job: Job, trained: RunStore, store: RunStore, checkpoint: Path) -> Metrics:
    """The same evaluation as after training, with other decoders, data or flip test."""
    quiet_libraries()
    refuse_beyond_shared_memory(job)
    trainer = build.build_trainer(job, store, telling.progress(False, job.watched))
    of = {"run": str(trained.folder), "checkpoint": str(checkpoint)}
    with _naming(store, trainer), _recorded(store, trainer, facts.of_job(job) | of):
        weightless = build.without_weights(job.config)  # they are those of the run
        task, data = build.build(build.wire(job), **weightless), build.build_data(job)
        build.load_weights(task, checkpoint)
        with fitting_batch.said(trainer, task, data):
            metrics = _evaluate(trainer, task, data, job)
        if trainer.is_global_zero:
            store.update(metrics=metrics, skipped=data.skipped)
            telling.report(metrics, task.first_figures, job.unread, store, False, task.beyond_reach)
    return metrics


def _where_it_stands(job: Job, store: RunStore) -> tuple[Job, Path | None]:
    """What is resumed with the choices of its start, and its checkpoint; refuses what lacks one.

    All that can be refused is, before anything is written.
    """
    if not job.config.resume:
        if job.config.weights:
            file_of(job.config.weights)
        return job, None
    known = store.read("config", "choices", "decoders_not_applicable")
    checkpoint = store.checkpoints / "last.ckpt"
    if not checkpoint.exists():
        raise IncompatibleError(f"resume={store.folder}: there is no checkpoints/last.ckpt in it.")
    checkpoint_of(checkpoint)
    unread = tuple(known["decoders_not_applicable"])
    return replace(job, choices=known["choices"], unread=unread), checkpoint


def _make_room(store: RunStore, checkpoint: Path | None, steps: int) -> None:
    """Takes away, or puts aside, what is of other weights than those that will be there."""
    if checkpoint is None:
        store.clear()
        return
    store.weights.unlink(missing_ok=True)
    for made in filter(Path.is_dir, (store.folder / name for name in ("evaluate", "export"))):
        if checkpoint_of(checkpoint)["global_step"] < steps:
            log.info(f"what was made of the weights before is kept in {set_aside(made)}")


def _begun(parts: build.Parts, checkpoint: Path | None) -> KeypointTask:
    """The network before its first step, with the weights that it was told to begin with."""
    config = parts.job.config
    if not (checkpoint or config.weights):
        return build.build(parts)
    task = build.build(parts, **build.without_weights(config))
    if checkpoint:
        build.load_weights(task, checkpoint)  # as Lightning does later, but with a refusal in words
    else:
        start_from(task, config.weights)
    return task


def _log_what_it_is(trainer: pl.Trainer, job: Job, size: dict[str, int]) -> None:
    grouped_by = {"arm": job.choices.get("arm") or "custom", "choices": job.choices}
    for logger in trainer.loggers:
        logger.log_hyperparams(job.record | grouped_by | size)


def _fit(
    trainer: pl.Trainer, task: KeypointTask, data: DataModule, store: RunStore, go_on: Path | None
) -> None:
    with _timed(store, trainer):
        trainer.fit(task, data, ckpt_path=go_on)
    trainer.save_checkpoint(store.checkpoints / "last.ckpt")
    if trainer.is_global_zero:
        save_tensors(task, store.weights)


def quiet_libraries() -> None:
    """Keeps from the run's output what Lightning says of itself and to its developers."""
    for name in ("pytorch_lightning", "lightning.fabric", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        ".*dataloader is not resumable.*",
        ".*Experiment logs directory.*",
        ".*exists and is not empty.*",
        ".*is smaller than the logging interval.*",
        ".*isinstance.treespec, LeafSpec.*",
        ".*sync_dist=True.*",  # metrics have synchronised themselves
        ".*in eval mode at the start of training.*",
    ):
        warnings.filterwarnings("ignore", message)


def _evaluate(
    trainer: pl.Trainer, task: pl.LightningModule, data: pl.LightningDataModule, job: Job
) -> Metrics:
    metrics: Metrics = {}
    for stage in job.config.evaluate:
        read = {"val": trainer.validate, "test": trainer.test}[stage]
        for results in read(task, data, verbose=False):
            for key, value in results.items():
                _, decoder, metric = key.split("/")
                metrics.setdefault(stage, {}).setdefault(decoder, {})[metric] = value
    return metrics


def _log_chosen(trainer: pl.Trainer, metrics: Metrics, job: Job) -> None:
    """Logs what the decoder best on val came to as val/chosen/FIGURE, a name for every arm.

    Not into metrics.csv, where it stands as that decoder's.
    """
    figure, mode = best.watched_figure(job.record)
    on_val = {name: figures.get(figure) for name, figures in metrics.get("val", {}).items()}
    chosen = best.best(on_val, mode)
    values = {
        f"{stage}/chosen/{name}": value
        for stage, decoders in metrics.items()
        for name, value in decoders.get(chosen or "", {}).items()
    }
    for logger in trainer.loggers:
        if values and not isinstance(logger, CSVLogger):
            logger.log_metrics(values, step=trainer.global_step)


@contextmanager
def _timed(store: RunStore, trainer: pl.Trainer) -> Iterator[None]:
    """Records the seconds a training took, with those before it was resumed."""
    began = time.monotonic()
    try:
        yield
    finally:
        if trainer.is_global_zero:
            before = store.read().get("seconds", 0.0)
            store.update(seconds=before + time.monotonic() - began)


@contextmanager
def _recorded(store: RunStore, trainer: pl.Trainer, known: dict[str, Any]) -> Iterator[None]:
    """Keeps in run.json how the run stands and, whatever the way, how it ended."""

    ended: dict[str, Any] = {"status": "interrupted"}
    if torch.cuda.is_available():  # an earlier job of the same process may have taken more
        torch.cuda.reset_peak_memory_stats()
    if trainer.is_global_zero:
        store.update(status="running", **known)
    try:
        yield
        ended = {"status": "finished", "error": None, "peak_memory": facts.peak_memory()}
    except (InterruptedRunError, KeyboardInterrupt):
        raise
    except MisconfigurationException as error:
        ended = {"status": "failed", "error": str(error)}
        raise IncompatibleError(f"trainer: {in_a_line(error)}") from error
    except BaseException as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # Lightning's exit from an evaluation
            raise KeyboardInterrupt from error
        ended = {"status": "failed", "error": no_place.recorded(error)}
        if "more than 1 value per channel" in str(error):  # a batch norm says so
            size = "choose data.batch_size=2 or more, or a larger image_size"
            raise IncompatibleError(f"{in_a_line(error)}: {size}.") from error
        raise
    finally:
        if trainer.is_global_zero:
            store.update(**ended)
        failed = ended["status"] != "finished"
        for logger in trainer.loggers:
            logger.finalize("failed" if failed else "success")
        if wandb := imported("wandb"):  # the next job of a sweep would write into its run
            wandb.finish(exit_code=int(failed))


def _naming(store: RunStore, trainer: pl.Trainer) -> AbstractContextManager[None]:
    """Loggers may keep what they log on another disk, and say nothing of it when it is full."""
    theirs = (Path(logger.save_dir) for logger in trainer.loggers if logger.save_dir)
    return whole_file.among(store.folder, *theirs)
