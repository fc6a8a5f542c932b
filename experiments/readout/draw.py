"""Draws readout.png from cells.parquet: python experiments/readout/draw.py"""

from collections import defaultdict
from pathlib import Path

import pyarrow.parquet as pq
from matplotlib.figure import Figure

HERE = Path(__file__).parent
COLOURS = {"64x64": "#b2182b", "128x128": "#ef8a62", "256x192": "#2166ac"}
SHAPES = {"argmax": ("o", "highest bin"), "quarter": ("s", "quarter step"), "dark": ("^", "DARK")}


def drawn() -> Figure:
    rows = defaultdict(list)
    for cell in pq.read_table(HERE / "cells.parquet").to_pylist():
        if cell["width"] is not None:
            rows[cell["size"], cell["decoder"], cell["published"]].append(cell)
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.subplots()
    axes.plot([20, 80], [20, 80], color="0.6", lw=1)
    for (size, decoder, published), cells in rows.items():
        told = [cell["predicted"] for cell in cells]
        shape, _ = SHAPES[decoder]
        axes.plot([published] * 2, [min(told), max(told)], color=COLOURS[size], lw=1.2)
        middle = sorted(told)[len(told) // 2]
        axes.plot(published, middle, shape, color=COLOURS[size], ms=5)
    for size, colour in COLOURS.items():
        axes.plot([], [], color=colour, lw=2, label=size)
    for shape, words in SHAPES.values():
        axes.plot([], [], shape, color="0.3", label=words)
    axes.legend(frameon=False)
    axes.set_xlabel("published AP of the 2-D map")
    axes.set_ylabel("AP predicted from SimCC's, by changing the read-out alone")
    axes.set_title("Dots: median of all rules of errors; lines: lowest to highest", fontsize=10)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


def main() -> None:
    drawn().savefig(HERE / "readout.png", dpi=110)


if __name__ == "__main__":
    main()
