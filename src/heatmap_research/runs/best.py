"""Which decoder is read: the one that is best on val. Test has no say in it."""

import math
from collections.abc import Mapping


def best(figures: Mapping[str, float | None], mode: str = "min") -> str | None:
    """The decoder with the least figure, or with mode="max" the greatest.

    The first of those that are alike. A nan (nothing was counted) is worst, a None is not chosen.
    """
    sign = -1 if mode == "max" else 1
    known = {name: figure for name, figure in figures.items() if figure is not None}

    def badness(name: str) -> float:
        return math.inf if math.isnan(known[name]) else sign * known[name]

    return min(known, key=badness, default=None)


def watched_figure(config: Mapping[str, object]) -> tuple[str, str]:
    """The metric that a run was watched by, and `min` or `max`, whichever of it is better."""
    figure = str(config.get("monitor", "pixel_error")).rpartition("/")[2]
    return figure, str(config.get("monitor_mode") or "min")
