"""The error over every number that was varied."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from statistics import mean

import numpy as np
from matplotlib.figure import Figure

from heatmap_research.analysis.comparison.verdict.settings import Group
from heatmap_research.analysis.page import drawings
from heatmap_research.analysis.page.parts import Part, Plot, Section, Words
from heatmap_research.analysis.page.study import Study, first, words

UNITS = {
    "sigma": "label width sigma, pixels of the crop",
    "stride": "stride, pixels per bin",
    "image_size": "height of the crop, pixels",
    "data.pool": "training images",
    "data.occlusion": "share covered",
}
Curves = dict[str, dict[float, list[float]]]  # line -> knob -> seeds


def section(study: Study) -> Section:
    need = "Curves need a number that was varied, such as sigma=2,4 or data.pool=256,1024."
    plots = [_plot(study, key) for key in keys(study)]
    return Section("Curves", plots or [Words(need, "note")])


def keys(study: Study) -> list[str]:
    """Settings that are numbers and were varied; also what tells arms apart, if it is a number."""
    values = {key: [at(group, key) for group in study.groups] for key in (study.by, *study.keys)}
    return [key for key, each in values.items() if None not in each and len(set(each)) > 1]


def at(group: Group, key: str) -> float | None:
    """The group's value as a number; the height, if it is an image size."""
    value = first(group).value(key)
    value = value[0] if isinstance(value, list) and value else value
    if isinstance(value, str) and "/" in value:
        with suppress(ValueError):
            value = float(Fraction(value))
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number else None


def rest(group: Group, key: str) -> tuple[tuple[str, str], ...]:
    return tuple((k, words(v)) for k, v in group.setting if k != key)


def _plot(study: Study, key: str) -> Part:
    curves, over = _curves(study, key)
    if not curves:
        return Words(f"{study.name} is not known of these runs.", "note")
    panels = {study.figure: curves}
    if key == "image_size" and study.reading.unit == "px":
        panels["the same, % of the height"] = _shares(curves)
    averaged = f" Averaged over {', '.join(over)}." if over else ""
    caption = (
        f"{study.name} on test over {key}; each arm by the decoder chosen on val. Lines: means "
        "over seeds; bands: one standard deviation of seeds either way, no interval; marks: "
        f"seeds.{averaged}"
    )
    pictures = [
        drawings.svg(_panel(lines, UNITS.get(key, key), up), f"Test over {key}, panel {number}")
        for number, (up, lines) in enumerate(panels.items(), start=1)
    ]
    return Plot(caption, pictures, drawings.legend(list(curves)))


def _shares(curves: Curves) -> Curves:
    return {
        name: {size: [100 * value / size for value in values] for size, values in by_size.items()}
        for name, by_size in curves.items()
    }


def _curves(study: Study, key: str) -> tuple[Curves, list[str]]:
    """Means over the other settings that exist at every value, and the keys of those settings."""
    lines: dict[str, dict[float, list[Group]]] = defaultdict(lambda: defaultdict(list))
    for group in study.groups:
        name = first(group).arm if key == study.by else group.arm
        lines[name][at(group, key) or 0.0].append(group)
    rests = [{rest(g, key) for g in those} for knobs in lines.values() for those in knobs.values()]
    shared = set.intersection(*rests) or set.union(*rests)
    curves = {}
    for name, knobs in lines.items():
        kept = {at: [g for g in those if rest(g, key) in shared] for at, those in knobs.items()}
        means = {knob: _means(study, those) for knob, those in sorted(kept.items())}
        curves[name] = {knob: values for knob, values in means.items() if values}
    numbers = Counter(k for k, _ in set(chain(*shared)))
    over = [k for k in study.keys if numbers[k] > 1]
    return {name: knobs for name, knobs in curves.items() if knobs}, over


def _means(study: Study, groups: Sequence[Group]) -> list[float]:
    """The groups' mean for each seed that all of them have."""
    by_seed = [study.values(group, "test") for group in groups]
    seeds = sorted(set.intersection(*map(set, by_seed))) if by_seed else []
    return [mean(values[seed] for values in by_seed) for seed in seeds]


def _panel(curves: Curves, across: str, up: str) -> Figure:
    figure, axes = drawings.panel(across, up)
    for place, by_knob in enumerate(curves.values()):
        knobs = np.array(list(by_knob))
        means = np.array([mean(values) for values in by_knob.values()])
        spreads = np.array([np.std(v, ddof=1) if len(v) > 1 else 0 for v in by_knob.values()])
        colour = drawings.colour(place)
        axes.fill_between(knobs, means - spreads, means + spreads, color=colour, alpha=0.18, lw=0)
        axes.plot(knobs, means, drawings.style(place), color=colour, lw=1.6)
        for knob, values in by_knob.items():
            axes.plot([knob] * len(values), values, "o", color=colour, ms=3.5, mfc="none")
    every = sorted({knob for by_knob in curves.values() for knob in by_knob})
    if every[0] > 0 and every[-1] >= 8 * every[0]:
        axes.set_xscale("log")
        axes.minorticks_off()
    axes.set_xticks(every, [f"{knob:g}" for knob in every])
    return figure
