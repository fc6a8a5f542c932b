"""The arms to be tuned, each with the config that heatmap-train would give it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from heatmap_research.config import additions, hydra_job
from heatmap_research.config.instantiate import with_values
from heatmap_research.config.job import Job, prepare
from heatmap_research.jobs.tune.search import Search
from heatmap_research.runs.find import leaves
from heatmap_research.training import build
from heatmap_research.training.devices import refuse_absent
from heatmap_research.types import IncompatibleError


@dataclass(frozen=True)
class Arm:
    name: str
    overrides: tuple[str, ...]
    choices: dict[str, Any]
    named: bool  # by an option of arm, which the overrides hold
    looks: int  # validations a training

    def job(self, values: Mapping[str, Any], **more: Any) -> Job:
        """The job that heatmap-train would do with these values."""
        kept = [text for text in self.overrides if key_of(text) not in values]
        cfg = hydra.compose(HydraConfig.get().job.config_name, [*kept, *words(values)])
        with open_dict(cfg):
            del cfg["tune"]
            if cfg.trainer.max_steps > 0 and "val_check_interval" not in cfg.trainer:
                batches = cfg.trainer.max_steps * cfg.trainer.accumulate_grad_batches
                cfg.trainer.val_check_interval = max(1, batches // self.looks)
                cfg.trainer.check_val_every_n_epoch = None
        additions.refuse(cfg)
        return prepare(with_values(cfg, **more), self.choices)


def arms_of(cfg: DictConfig) -> list[Arm]:
    job = HydraConfig.get()
    given = [text for text in job.overrides.task if not key_of(text).startswith("tune.")]
    if cfg.tune.arms is None:
        return [_arm(cfg, given, None)]
    if own := [text for text in given if key_of(text) == "arm"]:
        raise IncompatibleError(f"{own[0]} tune.arms={list(cfg.tune.arms)}: give one of the two.")
    if str(job.runtime.choices.get("experiment")).startswith("published/"):
        raise IncompatibleError("tune.arms: a published experiment chooses its arm: leave it out.")
    return [_arm(cfg, [*given, f"arm={name}"], name) for name in dict.fromkeys(cfg.tune.arms)]


def words(values: Mapping[str, Any]) -> list[str]:
    """Overrides for a command line; with four digits, so that what is printed is what was run."""
    return [f"{key}={word(value)}" for key, value in values.items()]


def try_out(arm: Arm, search: Search) -> Job:
    """Refuses, before the first trial, what would be refused of every one; returns one job."""
    for end in range(2):
        job = arm.job({each.key: each.ends[end] for each in search.space})
    build.dry_run(build.wire(job))
    refuse_absent(job.config.trainer.accelerator)
    return job


def asked(arm: Arm, search: Search, cfg: DictConfig) -> dict[str, Any]:
    """The values that a study's trials must share to be compared, by flat keys."""
    varied = {each.key for each in search.space}
    space = {each.key: vars(each) for each in search.space}
    tune: Any = OmegaConf.to_container(cfg.tune)
    tune = {"startup": search.startup, "looks": arm.looks, "pruner": tune.get("pruner")}
    config: Any = OmegaConf.to_container(arm.job({}).config)
    all_keys = leaves({"tune": tune | {"space": space}, **config})  # what differs first is named
    return {key: value for key, value in all_keys if key not in varied and value != {}}


def _arm(cfg: DictConfig, overrides: list[str], name: str | None) -> Arm:
    job = HydraConfig.get().job
    made = hydra.compose(job.config_name, overrides, return_hydra_config=True)
    choices = hydra_job.choices(made.hydra)
    if name is None and not str(choices.get("experiment")).startswith("published/"):
        name = made.hydra.runtime.choices.get("arm")
    shown = str(choices.get("arm") or "custom").replace("/", "_")
    return Arm(name or shown, tuple(overrides), choices, name is not None, cfg.tune.looks)


def key_of(override: str) -> str:
    return override.lstrip("+~").partition("=")[0].partition("@")[0]


def word(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:.4g}" if isinstance(value, float) else str(value)
