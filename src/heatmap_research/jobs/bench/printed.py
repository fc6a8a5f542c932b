from collections.abc import Sequence
from statistics import median

from rich.table import Table

from heatmap_research.jobs.bench.timing import Figure


def table(group: str, figures: Sequence[Figure]) -> Table:
    result = Table(title=f"heatmap-bench {group}")
    result.add_column("what")
    for name in ("us", "times its floor", "min", "max", "bound"):
        result.add_column(name, justify="right")
    for each in figures:
        ends = (f"{end:.2f}" for end in (each.ratio, min(each.ratios), max(each.ratios)))
        bound = "" if each.bound is None else f"{each.bound:g}"
        result.add_row(each.name, _short(median(each.microseconds)), *ends, bound)
    return result


def _short(microseconds: float) -> str:
    return f"{microseconds:.1f}" if microseconds >= 1 else f"{microseconds:.2g}"
