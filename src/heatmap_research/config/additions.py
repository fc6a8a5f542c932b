"""Keys that a command line adds to a config."""

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from heatmap_research.config.instantiate import did_you_mean
from heatmap_research.config.key_names import known_keys
from heatmap_research.types import IncompatibleError


def refuse(cfg: DictConfig) -> None:
    """A key added by hand has a reader only where a signature, checked elsewhere, takes it."""
    groups = GlobalHydra.instance().config_loader().list_groups("")
    for text in HydraConfig.get().overrides.task:
        if not text.startswith("+") or text.startswith(("+change.", "+tune.space.", "+also.")):
            continue
        path = text.lstrip("+").partition("=")[0].partition("@")[0]
        parents = path.split(".")[:-1]
        nodes = [OmegaConf.select(cfg, ".".join(parents[: i + 1])) for i in range(len(parents))]
        if any(isinstance(node, DictConfig) and "_target_" in node for node in nodes):
            continue
        if (not parents and path in groups) or (text.startswith("++") and _is_there(path)):
            continue
        raise IncompatibleError(
            f"{text.lstrip('+')}: nothing reads this key.{did_you_mean(path, known_keys(path))}"
        )


def _is_there(path: str) -> bool:
    """Whether a key exists without the overrides that add it."""
    job = HydraConfig.get()
    rest = [text for text in job.overrides.task if not text.startswith("+")]
    base, missing = hydra.compose(job.job.config_name, rest), object()
    return OmegaConf.select(base, path, default=missing) is not missing
