"""monitor_mode follows from the metric that gives the monitored figure."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from heatmap_research.config.instantiate import with_values
from heatmap_research.types import IncompatibleError

WORDS = {"min": "less", "max": "more"}


def with_mode(cfg: DictConfig, metrics: Mapping[str, Any]) -> DictConfig:
    """Fills in min or max; a monitor_mode that was given has to agree with its metric."""
    figure, given = cfg.monitor.rpartition("/")[2], cfg.monitor_mode
    if given not in (None, *WORDS):
        raise IncompatibleError(f"monitor_mode={given}: leave it out, or give min or max.")
    known = _modes(metrics)
    follows = known.get(figure)
    if follows and given and follows != given:
        raise IncompatibleError(
            f"monitor_mode={given}: of {figure} {WORDS[follows]} is better, so this would keep the "
            "worst weights: leave monitor_mode out."
        )
    if not follows and not given and _is_watched(cfg):
        others = f"choose monitor={' or '.join(list(known)[:6])}, or " if known else ""
        raise IncompatibleError(
            f"monitor={cfg.monitor}: none of metric=[{','.join(cfg.metric)}] says whether more or "
            f"less of {figure} is better: {others}give monitor_mode=min or max."
        )
    return with_values(cfg, monitor_mode=follows or given or "min")


def _modes(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Each figure of these metrics, and whether less or more of it is better."""
    known: dict[str, str] = {}
    for name, metric in metrics.items():
        higher = getattr(metric, "higher_is_better", None)
        if higher is not None:
            figures = getattr(metric, "figures", (name,))
            known |= dict.fromkeys(figures, "max" if higher else "min")
    return known


def _is_watched(cfg: DictConfig) -> bool:
    """Whether a callback, such as `best`, keeps or stops by the figure."""
    nodes = cfg.callback.values() if cfg.callback else ()
    return any(isinstance(node, DictConfig) and "monitor" in node for node in nodes)
