"""Where the error of a run comes from, if heatmap-budget has taken it apart."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.gridspec import GridSpec

from heatmap_research.analysis.comparison.verdict.settings import Group
from heatmap_research.analysis.error_budget import figures
from heatmap_research.analysis.error_budget.parts import Budget
from heatmap_research.analysis.page import drawings
from heatmap_research.analysis.page.parts import Listing, Part, Plot, Section, Words
from heatmap_research.analysis.page.study import Study, first, label, labels
from heatmap_research.runs import bounded_file
from heatmap_research.types import first_line

NAMED = ("stage", "decoder", "flip_test", "fitted_to")  # that its caption names


def section(study: Study) -> Section:
    files = [(group, file_of(first(group).folder)) for group in study.shown()]
    without = [group for group, file in files if file is None]
    parts: list[Part] = []
    if taken := [(group, _read(file)) for group, file in files if file]:
        parts.append(_plot(taken))
    if without:
        hint = f"Not taken apart: {labels(without)}. heatmap-report --budget does it, or:"
        parts.append(Words(hint, "note"))
        parts.append(Listing([f"heatmap-budget run={first(group).folder}" for group in without]))
    return Section("Error budget", parts)


def _read(file: Path) -> Mapping[str, Any]:
    """Refuses what cannot be drawn."""
    try:
        content = json.loads(bounded_file.text(file))
        budget = Budget.from_json(content["forwards"])
        sum([budget.total_px, budget.remainder_px, *(part.mean_px for part in budget.parts)])
        return {name: content[name] for name in NAMED} | content
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{file}: no budget can be read from it ({first_line(error)}): remove it, and have "
            "heatmap-budget make another."
        ) from error


def file_of(folder: Path) -> Path | None:
    """The run's first budget by name."""
    return next(iter(sorted(folder.glob("evaluate/*/budget.json"))), None)


def _plot(taken: Sequence[tuple[Group, Mapping[str, Any]]]) -> Plot:
    of = "; ".join(
        f"{label(group)}, seed {first(group).seed}, {content['stage']} by {content['decoder']}"
        f"{' with a flip test' if content['flip_test'] else ''}"
        for group, content in taken
    )
    fitted = dict.fromkeys(content["fitted_to"] for _, content in taken)
    caption = (
        "What each cause, put right after those above it, takes off a run's error. Hatched: adds "
        f"error. Of single runs, without an interval: {of}. Causes were fitted on "
        f"{', '.join(fitted)}."
    )
    return Plot(caption, [_picture(content, label(group)) for group, content in taken])


def _picture(content: Mapping[str, Any], name: str) -> Markup:
    """Bars of the mean error without those of its square, as wide as a phone."""
    figure = figures.bars(
        [Budget.from_json(content["forwards"])], cell=content.get("phase_in", "bin")
    )
    errors, squares = figure.axes
    figure.delaxes(squares)
    errors.set_subplotspec(GridSpec(1, 1, figure=figure)[0])
    figure.suptitle("")
    figure.set_size_inches(4.8, figure.get_figheight())
    errors.set_title(name, fontsize=10, loc="left")
    return drawings.svg(figure, f"Error budget of {name}")
