"""Figures of OKS, AP among them, are counted only where somebody has measured the tolerances."""

import inspect
from typing import Any, get_args

from omegaconf import DictConfig

from heatmap_research.config.instantiate import with_values
from heatmap_research.config.trusted import located
from heatmap_research.types import IncompatibleError, Schema


def with_tolerances(cfg: DictConfig, schema: Schema) -> DictConfig:
    """Fills in the joints' OKS tolerances; null, and no metric that needs any, if not known."""
    if schema.tolerances_known:
        return with_values(cfg, tolerances=list(schema.sigmas))
    cfg = with_values(cfg, tolerances=None)
    without = {name: node for name, node in cfg.metric.items() if not lacks_tolerances(node)}
    nothing = bool(cfg.metric) and not without
    refuse_without_tolerances(f"metric=[{','.join(cfg.metric)}]", nothing)
    return with_values(cfg, metric=without)


def refuse_without_tolerances(choice: str, asked: bool) -> None:
    if asked:
        raise IncompatibleError(
            f"{choice}: it needs OKS tolerances, which the annotations do not give: choose "
            "another, or give one a joint, data.sigmas=[...]."
        )


def lacks_tolerances(node: Any) -> bool:
    """Whether an option takes OKS tolerances, cannot do without, and has none."""
    if not isinstance(node, DictConfig) or node.get("tolerances", 0) is not None:
        return False
    takes = inspect.signature(located(node["_target_"], "_target_")).parameters["tolerances"]
    return type(None) not in get_args(takes.annotation)
