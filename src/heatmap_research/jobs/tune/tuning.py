"""Tunes arms with an equal budget, and goes on where it was cut off; each trial is a training."""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn

from heatmap_research.config import yaml_file
from heatmap_research.config.error_words import in_words
from heatmap_research.jobs.tune import arms, outcome, space, studies
from heatmap_research.jobs.tune.arms import Arm
from heatmap_research.jobs.tune.search import PrunedError, Search, Trial, TrialReport, trials
from heatmap_research.runs.best import best
from heatmap_research.runs.store import RunStore
from heatmap_research.training import fit
from heatmap_research.training.callbacks.interruption import InterruptedRunError
from heatmap_research.types import IncompatibleError

log = logging.getLogger(__name__)


class NoSuchFigureError(IncompatibleError):
    """No trial can give what is asked for."""


def run(cfg: DictConfig) -> None:
    space.check(cfg)
    search, tuned = space.search_of(cfg), arms.arms_of(cfg)
    space.refuse_given(cfg, HydraConfig.get().overrides.task)
    for arm in tuned:
        mode = arms.try_out(arm, search).config.monitor_mode
    search = replace(search, maximise=mode == "max")
    outcome.conclude(cfg, search, tuned, _search(cfg, search, tuned))


def _search(cfg: DictConfig, search: Search, tuned: list[Arm]) -> dict[str, list[Trial]]:
    folder = Path(cfg.tune.folder).resolve()
    fatal = (NoSuchFigureError, InterruptedRunError, OSError)  # a full disk is no arm's fault
    with studies.opened(str(cfg.tune.storage)) as storage:
        asked = {arm.name: arms.asked(arm, search, cfg) for arm in tuned}
        known = {n: studies.study(storage, n, search.maximise, asked[n]) for n in asked}
        for name, study in known.items():
            if not study.trials and any((folder / name).glob("*/run.json")):
                raise IncompatibleError(
                    f"tune.folder={cfg.tune.folder}: it holds runs of {name} that "
                    f"tune.storage={cfg.tune.storage} knows nothing of: choose another folder."
                )
            if (had := len(trials(study))) > search.trials:
                raise IncompatibleError(
                    f"tune.trials={search.trials}: {name} has had {had} trials in this study; give "
                    f"{had} or more, so that each arm has as many, or choose another tune.folder."
                )
        objectives = {arm.name: partial(train, arm, search, folder) for arm in tuned}
        return {name: search.run(objectives[name], known[name], fatal) for name in known}


def train(
    arm: Arm, search: Search, folder: Path, number: int, values: dict[str, Any], report: TrialReport
) -> float:
    """Trains an arm with these values; returns its figure on val."""
    store = RunStore(folder / arm.name / f"{number:03d}")
    job = arm.job(values, output_dir=str(store.folder))
    yaml_file.save(job.config, store.folder / ".hydra" / "config.yaml")
    read = partial(best_on_val, job.config.monitor, search.maximise)
    watching = ReportValidation(lambda step, figures: report(step, read(figures)[1]))
    log.info(f"{arm.name} trial {number + 1} of {search.trials}: {' '.join(arms.words(values))}")
    report.facts["run"] = f"{arm.name}/{number:03d}"
    try:
        metrics = fit.train(job, store, sweep=True, watching=[watching])
    except PrunedError as stop:
        store.update(status="pruned", error=None, steps=watching.steps)
        log.info(f"  pruned {stop}")
        raise
    except Exception as error:
        if not isinstance(error, InterruptedRunError):
            log.info(f"  failed: {in_words(error)}")
        raise
    finally:
        report.steps = watching.steps
    val = metrics["val"].items()
    flat = {f"val/{d}/{n}": v for d, figures in val for n, v in figures.items()}
    report.facts["decoder"], figure = read(flat)
    return figure


def best_on_val(monitor: str, maximise: bool, figures: Mapping[str, float]) -> tuple[str, float]:
    """The decoder that is read, with its figure; where none is named, the one best at it."""
    decoder, _, name = monitor.rpartition("/")
    parts = {key: re.fullmatch(r"val/([^/]*)/([^/]*)", key) for key in figures}
    val = {found[1]: figures[key] for key, found in parts.items() if found and found[2] == name}
    read = {key: val[key] for key in val if decoder in ("", key)}
    if not read:
        known = {key.rpartition("/")[2] for key in figures if key.startswith("val/")}
        raise NoSuchFigureError(
            f"monitor={monitor}: val gives no such figure; choose {', '.join(sorted(known))}."
        )
    chosen = best(read, "max" if maximise else "min")
    assert chosen is not None  # read holds figures only
    return chosen, read[chosen]


class ReportValidation(Callback):
    """Reports the figures of each validation while there are steps left that a stop would save."""

    def __init__(self, report: Callable[[int, Mapping[str, float]], None]) -> None:
        self.report = report  # step and figures; raises to end the training
        self.steps = 0

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        self.steps = trainer.global_step

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        steps = trainer.global_step
        if trainer.state.fn == TrainerFn.FITTING and steps < trainer.estimated_stepping_batches:
            self.report(steps, {key: float(n) for key, n in trainer.callback_metrics.items()})
