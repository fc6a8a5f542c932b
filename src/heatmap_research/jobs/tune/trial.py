"""A trial is a training; what it gives is a figure on val."""

import logging
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from heatmap_research.config.error_words import in_words
from heatmap_research.jobs.tune.arms import Arm, words
from heatmap_research.jobs.tune.search import PrunedError, Search, TrialReport
from heatmap_research.runs.best import best
from heatmap_research.runs.store import RunStore
from heatmap_research.training import fit
from heatmap_research.training.callbacks.interruption import InterruptedRunError
from heatmap_research.training.callbacks.validation_hook import ReportValidation
from heatmap_research.types import IncompatibleError

log = logging.getLogger(__name__)


class NoSuchFigureError(IncompatibleError):
    """No trial can give what is asked for."""


def train(
    arm: Arm,
    search: Search,
    folder: Path,
    looks: int,
    number: int,
    values: dict[str, Any],
    report: TrialReport,
) -> float:
    store = RunStore(folder / arm.name / f"{number:03d}")
    job = arm.job(values, looks, output_dir=str(store.folder))
    (store.folder / ".hydra").mkdir(parents=True, exist_ok=True)
    OmegaConf.save(job.config, store.folder / ".hydra" / "config.yaml")
    read = partial(best_on_val, job.config.monitor, search.maximise)
    watching = ReportValidation(lambda step, figures: report(step, read(figures)[1]))
    log.info(f"{arm.name} trial {number + 1} of {search.trials}: {' '.join(words(values))}")
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
