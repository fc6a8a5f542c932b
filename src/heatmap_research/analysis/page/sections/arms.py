"""The table of arms: how good each is, and what it costs."""

from collections.abc import Callable
from functools import partial
from statistics import mean

from heatmap_research.analysis.comparison.verdict.settings import Group
from heatmap_research.analysis.page import parts
from heatmap_research.analysis.page.parts import Cell, Column, Section, Words
from heatmap_research.analysis.page.study import Study, first, words
from heatmap_research.runs.table import Row, mean_of_runs

OVER_SEEDS = "mean ± standard deviation over seeds"
CLOCK = "network alone, one image, on the processor that made this page"


def section(study: Study) -> Section:
    caption = (
        f"Arms by {study.name}: {OVER_SEEDS}, which is no interval. "
        "A click on a column's name sorts by it."
    )
    columns = _columns(study)
    cells = [[of(group) for of in columns.values()] for group in study.groups]
    missing = {group.arm: study.seen_of(group).missing for group in study.groups}
    notes = [Words(f"{arm}: {why}", "note", measured=True) for arm, why in missing.items() if why]
    return Section("Arms", [parts.table(caption, columns, cells), *notes])


def _columns(study: Study) -> dict[Column | str, Callable[[Group], object]]:
    """Each column's head, and what makes its cells."""
    unit, seen = study.reading.unit, study.seen_of
    return {
        study.by: lambda group: group.arm,
        **{key: partial(_choice, key) for key in study.keys},
        Column("decoder", "the best on val, unless one was given"): study.decoder,
        Column("seeds", "number of finished runs"): lambda group: len(group.runs),
        Column(f"val, {unit}", OVER_SEEDS): partial(_figure, study, "val"),
        Column(f"test, {unit}", OVER_SEEDS): partial(_figure, study, "test"),
        "parameters": lambda group: parts.scaled(first(group).parameters, "{:,.0f}"),
        Column("MACs", "multiply-adds of one image"): (
            lambda group: parts.scaled(first(group).macs, "{:.3g} M", 1e6)
        ),
        Column("output", "of one image, in single precision"): (
            lambda group: parts.byte_count(seen(group).output_bytes)
        ),
        Column("training, s", OVER_SEEDS, True): (
            lambda group: parts.over_seeds(mean_of_runs(seconds(group)), 1)
        ),
        Column("peak memory", "the largest: of the GPU, or of the process so far", True): _memory,
        Column("latency, ms", CLOCK, True): lambda group: _milliseconds(seen(group).latency),
    }


def rows(study: Study) -> list[Row]:
    """The same table for other programs, and for a paper."""
    metric = study.reading.metric
    return [
        {
            study.by: group.arm,
            **dict(group.setting),
            "decoder": study.decoder(group),
            "n": len(group.runs),
            f"val/{metric}": study.spread(group, "val"),
            f"test/{metric}": study.spread(group, "test"),
            "parameters": first(group).parameters,
            "macs": first(group).macs,
            "output_bytes": study.seen_of(group).output_bytes,
            "seconds": mean_of_runs(seconds(group)),
        }
        for group in study.groups
    ]


def seconds(group: Group) -> list[float]:
    return [run.seconds for run in group.runs.values() if run.seconds is not None]


def mean_seconds(group: Group) -> float | None:
    return mean(known) if (known := seconds(group)) else None


def _choice(key: str, group: Group) -> object:
    value = dict(group.setting)[key]
    return value if isinstance(value, (int, float)) else words(value)


def _figure(study: Study, stage: str, group: Group) -> Cell:
    return parts.over_seeds(study.spread(group, stage))


def _memory(group: Group) -> Cell:
    known = [run.peak_memory for run in group.runs.values() if run.peak_memory is not None]
    return parts.byte_count(max(known, default=None))


def _milliseconds(seconds: float | None) -> Cell:
    return parts.UNKNOWN if seconds is None else Cell(f"{1e3 * seconds:.2f}", seconds)
