"""What a job is called, and which options it is made of."""

import re
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from heatmap_research.config.multirun import in_sweep

MAX_LETTERS = 128  # of a name that wandb takes
# Where, how fast and before whose eyes a job runs: no part of its name.
UNSAID = (
    *("arm=", "experiment=", "study=", "logger", "callback", "hydra", "output_dir=", "resume="),
    *("trainer.accelerator=", "trainer.devices=", "data.workers=", "data.cache=", "data.root="),
)


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


def _study(cfg: DictConfig) -> str | None:
    """The name of a study or an experiment; for another sweep the name of its folder."""
    job = HydraConfig.get()
    if named := cfg.get("study") or job.runtime.choices.get("experiment"):
        return str(named)
    if not in_sweep():
        return None
    sweep = Path(job.sweep.dir)
    only_a_time = re.fullmatch(r"\d\d-\d\d-\d\d", sweep.name)
    return f"{sweep.parent.name}/{sweep.name}" if only_a_time else sweep.name


def _trial(cfg: DictConfig) -> str:
    """The arm and what is tried with it, as it was typed; in a named study, what varies there."""
    arm = str(choices().get("arm") or "custom").partition(" with ")[0]
    job = HydraConfig.get()
    varied = tuple(f"{key}=" for key in job.sweeper.get("params") or {})
    said = [text for text in job.overrides.task if not text.startswith(UNSAID)]
    asked = [text for text in said if not varied or text.startswith(varied)]
    seed = [] if any(text.startswith("seed=") for text in asked) else [f"seed={cfg.seed}"]
    return " ".join([arm, *asked, *seed])[:MAX_LETTERS]
