"""Prints the table of README.md from the runs of experiments/budget: python .../answer.py"""

from pathlib import Path
from statistics import median

from heatmap_research.analysis.comparison.statistics.interval import BOTH, IMAGES
from heatmap_research.analysis.comparison.statistics.two_way import two_way
from heatmap_research.analysis.comparison.verdict import kept, tables
from heatmap_research.analysis.comparison.verdict.reading import Reading
from heatmap_research.analysis.comparison.verdict.settings import grouped, seeds_of

FOLDER = Path(__file__).parents[1] / "budget"
COLUMNS = (
    *("less ce_2d", "steps", "px", "over seeds and images", "over images alone"),
    *("ratio of widths", "told apart", "told apart by images"),
)
STEPS, BASE = "trainer.max_steps", "ce_2d"


def main() -> None:
    reading = Reading("pixel_error", None, kept.STAGE, 1)
    groups = {(g.arm, dict(g.setting)[STEPS]): g for g in grouped(kept.kept(FOLDER), "arm")}
    rows, ratios, lost = [], [], []
    for (arm, steps), group in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1])):
        if arm == BASE:
            continue
        base = groups[BASE, steps]
        seeds = seeds_of(group, base)
        one, other = (
            tables.cells([reading.table(g.runs[seed], reading.decoder(g)) for seed in seeds])[0]
            for g in (group, base)
        )
        wide, narrow = (two_way(one - other, population) for population in (BOTH, IMAGES))
        ratios.append((wide.high - wide.low) / (narrow.high - narrow.low))
        told = [f"{i.low:+.3f} to {i.high:+.3f}" for i in (wide, narrow)]
        apart = ["yes" if i.p < 0.05 else "no" for i in (wide, narrow)]
        lost += [arm] * (apart == ["no", "yes"])
        rows.append([arm, str(steps), f"{wide.estimate:+.3f}", *told, f"{ratios[-1]:.1f}", *apart])
    print(
        f"The interval over images alone is {median(ratios):.1f} times too narrow in the median of "
        f"{len(ratios)} comparisons (from {min(ratios):.1f} to {max(ratios):.1f}); of the "
        f"{sum(row[-1] == 'yes' for row in rows)} that it tells apart, {len(lost)} are not told "
        "apart over seeds.\n"
    )
    print(
        "| less ce_2d | steps | px | seeds and images | images alone | ratio | told apart | alone |"
    )
    print("|---|---|---|---|---|---|---|---|")
    print(*(f"| {' | '.join(row)} |" for row in rows), sep="\n")


if __name__ == "__main__":
    main()
