"""Prints the tables of README.md from experiments/budget and cells.parquet: python .../answer.py"""

from collections.abc import Iterable
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from heatmap_research.analysis.comparison.statistics import bootstrap, two_way
from heatmap_research.analysis.comparison.statistics.interval import BOTH, IMAGES, Interval
from heatmap_research.analysis.comparison.statistics.weighted_ap import Matched
from heatmap_research.analysis.comparison.verdict import kept, tables
from heatmap_research.analysis.comparison.verdict.reading import Reading
from heatmap_research.analysis.comparison.verdict.settings import grouped, seeds_of
from heatmap_research.metrics.average_precision import THRESHOLDS

HERE = Path(__file__).parent
STEPS, BASE = "trainer.max_steps", "ce_2d"
TOLERANCES = ("0.05", "0.005")  # OKS sigmas
DRAWS, SATURATED, NOTHING = 200, 0.99, 0.01
Comparison = tuple[str, int]  # arm, steps
Both = tuple[Interval, Interval]  # over seeds and images, over images alone


def of_pixels() -> dict[Comparison, Both]:
    reading = Reading("pixel_error", None, kept.STAGE, 1)
    runs = kept.kept(HERE.parent / "budget")
    groups = {(g.arm, dict(g.setting)[STEPS]): g for g in grouped(runs, "arm")}
    found = {}
    for (arm, steps), group in sorted(groups.items()):
        if arm == BASE:
            continue
        base = groups[BASE, steps]
        seeds = seeds_of(group, base)
        one, other = (
            tables.cells([reading.table(g.runs[seed], reading.decoder(g)) for seed in seeds])[0]
            for g in (group, base)
        )
        found[arm, steps] = _both(two_way.mean_squares(one - other))
    return found


def of_ap(tolerance: str) -> tuple[dict[Comparison, Both], set[Comparison], set[Comparison]]:
    """The differences in AP, those that are saturated, and those of an arm that finds nobody."""
    table = pq.read_table(HERE / "cells.parquet")
    arms, steps = (sorted(set(table[name].to_pylist())) for name in ("arm", "steps"))
    aps = {(arm, number): _aps(table, arm, number, tolerance) for arm in arms for number in steps}
    found, saturated, nothing = {}, set(), set()
    for (arm, number), each in aps.items():
        if arm == BASE:
            continue
        less = each - aps[BASE, number]  # (seed, draw)
        squares = bootstrap.mean_squares(less[:, 0], less[:, 1:].T, WEIGHTS.shape[1])
        found[arm, number] = _both(squares)
        if min(each[:, 0].min(), aps[BASE, number][:, 0].min()) >= SATURATED:
            saturated.add((arm, number))
        if each[:, 0].max() < NOTHING:
            nothing.add((arm, number))
    return found, saturated, nothing


def _aps(table: pa.Table, arm: str, steps: int, tolerance: str) -> np.ndarray:
    """A row for each seed: AP of all images, then of each draw."""
    rows = table.filter(pc.and_(pc.equal(table["arm"], arm), pc.equal(table["steps"], steps)))
    of_seeds = []
    for seed in sorted(set(rows["seed"].to_pylist())):
        own = rows.filter(pc.equal(rows["seed"], seed))
        order = np.argsort(-own["score"].to_numpy(), kind="stable")
        alike = own[f"oks_{tolerance}"].to_numpy()[order]
        hits = tuple(np.flatnonzero(alike >= threshold) for threshold in THRESHOLDS)
        none = (np.zeros(0, dtype=np.int64),) * len(THRESHOLDS)
        everyone = Matched(np.arange(len(order)), order, hits, none, np.ones(len(order)))
        of_seeds.append(everyone.of(WEIGHTS))
    return np.stack(of_seeds)


def _both(squares: two_way.MeanSquares) -> Both:
    return two_way.interval(squares, BOTH), two_way.interval(squares, IMAGES)


def _ratio(both: Both) -> float:
    wide, narrow = both
    return (wide.high - wide.low) / (narrow.high - narrow.low)


def _summary(found: dict[Comparison, Both], what: str) -> str:
    ratios = [_ratio(both) for both in found.values()]
    alone = [both for both in found.values() if both[1].p < 0.05]
    lost = [both for both in alone if both[0].p >= 0.05]
    reach = [(wide.high - wide.low) / 2 for wide, _ in found.values()]
    return (
        f"{what}: the interval over images alone is {median(ratios):.1f} times too narrow in the "
        f"median of {len(ratios)} comparisons (from {min(ratios):.1f} to {max(ratios):.1f}); of "
        f"the {len(alone)} that it tells apart, {len(lost)} are not told apart over seeds. Over "
        f"seeds and images a difference is known to ±{median(reach):.4f} in the median and to "
        f"±{min(reach):.4f} at best."
    )


def _lines(found: dict[Comparison, Both], unit: str) -> Iterable[str]:
    names = (unit, "seeds and images", "images alone", "ratio", "told apart", "alone")
    yield f"| less {BASE} | steps | {' | '.join(names)} |"
    yield "|---" * (2 + len(names)) + "|"
    for (arm, steps), both in found.items():
        told = [f"{one.low:+.3f} to {one.high:+.3f}" for one in both]
        apart = ["yes" if one.p < 0.05 else "no" for one in both]
        words = [arm, str(steps), f"{both[0].estimate:+.3f}", *told, f"{_ratio(both):.1f}", *apart]
        yield f"| {' | '.join(words)} |"


WEIGHTS = np.concatenate(
    [np.ones((1, 1000)), bootstrap.weights(np.random.default_rng(0), DRAWS, 1000)]
)


def main() -> None:
    parts = [("Pixels", of_pixels(), "px")]
    for tolerance in TOLERANCES:
        found, saturated, nothing = of_ap(tolerance)
        counted = {name: both for name, both in found.items() if name not in saturated}
        less = f" ({len(saturated)} more are saturated)" if saturated else ""
        parts.append((f"AP at a tolerance of {tolerance}{less}", counted, "AP"))
        if nothing:
            above = {name: both for name, both in counted.items() if name not in nothing}
            parts.append(
                (f"Of these, where both arms find somebody (AP of {NOTHING:g})", above, "")
            )
    print(*(_summary(found, what) for what, found, _ in parts), sep="\n\n")
    for what, found, unit in filter(lambda part: part[-1], parts):
        print("", f"{what}:", "", *_lines(found, unit), sep="\n")


if __name__ == "__main__":
    main()
