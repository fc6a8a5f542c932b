"""From the part `tune` of the config, checked here, to a search."""

from collections.abc import Iterable
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from optuna.pruners import BasePruner, NopPruner

from heatmap_research.config.hydra_job import refuse_several_processes
from heatmap_research.config.instantiate import instantiate, refusing
from heatmap_research.config.values import at_least
from heatmap_research.jobs.tune.arms import key_of
from heatmap_research.jobs.tune.search import Parameter, Search
from heatmap_research.types import IncompatibleError


def check(cfg: DictConfig) -> None:
    tune = cfg.tune
    for key in ("trials", "startup", "looks"):
        if not at_least(1)(tune[key]):
            raise IncompatibleError(f"tune.{key}={tune[key]}: give a whole number, at least 1.")
    names = tune.arms
    if names is not None and not (isinstance(names, ListConfig) and len(names)):
        raise IncompatibleError(f"tune.arms={names}: give a list such as [ce_2d,simcc], or null.")
    if not isinstance(tune.space, DictConfig) or not tune.space:
        raise IncompatibleError("tune.space: give at least one key to vary.")
    if list(cfg.evaluate) != ["val"]:
        raise IncompatibleError(f"evaluate={cfg.evaluate}: what is tuned is tuned on val alone.")
    if cfg.resume:
        raise IncompatibleError("resume: the same command goes on with a study; leave it out.")
    refuse_several_processes(cfg.trainer, "a trial", "leave trainer=ddp out")


def search_of(cfg: DictConfig) -> Search:
    tune = cfg.tune
    pruner = NopPruner() if tune.pruner is None else instantiate(tune.pruner, "tune.pruner")
    if not isinstance(pruner, BasePruner):
        raise IncompatibleError("tune.pruner: give one of optuna.pruners, or null.")
    space = tuple(_parameter(str(name), node) for name, node in tune.space.items())
    keys = [each.key for each in space]
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise IncompatibleError(f"tune.space: {twice[0]} is given twice.")
    return Search(space, tune.trials, cfg.seed, pruner, tune.startup)


def refuse_given(cfg: DictConfig, overrides: Iterable[str]) -> None:
    """Refuses a value for a key that is searched for: it would do nothing."""
    names = {node.key: name for name, node in cfg.tune.space.items()}
    for text in overrides:
        if (key := key_of(text)) in names:
            raise IncompatibleError(
                f"{text}: tune.space.{names[key]} searches for it; leave it out, or take "
                f"it from the search: ~tune.space.{names[key]}."
            )


def _parameter(name: str, node: Any) -> Parameter:
    takes = ("key", "low", "high", "log", "int", "choices", "unit")
    given: Any = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_dict(node) else {}
    stray = [f".{key}" for key in given if key not in takes]
    if stray or "key" not in given:
        raise IncompatibleError(f"tune.space.{name}{''.join(stray[:1])}: give {', '.join(takes)}.")
    for key in ("log", "int"):
        if not isinstance(given.get(key, False), bool):
            raise IncompatibleError(f"tune.space.{name}.{key}={given[key]}: give true or false.")
    with refusing(f"tune.space.{name}"):
        return Parameter(**given)
