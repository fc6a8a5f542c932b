"""monitor_mode follows from the metric that gives the monitored figure."""

from collections.abc import Iterator

from omegaconf import DictConfig

from heatmap_research.config import instantiate
from heatmap_research.types import IncompatibleError

WORDS = {"min": "less", "max": "more"}


def with_mode(cfg: DictConfig) -> DictConfig:
    """Fills in min or max; a monitor_mode that was given has to agree with the metric."""
    figure, given = cfg.monitor.rpartition("/")[2], cfg.monitor_mode
    if given not in (None, *WORDS):
        raise IncompatibleError(f"monitor_mode={given}: leave it out, or give min or max.")
    known = dict(_modes(cfg))
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
    return instantiate.with_values(cfg, monitor_mode=follows or given or "min")


def _modes(cfg: DictConfig) -> Iterator[tuple[str, str]]:
    """Each figure of the chosen metrics, and which of it is better."""
    instantiate.refuse_strays(cfg.metric, "metric")
    for name, metric in instantiate.make(cfg.metric, "metric").items():
        higher = getattr(metric, "higher_is_better", None)
        if higher is not None:
            for figure in getattr(metric, "figures", (name,)):
                yield figure, "max" if higher else "min"


def _is_watched(cfg: DictConfig) -> bool:
    """Whether a callback, such as `best`, keeps or stops by the figure."""
    nodes = cfg.callback.values() if cfg.callback else ()
    return any(isinstance(node, DictConfig) and "monitor" in node for node in nodes)
