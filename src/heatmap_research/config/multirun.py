"""A sweep as Hydra runs it: where it lies, and how the folders of its jobs are called."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from heatmap_research.runs.record import INCIDENTAL, config_hash
from heatmap_research.runs.sweep import Sweep
from heatmap_research.types import IncompatibleError

MAX_LETTERS = 80  # of a folder's readable part

_begun: list[Sweep] = []  # by this process


class Begun(Callback):
    """Hydra's hook: tells the command, which composes no config itself, where its sweep is."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        with suppress(OmegaConfBaseException):  # a wrong name: the sweep itself says so
            _begun.append(Sweep(Path(config.hydra.sweep.dir).absolute()))


def begun() -> Sweep | None:
    return _begun[-1] if _begun else None


def in_sweep() -> bool:
    return HydraConfig.get().mode == RunMode.MULTIRUN


def folder_of_study(study: str | None, otherwise: str) -> str:
    if not study:
        return f"outputs/{otherwise}"
    if study in (".", "..") or Path(study).name != study:
        raise IncompatibleError(f"study={study}: give a name, not a path; outputs/studies has it.")
    return f"outputs/studies/{study}"


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
    return f"{readable[:MAX_LETTERS].strip('-_.') or 'job'}-{digest}"


OmegaConf.register_new_resolver("folder_of_study", folder_of_study, replace=True)
OmegaConf.register_new_resolver("folder_of_job", folder_of_job, replace=True)


def _word(override: str, groups: Any) -> tuple[bool, bool, bool, str]:
    """A word of a folder's name, behind its place in it.

    In order: groups, values of the root, the seed, values within groups.
    """
    key, _, value = override.lstrip("+~").partition("=")
    path = key.partition("@")[0].split(".")
    incidental = set(path) & INCIDENTAL or (key == "experiment" and "/" not in value)
    named = value if key in groups else f"{path[-1]}_{value}"
    word = "" if incidental else re.sub(r"(?:[^\w.]|_)+", "_", named).strip("_")
    return len(path) > 1, key == "seed", key not in groups, word
