"""Arms compared at three choices of the label's width: equal in pixels, best on val, published."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from heatmap_research.analysis.comparison.verdict import wording
from heatmap_research.analysis.comparison.verdict.comparing import compare
from heatmap_research.analysis.comparison.verdict.settings import Group, seeds_of
from heatmap_research.analysis.page import drawings, parts
from heatmap_research.analysis.page.parts import Cell, Plot, Section, Table, Words
from heatmap_research.analysis.page.sections import factors
from heatmap_research.analysis.page.study import Study, first

PUBLISHED = {2: 2.0, 1: 6.0}  # bins: maps (Xiao et al., 2018), pairs of vectors (Li et al., 2022)
Ways = dict[str, dict[str, Group]]  # way -> arm -> group
CAPTION = (
    "Arms with labels equally wide in pixels, with each arm's width that is best on val, and with "
    "published widths (2 bins for maps, 6 bins for pairs of vectors) where they were run. Bars: "
    "one standard deviation of seeds either way, no interval."
)


def section(study: Study) -> Section:
    title = "Label width three ways"
    if "sigma" not in factors.keys(study) or study.by == "sigma":
        need = "This needs arms whose sigma was varied: arm=ce_2d,simcc sigma=1,2,4,8."
        return Section(title, [Words(need, "note")])
    held = factors.rest(study.groups[0], "sigma")  # settings that all shown here share
    groups = [group for group in study.groups if factors.rest(group, "sigma") == held]
    ways = _ways(study, groups)
    kept = f" All at {', '.join(f'{key}={value}' for key, value in held)}." if held else ""
    said = [Words(text, "note") for text in _compared(study, ways) + _not_run(study, groups)]
    return Section(title, [_plot(study, ways, kept), _table(study, ways), *said])


def _ways(study: Study, groups: Sequence[Group]) -> Ways:
    sigmas = sorted({sigma for g in groups if (sigma := factors.at(g, "sigma")) is not None})
    ways: Ways = {f"all at {s:g} px": _at(groups, dict.fromkeys(study.arms, s)) for s in sigmas}
    own = {arm: [group for group in groups if group.arm == arm] for arm in study.arms}
    ways["tuned on val"] = {arm: study.best(those) for arm, those in own.items() if those}
    ways["published"] = _at(groups, published(study, groups))
    return {way: by_arm for way, by_arm in ways.items() if by_arm}


def published(study: Study, groups: Sequence[Group]) -> dict[str, float]:
    """Published widths in pixels: the bins that were published times the stride of these runs."""
    bins = [PUBLISHED.get(study.seen_of(group).layout or 0) for group in groups]
    return {g.arm: b * first(g).stride for g, b in zip(groups, bins, strict=True) if b}


def _at(groups: Sequence[Group], sigmas: Mapping[str, float]) -> dict[str, Group]:
    return {g.arm: g for g in groups if factors.at(g, "sigma") == sigmas.get(g.arm)}


def _plot(study: Study, ways: Ways, kept: str) -> Plot:
    size = 1.6 + 0.8 * len(ways), 3.4
    figure, axes = drawings.panel("sigma of the labels", study.figure, size)
    for place, arm in enumerate(study.arms):
        shift = 0.24 * (place - (len(study.arms) - 1) / 2) / max(1, len(study.arms) - 1)
        colour = drawings.colour(place)
        for x, by_arm in enumerate(ways.values()):
            if arm in by_arm and (spread := study.spread(by_arm[arm], "test")) is not None:
                bar = spread.deviation or 0
                axes.errorbar(x + shift, spread.mean, yerr=bar, fmt="o", ms=5, color=colour)
    axes.set_xticks(range(len(ways)), [way.replace(" at ", "\nat ") for way in ways], fontsize=9)
    axes.set_xlim(-0.5, len(ways) - 0.5)
    picture = drawings.svg(figure, "Test by arm at three choices of sigma")
    return Plot(f"{CAPTION}{kept}", [picture], drawings.legend(study.arms))


def _table(study: Study, ways: Ways) -> Table:
    rows = [
        [way, *(_cell(study, by_arm.get(arm)) for arm in study.arms)]
        for way, by_arm in ways.items()
    ]
    caption = f"{study.name} on test (sigma, px): mean ± standard deviation over seeds."
    return parts.table(caption, ["choice", *study.arms], rows)


def _cell(study: Study, group: Group | None) -> Cell:
    if group is None:
        return Cell("not run")
    cell = parts.over_seeds(study.spread(group, "test"))
    return Cell(f"{cell.text} ({factors.at(group, 'sigma'):g})", cell.value)


def _compared(study: Study, ways: Ways) -> list[str]:
    """Differences that the verdict does not have, since the two arms share no setting."""
    return [
        f"With sigma {way}, {text}"
        for way in ("tuned on val", "published")
        for one, other in combinations(ways.get(way, {}).values(), 2)
        if seeds_of(one, other) and (text := _difference(study, one, other))
    ]


def _difference(study: Study, one: Group, other: Group) -> str:
    try:
        comparison = compare(study.reading, ((one,), (other,), ()), 0.95)
    except ValueError:
        return ""
    gap = comparison.interval
    size = f"{wording.number(abs(gap.estimate), gap)} {study.reading.unit}"
    spread = wording.covering(gap, study.reading.unit, len(comparison.seeds), comparison.images)
    names = [f"{g.arm} ({factors.at(g, 'sigma'):g} px)" for g in (one, other)]
    more = "above" if gap.estimate > 0 else "below"
    return f"{names[0]} is {size} {more} {names[1]} ({spread}; not adjusted for the choice)."


def _not_run(study: Study, groups: Sequence[Group]) -> list[str]:
    wanted = published(study, groups)
    if not wanted:
        return ["Published widths are in bins: without the runs' networks they have no pixels."]
    return [
        f"The published width of {arm} is {sigma:g} px at this stride: add sigma={sigma:g}."
        for arm, sigma in wanted.items()
        if arm not in _at(groups, wanted)
    ]
