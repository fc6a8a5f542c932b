"""Error against cost, with a line through the arms that no other beats in both."""

from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup
from matplotlib.ticker import EngFormatter, MaxNLocator

from heatmap_research.analysis.comparison.verdict.settings import Group
from heatmap_research.analysis.page import drawings
from heatmap_research.analysis.page.parts import Part, Plot, Section, Words
from heatmap_research.analysis.page.sections import arms
from heatmap_research.analysis.page.study import Study, first, words

Cost = Callable[[Group], float | None]
Pair = tuple[float, float]  # cost, figure
Point = tuple[float, float, Group]
MIN_RATIO = 8  # of the greatest cost to the least, for a logarithmic scale
MAX_NAMED = 10  # groups whose settings there is room to name


def section(study: Study) -> Section:
    exact: dict[str, Cost] = {
        "parameters": lambda group: first(group).parameters,
        "multiply-adds of an image": lambda group: first(group).macs,
        "output of an image, bytes": lambda group: study.seen_of(group).output_bytes,
    }
    timed: dict[str, Cost] = {
        "latency of an image, ms": lambda group: _milliseconds(study.seen_of(group).latency),
        "training of a run, s": arms.mean_seconds,
    }
    told = (
        f"{study.name} on test (mean over seeds) against what it costs. Each point is an arm in "
        "one setting; no point is better in both than those on the dotted line."
    )
    if study.keys and len(study.groups) <= MAX_NAMED:
        told += f" Beside each: {', '.join(study.keys)}."
    clock = (
        f"{told} Latency: the network alone in single precision on the processor that made this "
        "page, the fastest of several passes; training: the mean of runs, on their own."
    )
    parts = [_plot(study, exact, told, False), _plot(study, timed, clock, True)]
    return Section("Error against cost", parts)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1e3 * seconds


def front(points: Sequence[Pair], higher_is_better: bool) -> list[Pair]:
    """The points that are better than all that are cheaper, from the cheapest on."""
    sign = -1 if higher_is_better else 1
    kept: list[Pair] = []
    for point in sorted(points, key=lambda p: (p[0], sign * p[1])):
        if not kept or sign * point[1] < sign * kept[-1][1]:
            kept.append(point)
    return kept


def _plot(study: Study, costs: Mapping[str, Cost], caption: str, measured: bool) -> Part:
    by_cost = {name: _points(study, cost) for name, cost in costs.items()}
    pictures = [_panel(study, name, points) for name, points in by_cost.items() if points]
    missing = ", ".join(name for name, points in by_cost.items() if not points)
    unknown = f"Not known of these runs: {missing}."
    if not pictures:
        return Words(unknown, "note", measured)
    told = f"{caption} {unknown}" if missing else caption
    return Plot(told, pictures, drawings.legend(study.arms), measured)


def _points(study: Study, cost: Cost) -> list[Point]:
    known = [(cost(group), study.spread(group, "test"), group) for group in study.groups]
    return [(float(x), s.mean, group) for x, s, group in known if x is not None and s is not None]


def _panel(study: Study, name: str, points: Sequence[Point]) -> Markup:
    figure, axes = drawings.panel(name, study.figure)
    best = front([(x, y) for x, y, _ in points], study.reading.higher_is_better)
    axes.plot([x for x, _ in best], [y for _, y in best], ":", color="grey", lw=1.2)
    for x, y, group in points:
        axes.plot(x, y, "o", ms=6, color=drawings.colour(study.arms.index(group.arm)))
        if len(study.groups) <= MAX_NAMED and group.setting:
            setting = ", ".join(words(value) for _, value in group.setting)
            axes.annotate(setting, (x, y), (5, 3), textcoords="offset points", fontsize=7)
    costs = [x for x, _, _ in points]
    if min(costs) > 0 and max(costs) > MIN_RATIO * min(costs):
        axes.set_xscale("log")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.margins(0.15)
    return drawings.svg(figure, f"{study.name} against {name}")
