"""The same test images as every arm sees them."""

from itertools import zip_longest

from markupsafe import Markup

from heatmap_research.analysis.page import drawings
from heatmap_research.analysis.page.parts import Plot, Section, Words
from heatmap_research.analysis.page.study import Study, label
from heatmap_research.drawing.example import Example, draw
from heatmap_research.drawing.style import blank


def section(study: Study) -> Section:
    shown = [group for group in study.shown() if study.seen_of(group).examples]
    if not shown:
        need = "Samples need the runs' checkpoints and their test images; see the notes on arms."
        return Section("Samples", [Words(need, "note")])
    columns = [
        [_picture(e, f"{g.arm}, test image {i}") for i, e in enumerate(study.seen_of(g).examples)]
        for g in shown
    ]
    rows = [list(filter(None, row)) for row in zip_longest(*columns)]
    named = "; ".join(f"{label(group)}, seed {min(group.runs)}" for group in shown)
    decoders = ", ".join(f"{group.arm} {study.decoder(group)}" for group in shown)
    caption = (
        "The same test images by each arm's first seed: 2-D maps over the picture, 1-D maps as "
        "traces beside its columns and rows, widths of a regression as ellipses. Cross: truth; "
        f"dot: decoded ({decoders}). Shown: {named}."
    )
    return Section("Samples", [Plot(caption, rows)])


def _picture(example: Example, name: str) -> Markup:
    figure = blank((2.7, 2.8))
    axes = figure.add_subplot()
    draw(axes, example)
    axes.set_title(name, fontsize=8)
    return drawings.png(figure, name)
