"""How training went, from each run's metrics.csv."""

import contextlib
from collections import defaultdict
from collections.abc import Sequence

from markupsafe import Markup

from heatmap_research.analysis.page import drawings
from heatmap_research.analysis.page.parts import Plot, Section, Words
from heatmap_research.analysis.page.study import Study, labels
from heatmap_research.runs import curves
from heatmap_research.runs.best import watched_figure
from heatmap_research.runs.curves import Course
from heatmap_research.runs.find import Run

LOSSES = {
    "train/excess": "loss above the label's entropy",
    "train/loss": "loss (of one kind in each arm: not to be compared)",
}
MAX_POINTS = 20_000  # of lines; more are drawn as pixels


def section(study: Study) -> Section:
    shown = study.shown()
    panels: dict[str, list[tuple[int, Course]]] = defaultdict(list)
    for place, group in enumerate(shown):
        for run in group.runs.values():
            for name, course in _courses(run, study.decoder(group)).items():
                panels[name].append((place, course))
    if "loss above the label's entropy" in panels:
        panels.pop(LOSSES["train/loss"], None)
    if not panels:
        need = "Learning curves need the runs' metrics.csv, which logger=csv keeps."
        return Section("Learning curves", [Words(need, "note")])
    caption = (
        "A line a run: what was watched on val, by the decoder chosen, and the loss, over "
        f"training steps. Shown: {labels(shown)}."
    )
    pictures = [_panel(name, courses) for name, courses in panels.items()]
    return Section("Learning curves", [Plot(caption, pictures, drawings.legend(study.arms))])


def _courses(run: Run, decoder: str) -> dict[str, Course]:
    watched = watched_figure(run.record["config"])[0]
    columns = {f"val/{decoder}/{watched}": f"val {watched} by the decoder chosen"} | LOSSES
    courses = {}
    for column, name in columns.items():
        with contextlib.suppress(ValueError, OSError):
            courses[name] = curves.read(run, column)
    return courses


def _panel(name: str, courses: Sequence[tuple[int, Course]]) -> Markup:
    figure, axes = drawings.panel("training steps")
    dense = sum(len(course.step) for _, course in courses) > MAX_POINTS
    for place, course in courses:
        alone = "o" if len(course.step) == 1 else drawings.style(place)
        colour = drawings.colour(place)
        axes.plot(course.step, course.value, alone, ms=4, color=colour, lw=1, rasterized=dense)
    drawings.logarithmic(axes, "y")
    axes.set_ylabel(name, fontsize=8.5)
    return drawings.svg(figure, f"Course of {name}")
