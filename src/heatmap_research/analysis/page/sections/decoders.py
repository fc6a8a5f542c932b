"""The error of every decoder on the same maps."""

from markupsafe import Markup

from heatmap_research.analysis.comparison.verdict.settings import Group
from heatmap_research.analysis.page import drawings
from heatmap_research.analysis.page.parts import (
    Cell,
    Column,
    Folded,
    Part,
    Plot,
    Section,
    Table,
    Words,
    over_seeds,
)
from heatmap_research.analysis.page.study import Study, first, label


def section(study: Study) -> Section:
    parts: list[Part] = [_plot(study)]
    if all(len(first(group).decoders) < 2 for group in study.groups):
        parts.append(Words("A comparison needs two decoders: 'decoder=[argmax,dark]'.", "note"))
    return Section("Decoders", [*parts, Folded("Every decoder of every arm", [_table(study)])])


def _plot(study: Study) -> Plot:
    shown = study.shown()
    caption = (
        f"{study.name} on test of every decoder, with the same weights. Filled: chosen on val. "
        "Bars: one standard deviation of seeds either way, no interval. One panel an arm: "
        f"{'; '.join(map(label, shown))}."
    )
    pictures = [
        _panel(study, place, group)
        for place, group in enumerate(shown)
        if study.values(group, "test")
    ]
    return Plot(caption[0].upper() + caption[1:], pictures, drawings.legend(study.arms))


def _panel(study: Study, place: int, group: Group) -> Markup:
    spreads = {name: study.spread(group, "test", name) for name in first(group).decoders}
    known = sorted((s.mean, name, s.deviation) for name, s in spreads.items() if s is not None)
    figure, axes = drawings.panel((4.4, 1.2 + 0.3 * len(known)))
    for row, (value, name, deviation) in enumerate(known):
        chosen = name == study.decoder(group)
        axes.errorbar(
            value,
            row,
            xerr=deviation or 0,
            fmt="o",
            ms=6,
            color=drawings.colour(place),
            mfc=drawings.colour(place) if chosen else "none",
        )
    axes.set_yticks(range(len(known)), [name for _, name, _ in known], fontsize=9)
    axes.set_ylim(len(known) - 0.5, -0.5)
    axes.set_xlabel(study.figure)
    axes.set_title(label(group), fontsize=10)
    return drawings.svg(figure, f"Decoders of {label(group)}")


def _table(study: Study) -> Table:
    keys = [key for key, _ in study.groups[0].setting]
    columns = [
        *(Column(name) for name in (study.by, *keys, "decoder", "chosen")),
        Column(f"val, {study.reading.unit}"),
        Column(f"test, {study.reading.unit}"),
    ]
    rows = [
        [
            Cell(group.arm),
            *(Cell(str(value)) for _, value in group.setting),
            Cell(decoder),
            Cell("yes" if decoder == study.decoder(group) else ""),
            over_seeds(study.spread(group, "val", decoder)),
            over_seeds(study.spread(group, "test", decoder)),
        ]
        for group in study.groups
        for decoder in first(group).decoders
    ]
    return Table(f"{study.name.capitalize()}: mean ± standard deviation over seeds.", columns, rows)
