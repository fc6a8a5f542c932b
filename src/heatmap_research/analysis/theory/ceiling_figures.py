"""Figures of ceilings; they take rows, and know no codec."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from heatmap_research.analysis.theory.ceiling_table import TO_MIDDLE, Row, law, split
from heatmap_research.drawing import style
from heatmap_research.drawing.style import COLOURS, Plain, frameless

LEAST_PX = 1e-5  # what is less is float32's own
DOTS_PER_INCH = 80
MARKERS, STYLES = {"2d": "o", "1d": "s"}, ("-", "--", "-.", ":")  # of layouts, of targets
LINE = ("layout", "target", "sigma", "decoder")  # what the rows of one line share


def write(rows: Sequence[Row], folder: Path) -> None:
    """Writes a PNG for each figure that these rows have something to show in."""
    size = f"{rows[0]['height']}x{rows[0]['width']}"
    plain = [r for r in rows if not r["flip_test"] and r["geometry"] == rows[0]["geometry"]]
    sure = [row for row in plain if not row["uncertainty"]]
    figures = {"codecs": codecs(rows)}
    if len({row["stride"] for row in sure}) > 1:
        figures["stride"] = staircase(sure)
    kind = itemgetter("layout", "target", "stride")
    if kinds := {kind(row) for row in plain if row["uncertainty"]}:
        figures["uncertainty"] = dither([row for row in plain if kind(row) in kinds])
    for name, figure in figures.items():
        style.save(figure, folder / f"{name}_{size}.png", DOTS_PER_INCH)


def codecs(rows: Sequence[Row]) -> Figure:
    """Mean error of each codec, best at the bottom, beside what a law says of it."""
    ordered = sorted(rows, key=lambda row: row["mean_px"])
    figure = Plain(figsize=(10, 1.5 + 0.17 * len(ordered)), layout="constrained")
    axes = figure.add_subplot()
    colours = _colours(rows)
    for place, row in enumerate(ordered):
        if (expected := law(row)) is not None:
            axes.plot(expected, place, "|", color="black", markersize=9)
        colour = colours[row["decoder"]]
        axes.plot(max(row["mean_px"], LEAST_PX), place, MARKERS[row["layout"]], color=colour, ms=4)
    axes.set_yticks(range(len(ordered)), [_name(row) for row in ordered], fontsize=7)
    axes.set(ylim=(-1, len(ordered)), xscale="log")
    axes.set_xlabel("mean error of a perfect predictor, pixels (log; less than 1e-5 drawn there)")
    axes.set_title(f"Ceilings of codecs at {rows[0]['height']} x {rows[0]['width']}")
    axes.grid(axis="both", alpha=0.25)
    marks = [("o", colour, name) for name, colour in colours.items()]
    marks += [(marker, "grey", layout) for layout, marker in MARKERS.items()]
    entries = [Line2D([], [], color=c, marker=m, ls="", label=words) for m, c, words in marks]
    entries.append(Line2D([], [], color="black", marker="|", ls="", ms=9, label="law"))
    axes.legend(handles=entries, loc="lower right", fontsize=8)
    return figure


def staircase(rows: Sequence[Row]) -> Figure:
    """Mean error over stride: a line for each label and decoder, beside the laws."""
    lines = [line for line in split(rows, *LINE).values() if len(line) > 1]
    figure, axes = _lines(lines, lambda row: row["stride"])
    strides = sorted({row["stride"] for line in lines for row in line})
    for share, dashes in ((TO_MIDDLE, "--"), (TO_MIDDLE / 2, ":")):
        words = f"{share:.4f} stride"
        axes.plot(strides, [share * s for s in strides], dashes, color="black", lw=1, label=words)
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
    lines = list(split(rows, *LINE).values())
    figure, axes = _lines(
        lines, lambda row: row["uncertainty"] / row["stride"], lambda row: 1 / row["stride"]
    )
    axes.axhline(TO_MIDDLE, ls="--", color="black", lw=1, label="0.3826: the label alone")
    axes.axhline(TO_MIDDLE / 2, ls=":", color="black", lw=1, label="0.1913: quarter of a bin")
    axes.set_ylim(bottom=0)
    axes.set(xlabel="width of the posterior along each axis, bins", ylabel="mean error, bins")
    axes.set_title("Labels at whole bins are dithered by what a network does not know")
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _lines(
    lines: Sequence[Sequence[Row]],
    across: Callable[[Row], float],
    unit: Callable[[Row], float] = lambda row: 1.0,  # by which pixels are multiplied
) -> tuple[Figure, Axes]:
    figure = Plain(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    colours = _colours([row for line in lines for row in line])
    targets = list(dict.fromkeys(line[0]["target"] for line in lines))
    for line in lines:
        first, *_ = rows = sorted(line, key=across)
        errors = [max(row["mean_px"], LEAST_PX) * unit(row) for row in rows]
        style = STYLES[targets.index(first["target"]) % len(STYLES)] + MARKERS[first["layout"]]
        (drawn,) = axes.plot([across(row) for row in rows], errors, style, markersize=4, lw=1)
        drawn.set(color=colours[first["decoder"]], label=f"{_label(first)} {first['decoder']}")
    frameless(axes)
    return figure, axes


def _colours(rows: Sequence[Row]) -> dict[str, str]:
    """A colour for each decoder."""
    names = list(dict.fromkeys(row["decoder"] for row in rows))
    return dict(zip(names, COLOURS * len(names), strict=False))


def _label(row: Row) -> str:
    sigma = "" if row["sigma"] is None else f" {row['sigma']:g} px"
    return f"{row['layout']} {row['target']}{sigma}"


def _name(row: Row) -> str:
    parts = (
        f"{_label(row)}, stride {row['stride']:.3g}, {row['decoder']}",
        row["geometry"] if row["geometry"] != "center" else "",
        "flip" if row["flip_test"] else "",
        f"width {row['uncertainty']:g} px" if row["uncertainty"] else "",
    )
    return ", ".join(filter(None, parts))
