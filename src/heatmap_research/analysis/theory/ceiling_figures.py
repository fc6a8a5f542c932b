"""Figures of ceilings; they take rows, and know no codec."""

from collections import Counter
from collections.abc import Callable, Sequence
from operator import itemgetter
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from heatmap_research.analysis.theory.laws import quantisation
from heatmap_research.analysis.theory.round_trip import Row
from heatmap_research.drawing.style import COLOURS

FLOOR = quantisation.mean_distance(1, 1)  # of the middle of a square, in sides
LEAST = 1e-5  # pixels: what is less is float32's own
DOTS = 80  # an inch
MARKERS = {"2d": "o", "1d": "s"}


def law(row: Row) -> float | None:
    """The mean error to be expected, in pixels, where a closed form says it."""
    if row["uncertainty"] or row["flip_test"] or row["geometry"] == "udp":
        return None
    whole = "rounded" in row["target"] or row["target"] == "one_hot"
    if row["decoder"] == "argmax" or (whole and row["decoder"] in ("quarter_offset", "dark")):
        return FLOOR * row["stride"]
    symmetric = row["target"] in ("gaussian", "laplace")
    return FLOOR / 2 * row["stride"] if row["decoder"] == "quarter_offset" and symmetric else None


def write(rows: Sequence[Row], folder: Path) -> list[Path]:
    """A PNG a figure that these rows have something for."""
    size = f"{rows[0]['height']}x{rows[0]['width']}"
    plain = [r for r in rows if not r["flip_test"] and r["geometry"] == rows[0]["geometry"]]
    alone = [row for row in plain if not row["uncertainty"]]
    dithered = [r for r in plain if r["uncertainty"]]
    figures = {"codecs": codecs(rows)}
    if len({row["stride"] for row in alone}) > 1:
        figures["stride"] = staircase(alone)
    if dithered:
        kinds = {(r["layout"], r["target"], r["stride"]) for r in dithered}
        figures["uncertainty"] = dither(
            [r for r in plain if (r["layout"], r["target"], r["stride"]) in kinds]
        )
    files = []
    for name, figure in figures.items():
        files.append(folder / f"{name}_{size}.png")
        figure.savefig(files[-1], dpi=DOTS)
    return files


def codecs(rows: Sequence[Row]) -> Figure:
    """Mean error of each codec, best at the bottom, beside what a law says of it."""
    ordered = sorted(rows, key=lambda row: row["mean_px"])
    figure = Figure(figsize=(10, 1.5 + 0.17 * len(ordered)), layout="constrained")
    axes = figure.add_subplot()
    decoders = _colours(rows)
    for place, row in enumerate(ordered):
        if (expected := law(row)) is not None:
            axes.plot(expected, place, "|", color="black", markersize=9)
        colour = decoders[row["decoder"]]
        axes.plot(max(row["mean_px"], LEAST), place, MARKERS[row["layout"]], color=colour, ms=4)
    axes.set_yticks(range(len(ordered)), [_name(row) for row in ordered], fontsize=7)
    axes.set_ylim(-1, len(ordered))
    axes.set_xscale("log")
    axes.set_xlabel("mean error of a perfect predictor, pixels (log; less than 1e-5 drawn there)")
    axes.set_title(f"Ceilings of codecs at {rows[0]['height']} x {rows[0]['width']}")
    axes.grid(axis="both", alpha=0.25)
    handles = [Line2D([], [], color=c, marker="o", ls="", label=d) for d, c in decoders.items()]
    handles += [Line2D([], [], color="grey", marker=m, ls="", label=k) for k, m in MARKERS.items()]
    handles.append(Line2D([], [], color="black", marker="|", ls="", ms=9, label="law"))
    axes.legend(handles=handles, loc="lower right", fontsize=8)
    return figure


def staircase(rows: Sequence[Row]) -> Figure:
    """Mean error over stride: a line a label and decoder, beside the laws."""
    kind = itemgetter("layout", "target", "sigma", "decoder")
    counts = Counter(kind(row) for row in rows)
    rows = [row for row in rows if counts[kind(row)] > 1]
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    _lines(axes, rows, lambda row: row["stride"])
    strides = sorted({row["stride"] for row in rows})
    for factor, style, words in ((FLOOR, "--", "0.3826 stride"), (FLOOR / 2, ":", "0.1913 stride")):
        axes.plot(strides, [factor * s for s in strides], style, color="black", lw=1, label=words)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(strides, [f"{stride:.3g}" for stride in strides])
    axes.set_xlabel("stride, input pixels per bin (log)")
    axes.set_ylabel("mean error of a perfect predictor, pixels (log)")
    axes.set_title("The error a decoder leaves grows with the bin, or is not there")
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def dither(rows: Sequence[Row]) -> Figure:
    """Mean error in bins over the width of a network's posterior."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    _lines(
        axes, rows, lambda row: row["uncertainty"] / row["stride"], lambda row: 1 / row["stride"]
    )
    axes.axhline(FLOOR, ls="--", color="black", lw=1, label="0.3826: the label alone")
    axes.axhline(FLOOR / 2, ls=":", color="black", lw=1, label="0.1913: quarter of a bin")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("width of the posterior along each axis, bins")
    axes.set_ylabel("mean error, bins")
    axes.set_title("Labels at whole bins are dithered by what a network does not know")
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _lines(
    axes: Axes,
    rows: Sequence[Row],
    across: Callable[[Row], float],
    unit: Callable[[Row], float] = lambda row: 1.0,
) -> None:
    decoders = _colours(rows)
    targets = list(dict.fromkeys(row["target"] for row in rows))
    styles = dict(zip(targets, ("-", "--", "-.", ":") * len(targets), strict=False))
    kinds: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        sigma = "" if row["sigma"] is None else f" {row['sigma']:g} px"
        kind = (row["layout"], row["target"], row["decoder"], sigma)
        kinds.setdefault(kind, []).append(row)
    for (layout, target, decoder, sigma), members in kinds.items():
        members = sorted(members, key=across)
        axes.plot(
            [across(row) for row in members],
            [max(row["mean_px"], LEAST) * unit(row) for row in members],
            styles[target] + MARKERS[layout],
            color=decoders[decoder],
            markersize=4,
            lw=1,
            label=f"{layout} {target}{sigma} {decoder}",
        )
    axes.spines[["top", "right"]].set_visible(False)


def _colours(rows: Sequence[Row]) -> dict[str, str]:
    names = list(dict.fromkeys(row["decoder"] for row in rows))
    return dict(zip(names, COLOURS * len(names), strict=False))


def _name(row: Row) -> str:
    sigma = "" if row["sigma"] is None else f" {row['sigma']:g} px"
    parts = [f"{row['layout']} {row['target']}{sigma}, stride {row['stride']:.3g}"]
    parts.append(row["decoder"])
    if row["geometry"] != "center":
        parts.append(row["geometry"])
    if row["flip_test"]:
        parts.append("flip")
    if row["uncertainty"]:
        parts.append(f"width {row['uncertainty']:g} px")
    return ", ".join(parts)
