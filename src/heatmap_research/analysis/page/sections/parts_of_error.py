"""The test error of one run by joint, and by how large its people are."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from markupsafe import Markup

from heatmap_research.analysis.page import drawings, parts
from heatmap_research.analysis.page.parts import Column, Folded, Plot, Section, Table, Words
from heatmap_research.analysis.page.study import Study, first

SIZES = 5  # parts of the people, as many in each
COLUMNS = ["instance", "joint", "visible", "x", "y", "x_true", "y_true", "scale"]
SPREAD = Column("median, 95 %", "half of the joints, and 95 of 100, are nearer to the truth")


@dataclass(frozen=True, eq=False)
class Errors:
    """A row for each labelled test joint."""

    length: Float64[np.ndarray, " row"]  # crop pixels
    joint: Int64[np.ndarray, " row"]
    person: Int64[np.ndarray, " row"]
    size: Float64[np.ndarray, " row"]  # of the person, square root of the area, source pixels


def read(study: Study) -> Errors:
    group = study.groups[0]
    rows = first(group).predictions("test", study.decoder(group), COLUMNS)
    column = {name: rows[name].to_numpy() for name in COLUMNS}
    kept = column["visible"] > 0
    away = np.hypot(column["x"] - column["x_true"], column["y"] - column["y_true"])
    return Errors(
        away[kept].astype(np.float64),
        column["joint"][kept].astype(np.int64),
        column["instance"][kept],
        column["scale"][kept].astype(np.float64),
    )


def by_joint(study: Study) -> Section:
    errors, names = read(study), first(study.groups[0]).record["config"]["names"]
    known = [joint for joint in range(len(names)) if (errors.joint == joint).any()]
    lengths = {names[joint]: errors.length[errors.joint == joint] for joint in known}
    ordered = dict(sorted(lengths.items(), key=lambda item: -item[1].mean()))
    caption = (
        "Test error of each joint, the worst first: dot, its mean; bar, from the nearest quarter "
        "of its points to the furthest."
    )
    plot = Plot(caption, [_bars(ordered)])
    heads: list[Column | str] = ["joint", "points", "mean, px", SPREAD]
    rows = [[name, len(each), *_figures(each)] for name, each in ordered.items()]
    figures = parts.table("The same in figures.", heads, rows)
    return Section("Error by joint", [plot, Folded("Every joint in figures", [figures])])


def by_size(study: Study) -> Section:
    errors = read(study)
    if len(np.unique(errors.size[np.isfinite(errors.size)])) < SIZES:
        need = "This needs people of several sizes."
        return Section("Error by size", [Words(need, "note")])
    edges = np.quantile(errors.size, np.linspace(0, 1, SIZES + 1))
    part = np.clip(np.searchsorted(edges, errors.size, "right") - 1, 0, SIZES - 1)
    figure, axes = drawings.panel("size of the person, source pixels", "mean error, crop pixels")
    for each in range(SIZES):
        inside = part == each
        mean, error = over_people(errors, inside)
        middle = float(np.median(errors.size[inside]))
        axes.errorbar(middle, mean, yerr=2 * error, fmt="o", color=drawings.colour(0), ms=5)
    axes.set_ylim(bottom=0)
    caption = (
        f"Test error in {SIZES} parts of the joints, by the size of their people (square root of "
        "the area). Bars: two standard errors, over people of this one run."
    )
    picture = drawings.svg(figure, "Mean error by the size of a person")
    return Section("Error by size", [Plot(caption, [picture]), _table(errors, part, edges)])


def _table(errors: Errors, part: np.ndarray, edges: np.ndarray) -> Table:
    heads: list[Column | str] = ["size, source px", "people", "mean, px", SPREAD]
    rows = [
        [
            f"{edges[each]:.0f} to {edges[each + 1]:.0f}",
            len(np.unique(errors.person[part == each])),
            *_figures(errors.length[part == each]),
        ]
        for each in range(SIZES)
    ]
    return parts.table("The same in figures.", heads, rows)


def _figures(lengths: np.ndarray) -> tuple[object, ...]:
    middle, far = np.quantile(lengths, [0.5, 0.95])
    return parts.scaled(float(lengths.mean()), "{:.3f}"), f"{middle:.2f}, {far:.2f}"


def over_people(errors: Errors, inside: np.ndarray) -> tuple[float, float]:
    """The mean over joints, and its standard error, where people are independent of each other."""
    length = errors.length[inside]
    _, which = np.unique(errors.person[inside], return_inverse=True)
    off = np.bincount(which, length - length.mean())
    people = len(off)
    if people < 2:
        return float(length.mean()), 0.0
    return float(length.mean()), float(
        np.sqrt((off**2).sum() * people / (people - 1)) / len(length)
    )


def _bars(lengths: dict[str, np.ndarray]) -> Markup:
    size = (5.2, 1.0 + 0.22 * len(lengths))
    figure, axes = drawings.panel("distance from the truth, crop pixels", size=size)
    for row, each in enumerate(lengths.values()):
        near, far = np.quantile(each, [0.25, 0.75])
        axes.plot([near, far], [row, row], color=drawings.colour(1), lw=4, solid_capstyle="butt")
        axes.plot(each.mean(), row, "o", color=drawings.colour(0), ms=5)
    axes.set_yticks(range(len(lengths)), list(lengths), fontsize=8)
    axes.set_ylim(len(lengths) - 0.4, -0.6)
    axes.set_xlim(left=0)
    return drawings.svg(figure, "Error of each joint")
