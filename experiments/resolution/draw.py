"""Draws resolution.png from runs.json: python experiments/resolution/draw.py"""

from pathlib import Path
from statistics import mean

from matplotlib.figure import Figure

from heatmap_research.analysis.comparison.verdict import kept

HERE = Path(__file__).parent
SIZES = (32, 64, 96)
SIGMA_PX = 2.0  # labels of one width; those that scale are in the table
LINES = (  # arm, read-out (None: best on val), colour, what it is
    ("ce_2d", "argmax", "#b2182b", "2-D map, highest bin"),
    ("ce_2d", "quarter_offset", "#ef8a62", "2-D map, quarter step"),
    ("ce_2d", None, "#1b7837", "2-D map, best decoder"),
    ("simcc", "argmax", "#92c5de", "SimCC, highest bin"),
    ("simcc", None, "#2166ac", "SimCC, best decoder"),
)


def errors(arm: str, decoder: str | None, side: int) -> list[float]:
    """One figure a seed, in percent of the image's side."""
    own = [r for r in kept.kept(HERE) if r.record["choices"]["arm"] == arm]
    own = [r for r in own if r.value("sigma") == SIGMA_PX and r.value("image_size")[0] == side]
    names = own[0].record["metrics"]["val"]
    val = {n: mean(r.record["metrics"]["val"][n]["pixel_error"] for r in own) for n in names}
    read = decoder or min(val, key=lambda name: val[name])
    return [100 * r.record["metrics"]["test"][read]["pixel_error"] / side for r in own]


def drawn() -> Figure:
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    for arm, decoder, colour, said in LINES:
        each = [errors(arm, decoder, side) for side in SIZES]
        axes.plot(SIZES, [mean(e) for e in each], color=colour, label=said)
        for side, dots in zip(SIZES, each, strict=True):
            axes.plot([side] * len(dots), dots, ".", color=colour, ms=4)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(SIZES, map(str, SIZES))
    ticks = (0.3, 0.5, 1, 2, 3, 5)
    axes.set_yticks(ticks, map(str, ticks))
    axes.minorticks_off()
    axes.set_xlabel("side of the image, px")
    axes.set_ylabel("mean error on test, % of the side")
    axes.set_title("Small images: the read-out decides who is ahead; a dot a seed", fontsize=10)
    axes.legend(frameon=False, fontsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


def main() -> None:
    drawn().savefig(HERE / "resolution.png", dpi=110)


if __name__ == "__main__":
    main()
