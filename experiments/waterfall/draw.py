"""Draws waterfall.png from cells.parquet: python experiments/waterfall/draw.py"""

from collections.abc import Iterator
from statistics import mean

from answer import HERE, network, runs
from matplotlib.figure import Figure

STAGE, METRIC = "test", "pixel_error"
WAY = (  # network, read-out, and what was changed to come there
    ("conv1x1, mse, gaussian_rounded", "quarter_offset", "heat map of 2018"),
    ("conv1x1, mse, gaussian_rounded", None, "sub-bin decoder"),
    ("conv1x1, mse, gaussian", None, "exact labels"),
    ("conv1x1, cross_entropy, gaussian", None, "cross-entropy"),
    ("marginal, cross_entropy, gaussian", None, "1-D (local head)"),
    ("simcc, cross_entropy, gaussian", None, "dense head: SimCC"),
)
BETTER, WORSE, TOTAL = "#1b7837", "#b2182b", "#4d4d4d"


def errors(way: str, decoder: str | None) -> Iterator[float]:
    """One figure a seed, in pixels; by the decoder that is best on val over the seeds."""
    own = [run for run in runs() if network(run) == way]
    names = own[0].record["metrics"]["val"]
    val = {n: mean(r.record["metrics"]["val"][n][METRIC] for r in own) for n in names}
    read = decoder or min(val, key=lambda name: val[name])
    return (run.record["metrics"][STAGE][read][METRIC] for run in own)


def drawn() -> Figure:
    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    axes = figure.subplots()
    before = 0.0
    for place, (way, decoder, _) in enumerate(WAY):
        each = sorted(errors(way, decoder))
        now = mean(each)
        whole = place in (0, len(WAY))
        colour = TOTAL if whole else BETTER if now < before else WORSE
        low, high = (0.0, now) if whole else sorted((before, now))
        axes.bar(place, max(high - low, 0.008), bottom=low, color=colour, width=0.6)
        axes.plot([place] * len(each), each, ".", color="black", ms=4)
        said = f"{now:.2f}" if whole else f"{now - before:+.2f}".replace("-0.00", "0.00")
        axes.annotate(said, (place, max(high, each[-1])), (0, 4), textcoords="offset points",
                      ha="center", fontsize=9)  # fmt: skip
        if place:
            axes.plot([place - 1, place], [before, before], color="0.6", lw=0.8, zorder=0)
        before = now
    axes.bar(len(WAY), before, color=TOTAL, width=0.6)
    axes.annotate(f"{before:.2f}", (len(WAY), before), (0, 4), textcoords="offset points",
                  ha="center", fontsize=9)  # fmt: skip
    names = [words.replace(" ", "\n", 1) for *_, words in WAY] + ["SimCC\nof today"]
    axes.set_xticks(range(len(names)), names, fontsize=8.5)
    axes.set_ylabel("mean error on test, px of 64 x 64")
    axes.set_title("One way from a heat map of 2018 to SimCC; a dot a seed", fontsize=10)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


def main() -> None:
    drawn().savefig(HERE / "waterfall.png", dpi=110)


if __name__ == "__main__":
    main()
