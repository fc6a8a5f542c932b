"""A trained run evaluated on other data too, each time in a folder below the run's own."""

import shutil
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from heatmap_research.config import hydra_job, of_run, yaml_file
from heatmap_research.config.instantiate import refusing
from heatmap_research.config.job import Job, prepare
from heatmap_research.runs import record
from heatmap_research.runs.store import RunStore
from heatmap_research.types import IncompatibleError

# What decides of no weight's size, and differs between a run and each of its evaluations.
NO_WEIGHT = ("data", "output_dir", "resume", "logger", "callback", "also")


def refuse_impossible(job: Job) -> None:
    """Checks all that is evaluated later, before a step is taken."""
    for name, words in (job.config.also or {}).items():
        if isinstance(words, str):
            raise IncompatibleError(f"also.{name}={words}: give a list, as ['KEY=VALUE'].")
        other = changed(job, job.config, Path(job.config.output_dir), name, list(words))
        try:
            _refuse_other_weights(job, other)
        except IncompatibleError as error:
            raise IncompatibleError(f"also.{name}={list(words)}: {error}") from error


def evaluate_also(job: Job, folder: Path) -> None:
    """Does all evaluations of `also` that were not finished before."""
    from heatmap_research.training import fit  # torch: after the config has been looked at

    for name, words in (job.config.also or {}).items():
        store = RunStore(folder / "evaluate" / name)
        if record.read_or_empty(store.folder).get("status") == "finished":
            continue
        other = changed(job, of_run.stored(folder), folder, name, list(words))
        if hydra_job.is_first():
            shutil.rmtree(store.folder, ignore_errors=True)
            yaml_file.save(other.config, store.folder / ".hydra" / "config.yaml")
        checkpoint = of_run.weights_of(folder, "last")
        fit.evaluate(other, RunStore(folder), store, checkpoint)


def changed(job: Job, config: DictConfig, folder: Path, name: str, words: list[str]) -> Job:
    """The same job on the data that these words ask for; refuses keys that it does not have.

    `config` still has its interpolations: after training, those of the job are filled in.
    """
    asked = dict.fromkeys(of_run.GROUPS) | {"name": name, "change": OmegaConf.from_dotlist(words)}
    with refusing(f"also.{name}", OmegaConfBaseException):
        config = of_run.changed_from(config, OmegaConf.create(asked), folder)
    return prepare(config, job.choices)


def _refuse_other_weights(job: Job, other: Job) -> None:
    """Refuses an evaluation by a network that has no room for the weights of this training."""
    if all(other.record.get(key) == job.record[key] for key in job.record if key not in NO_WEIGHT):
        return
    own, there = _sizes(job), _sizes(other)
    if unlike := [name for name in own | there if own.get(name) != there.get(name)]:
        (first, *_), parts = unlike, [sizes.get(unlike[0], "missing") for sizes in (there, own)]
        raise IncompatibleError(
            f"{first.removeprefix('net.')} would be {parts[0]} there and is {parts[1]} in "
            "training: ask for what no weight depends on, such as data, or choose a head without "
            "dense layers, such as conv1x1."
        )


def _sizes(job: Job) -> dict[str, str]:
    """The size of each weight, by name."""
    from heatmap_research.training.build import dry_run, wire  # torch

    weights = dry_run(wire(job))[0].state_dict()
    return {
        name: "x".join(map(str, weight.shape)) or "a number" for name, weight in weights.items()
    }
