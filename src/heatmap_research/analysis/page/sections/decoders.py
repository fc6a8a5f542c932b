"""The error of every decoder on the same maps."""

from markupsafe import Markup

from heatmap_research.analysis.comparison.verdict.settings import Group
from heatmap_research.analysis.page import drawings, parts
from heatmap_research.analysis.page.parts import Folded, Plot, Section, Table, Words
from heatmap_research.analysis.page.study import Study, first, label, labels


def section(study: Study) -> Section:
    alone = all(len(first(group).decoders) < 2 for group in study.groups)
    need = Words("A comparison needs two decoders: 'decoder=[argmax,dark]'.", "note")
    every = Folded("Every decoder of every arm", [_table(study)])
    return Section("Decoders", [_plot(study), *[need] * alone, every])


def _plot(study: Study) -> Plot:
    shown = study.shown()
    caption = (
        f"{study.name} on test of every decoder, with the same weights. Filled: chosen on val. "
        "Bars: one standard deviation of seeds either way, no interval. One panel an arm: "
        f"{labels(shown)}."
    )
    known = [pair for pair in enumerate(shown) if study.values(pair[1], "test")]
    pictures = [_panel(study, place, group) for place, group in known]
    return Plot(caption, pictures, drawings.legend(study.arms))


def _panel(study: Study, place: int, group: Group) -> Markup:
    spreads = {name: study.spread(group, "test", name) for name in first(group).decoders}
    known = sorted((s.mean, name, s.deviation) for name, s in spreads.items() if s is not None)
    figure, axes = drawings.panel(study.figure, size=(4.4, 1.2 + 0.3 * len(known)))
    colour = drawings.colour(place)
    for row, (value, name, deviation) in enumerate(known):
        fill = colour if name == study.decoder(group) else "none"
        axes.errorbar(value, row, xerr=deviation or 0, fmt="o", ms=6, color=colour, mfc=fill)
    axes.set_yticks(range(len(known)), [name for _, name, _ in known], fontsize=9)
    axes.set_ylim(len(known) - 0.5, -0.5)
    axes.set_title(label(group), fontsize=10)
    return drawings.svg(figure, f"Decoders of {label(group)}")


def _table(study: Study) -> Table:
    stages = ("val", "test")
    figures = (f"{stage}, {study.reading.unit}" for stage in stages)
    rows = [
        [
            *(group.arm, *(str(value) for _, value in group.setting), decoder),
            "yes" if decoder == study.decoder(group) else "",
            *(parts.over_seeds(study.spread(group, stage, decoder)) for stage in stages),
        ]
        for group in study.groups
        for decoder in first(group).decoders
    ]
    caption = f"{study.name.capitalize()}: mean ± standard deviation over seeds."
    return parts.table(caption, [study.by, *study.keys, "decoder", "chosen", *figures], rows)
