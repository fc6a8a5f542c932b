"""A job as Hydra runs it: the sweep it belongs to, and how it and its folder are called."""

import os
import re
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from heatmap_research.config import partners
from heatmap_research.runs.record import INCIDENTAL, config_hash, read_or_empty
from heatmap_research.runs.store import RunStore
from heatmap_research.runs.sweep import OLDER, Sweep, claimed, set_aside
from heatmap_research.types import IncompatibleError

FOLDER_LETTERS = 80  # of the readable part of a folder's name
LOGGER_LETTERS = 128  # of a name that wandb takes
# Where, how fast and before whose eyes a job runs: no part of its name.
UNSAID = (
    *("arm=", "experiment=", "study=", "logger", "callback", "hydra", "output_dir=", "resume="),
    *("trainer.accelerator=", "trainer.devices=", "data.workers=", "data.cache=", "data.root="),
)
# Of one of several processes, in its environment; a node's first process may know its node alone.
RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "NODE_RANK", "GROUP_RANK")

_begun: list[Sweep] = []  # by this process
_held, _claimed = ExitStack(), set[Path]()  # folders that are this process's until it ends


class Begun(Callback):
    """Hydra's hooks: tell the command, which composes no config itself, of its sweep."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Comes before anything is written, so that a refusal leaves all as it was."""
        with suppress(OmegaConfBaseException):
            try:
                make_room(Path(config.hydra.run.dir), config)
                claim(Path(config.hydra.run.dir))
            except IncompatibleError as error:  # Hydra would only warn of it
                sys.exit(f"{config.hydra.help.app_name}: {error}")

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        if config.get("name"):
            word = f"name={config.name} is of one run: choose study={config.name} for a sweep."
            sys.exit(f"{config.hydra.help.app_name}: {word}")
        with suppress(OmegaConfBaseException):  # a wrong name: the sweep itself says so
            _begun.append(Sweep(Path(config.hydra.sweep.dir).absolute()))

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        if in_sweep():  # all of whose jobs have been composed by now
            partners.start(config)


def begun() -> Sweep | None:
    return _begun[-1] if _begun else None


def in_sweep() -> bool:
    return HydraConfig.get().mode == RunMode.MULTIRUN


def is_first() -> bool:
    """Whether this is the only process of a run, or the first of several."""
    return all(os.environ.get(name, "0") == "0" for name in RANKS)


def refuse_several_processes(trainer: DictConfig, whose: str, instead: str) -> None:
    """Refuses what Lightning would start by this command line, which does more than one training.

    The further processes would go through all of it anew, and share one training with a process
    that is at another.
    """
    for key in ("devices", "num_nodes"):
        asked = trainer.get(key, 1)
        many = len(asked) if isinstance(asked, ListConfig) else asked
        alone = many == "auto" and trainer.get("accelerator") == "cpu"
        if not alone and many not in (1, "1"):
            raise IncompatibleError(
                f"trainer.{key}={asked}: {whose} has one process: choose trainer.{key}=1, or "
                f"{instead}."
            )


def make_room(folder: Path, cfg: DictConfig) -> None:
    """Refuses to train where a run with weights lies; with overwrite=true, moves it aside."""
    store = RunStore(folder.absolute())
    known = read_or_empty(store.folder)
    if not is_first() or not known:  # the first process decides for all
        return
    status = known.get("status")
    if status == "finished" or any(store.checkpoints.glob("*.ckpt")):
        if not cfg.get("overwrite"):
            go_on = "" if status == "finished" else f"resume={folder} to go on with it, "
            raise IncompatibleError(
                f"hydra.run.dir={folder}: a run that is {status} lies there, with its weights. "
                f"Choose {go_on}name=NEW for another folder, or overwrite=true, which keeps the "
                f"old run in {folder.parent / OLDER}."
            )
        with claimed(store.folder) as free:
            if not free:
                raise _taken(folder)
            print(f"the run that lay there is kept in {set_aside(store.folder)}")


def claim(folder: Path) -> None:
    """Keeps a folder for this process until it ends; refuses one that another process holds.

    Where the folder cannot be made, whoever writes there first says so.
    """
    place = folder.absolute()
    if not is_first() or place in _claimed:
        return
    with suppress(OSError):
        place.mkdir(parents=True, exist_ok=True)
        if not _held.enter_context(claimed(place)):
            raise _taken(folder)
        _claimed.add(place)


def _taken(folder: Path) -> IncompatibleError:
    return IncompatibleError(f"{folder}: another process trains in it: choose name=NEW, or wait.")


def folder_of_study(study: str | None, otherwise: str) -> str:
    return _named("study", study, "outputs/studies", f"outputs/{otherwise}")


def folder_of_run(name: str | None, otherwise: str) -> str:
    return _named("name", name, "outputs", f"outputs/{otherwise}")


def _named(key: str, name: str | None, below: str, otherwise: str) -> str:
    if not name:
        return otherwise
    if name in (".", "..") or Path(name).name != name:
        raise IncompatibleError(f"{key}={name}: give a name, not a path; {below} has it.")
    return f"{below}/{name}"


def folder_of_job(_root_: DictConfig) -> str:
    """A readable name of what was asked for, and a hash that is this config's alone."""
    config: Any = OmegaConf.to_container(_root_, resolve=False)
    digest = config_hash(config)[:8]
    job = HydraConfig.get()
    if known := sorted(Path(job.sweep.dir).glob(f"*-{digest}")):  # named when other keys varied
        return known[0].name
    same = job.job.config.override_dirname.exclude_keys
    asked = [text for text in job.overrides.task if text.lstrip("+~").partition("=")[0] not in same]
    words = sorted(_word(text, job.runtime.choices) for text in asked)
    readable = "-".join(dict.fromkeys(word for *_, word in words if word))
    return f"{readable[:FOLDER_LETTERS].strip('-_.') or 'job'}-{digest}"


OmegaConf.register_new_resolver("folder_of_study", folder_of_study, replace=True)
OmegaConf.register_new_resolver("folder_of_run", folder_of_run, replace=True)
OmegaConf.register_new_resolver("folder_of_job", folder_of_job, replace=True)


def choices(job: Any = None) -> dict[str, Any]:
    """Which option of each group this config, or another one's part `hydra`, was made of."""
    job = job or HydraConfig.get()
    chosen = {str(k): v for k, v in job.runtime.choices.items()}
    changes = [text for text in job.overrides.task if re.match("(head|loss)=", text)]
    if changes and chosen.get("arm"):
        chosen["arm"] = " ".join([chosen["arm"], "with", *changes])
    if str(chosen.get("experiment")).startswith("published/"):
        chosen["arm"] = chosen["experiment"]  # it chooses all that an arm does, and more
    return {name: choice for name, choice in chosen.items() if not name.startswith("hydra/")}


def name_in_loggers(cfg: DictConfig) -> None:
    """Gives loggers that leave both open the study a job belongs to, and what it tries."""
    with open_dict(cfg):
        for node in cfg.logger.values():
            for key, name in (("group", _study(cfg)), ("name", _trial(cfg))):
                if key in node and node[key] is None:
                    node[key] = name


def _word(override: str, groups: Any) -> tuple[bool, bool, bool, str]:
    """A word of a folder's name behind its place: groups, the root's values, the seed, the rest."""
    key, _, value = override.lstrip("+~").partition("=")
    path = key.partition("@")[0].split(".")
    incidental = set(path) & INCIDENTAL or (key == "experiment" and "/" not in value)
    named = value if key in groups else f"{path[-1]}_{value}"
    word = "" if incidental else re.sub(r"(?:[^\w.]|_)+", "_", named).strip("_")
    return len(path) > 1, key == "seed", key not in groups, word


def _study(cfg: DictConfig) -> str | None:
    """The name of a study or an experiment; for another sweep the name of its folder."""
    job = HydraConfig.get()
    if named := cfg.get("study") or job.runtime.choices.get("experiment"):
        return str(named)
    if not in_sweep():
        return None
    sweep = Path(job.sweep.dir)
    only_a_time = re.fullmatch(r"\d\d-\d\d-\d\d(-\d+)?", sweep.name)
    return f"{sweep.parent.name}/{sweep.name}" if only_a_time else sweep.name


def _trial(cfg: DictConfig) -> str:
    """The arm and what is tried with it, as it was typed; in a named study, what varies there."""
    arm = str(choices().get("arm") or "custom").partition(" with ")[0]
    job = HydraConfig.get()
    varied = tuple(f"{key}=" for key in job.sweeper.get("params") or {})
    said = [text for text in job.overrides.task if not text.startswith(UNSAID)]
    asked = [text for text in said if not varied or text.startswith(varied)]
    seed = [] if any(text.startswith("seed=") for text in asked) else [f"seed={cfg.seed}"]
    return " ".join([arm, *asked, *seed])[:LOGGER_LETTERS]
