"""Draws budget.png from cells.parquet: python experiments/budget/draw.py"""

from pathlib import Path
from statistics import mean

from matplotlib.figure import Figure

from heatmap_research.analysis.comparison.verdict import kept
from heatmap_research.analysis.comparison.verdict.reading import Reading
from heatmap_research.analysis.comparison.verdict.settings import grouped
from heatmap_research.drawing.style import COLOURS

HERE = Path(__file__).parent
STEPS = "trainer.max_steps"
NAMES = {
    "ce_2d": "2-D map, cross-entropy",
    "marginal": "two vectors from a local head",
    "simcc": "SimCC",
    "simcc_marginal": "SimCC that starts as a marginal",
}


def drawn() -> Figure:
    reading = Reading("pixel_error", None, kept.STAGE, 1)
    groups = grouped(kept.kept(HERE), "arm")
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.subplots()
    for (arm, words), colour in zip(NAMES.items(), COLOURS, strict=False):
        own = sorted((dict(g.setting)[STEPS], g) for g in groups if g.arm == arm)
        points = []
        for steps, group in own:
            found = reading.measured(list(group.runs.values()), kept.STAGE, reading.decoder(group))
            axes.plot([steps] * len(found), found, ".", color=colour, ms=4, alpha=0.5)
            points.append((steps, mean(found)))
        axes.plot(*zip(*points, strict=True), color=colour, lw=2, label=words)
    axes.set(xscale="log", yscale="log")
    axes.set_xticks([steps for steps, _ in points], [str(steps) for steps, _ in points])
    axes.minorticks_off()
    axes.set_yticks([0.2, 0.5, 1, 2, 5, 10], ["0.2", "0.5", "1", "2", "5", "10"])
    axes.set_xlabel("steps of training, each with its own schedule to its end")
    axes.set_ylabel("mean error on test, pixels of the 64 x 64 crop")
    axes.legend(frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


def main() -> None:
    drawn().savefig(HERE / "budget.png", dpi=110)


if __name__ == "__main__":
    main()
