"""The table of arms: how good each is, and what it costs."""

from collections.abc import Sequence
from statistics import mean

from heatmap_research.analysis.comparison.verdict.settings import Group
from heatmap_research.analysis.page.parts import (
    UNKNOWN,
    Cell,
    Column,
    Section,
    Table,
    Words,
    byte_count,
    millions,
    over_seeds,
    whole,
)
from heatmap_research.analysis.page.study import Study, first, spread, words
from heatmap_research.runs.table import Row


def section(study: Study) -> Section:
    rows = [_row(study, group) for group in study.groups]
    caption = (
        f"Arms by {study.name}: mean ± standard deviation over seeds, which is no interval. "
        "A click on a column's name sorts by it."
    )
    return Section("Arms", [Table(caption, _columns(study), rows), *_missing(study)])


def _columns(study: Study) -> list[Column]:
    keys = [key for key, _ in study.groups[0].setting]
    return [
        Column(study.by),
        *map(Column, keys),
        Column("decoder", "the best on val, unless one was given"),
        Column("seeds", "number of finished runs"),
        Column(f"val, {study.reading.unit}", "mean ± standard deviation over seeds"),
        Column(f"test, {study.reading.unit}", "mean ± standard deviation over seeds"),
        Column("parameters"),
        Column("MACs", "multiply-adds of one image"),
        Column("output", "of one image, in single precision"),
        Column("training, s", "mean ± standard deviation over seeds", measured=True),
        Column("peak memory", "the largest: of the GPU, or of the process so far", measured=True),
        Column(
            "latency, ms",
            "network alone, one image, on the processor that made this page",
            measured=True,
        ),
    ]


def rows(study: Study) -> list[Row]:
    """The same table for other programs, and for a paper."""
    return [_flat(study, group) for group in study.groups]


def _row(study: Study, group: Group) -> list[Cell]:
    run, seen = first(group), study.seen_of(group)
    runs = list(group.runs.values())
    memory = [r.peak_memory for r in runs if r.peak_memory is not None]
    return [
        Cell(group.arm),
        *(_value(value) for _, value in group.setting),
        Cell(study.decoder(group)),
        Cell(str(len(runs)), len(runs)),
        over_seeds(study.spread(group, "val")),
        over_seeds(study.spread(group, "test")),
        whole(run.parameters),
        millions(run.macs),
        byte_count(seen.output_bytes),
        over_seeds(spread(seconds(group)), 1),
        byte_count(max(memory, default=None)),
        UNKNOWN if seen.latency is None else _milliseconds(seen.latency),
    ]


def _flat(study: Study, group: Group) -> Row:
    run, metric, seen = first(group), study.reading.metric, study.seen_of(group)
    return {
        study.by: group.arm,
        **dict(group.setting),
        "decoder": study.decoder(group),
        "n": len(group.runs),
        f"val/{metric}": study.spread(group, "val"),
        f"test/{metric}": study.spread(group, "test"),
        "parameters": run.parameters,
        "macs": run.macs,
        "output_bytes": seen.output_bytes,
        "seconds": spread(seconds(group)),
    }


def seconds(group: Group) -> list[float]:
    return [run.seconds for run in group.runs.values() if run.seconds is not None]


def mean_seconds(group: Group) -> float | None:
    return mean(known) if (known := seconds(group)) else None


def _value(value: object) -> Cell:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return Cell(words(value), float(value) if number else None)  # type: ignore[arg-type]


def _milliseconds(seconds: float) -> Cell:
    return Cell(f"{1e3 * seconds:.2f}", seconds)


def _missing(study: Study) -> Sequence[Words]:
    missing = {group.arm: study.seen_of(group).missing for group in study.groups}
    return [Words(f"{arm}: {why}", "note", measured=True) for arm, why in missing.items() if why]
