"""A trained run evaluated on other data too, each time in a folder below the run's own."""

import shutil
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from heatmap_research.config import of_run
from heatmap_research.config.instantiate import refusing
from heatmap_research.config.job import Job, prepare
from heatmap_research.runs import record
from heatmap_research.runs.store import RunStore
from heatmap_research.types import IncompatibleError


def refuse_impossible(job: Job) -> None:
    """Checks all that is evaluated later, before a step is taken."""
    for name, words in (job.config.also or {}).items():
        if isinstance(words, str):
            raise IncompatibleError(f"also.{name}={words}: give a list, as ['KEY=VALUE'].")
        changed(job, job.config, Path(job.config.output_dir), name, list(words))


def evaluate_also(job: Job, folder: Path) -> None:
    """Does all evaluations of `also` that were not finished before."""
    from heatmap_research.training import fit  # torch: after the config has been looked at

    for name, words in (job.config.also or {}).items():
        store = RunStore(folder / "evaluate" / name)
        if record.read_or_empty(store.folder).get("status") == "finished":
            continue
        shutil.rmtree(store.folder, ignore_errors=True)
        (store.folder / ".hydra").mkdir(parents=True)
        other = changed(job, of_run.stored(folder), folder, name, list(words))
        OmegaConf.save(other.config, store.folder / ".hydra" / "config.yaml")
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
