"""Runs in groups: by what is compared, and by everything else that was varied but the seed."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from heatmap_research.runs.find import Run, varied

log = logging.getLogger(__name__)

Setting = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, eq=False)
class Group:
    """Runs that differ in their seed only."""

    arm: str
    setting: Setting
    runs: dict[int, Run]  # by seed


def first(group: Group) -> Run:
    """The run with the lowest seed."""
    return group.runs[min(group.runs)]


def seeds_of(*groups: Group) -> tuple[int, ...]:
    """The seeds that all of these groups have."""
    return tuple(sorted(set.intersection(*(set(group.runs) for group in groups))))


def sort(runs: Sequence[Run], by: str) -> list[Group]:
    """Groups of two arms or more; refuses fewer."""
    groups = grouped(runs, by)
    arms = list(dict.fromkeys(group.arm for group in groups))
    if len(arms) < 2:
        done = sum(run.status == "finished" for run in runs)
        only = f"all {done} finished runs have {by}={next(iter(arms), None)}"
        raise ValueError(f"nothing to compare: {only if arms else 'no run has finished'}.")
    return groups


def grouped(runs: Sequence[Run], by: str) -> list[Group]:
    """Groups of finished runs; what differs within an arm is a setting, the same on both sides."""
    arms: dict[str, list[Run]] = {}
    for run in runs:
        if run.status == "finished":
            arms.setdefault(_name(run, by), []).append(run)
    keys = _keys(arms, by)
    groups: dict[tuple[str, str], Group] = {}
    for arm, those in arms.items():
        for run in those:
            setting = tuple((key, run.value(key)) for key in keys)
            group = groups.setdefault((arm, repr(setting)), Group(arm, setting, {}))
            if run.seed in group.runs:
                log.warning(f"{group.runs[run.seed].name} is left out: {run.name} repeats it.")
            group.runs[run.seed] = run
    return list(groups.values())


def _name(run: Run, by: str) -> str:
    return run.arm if by == "arm" else str(run.value(by))


def _keys(arms: dict[str, list[Run]], by: str) -> list[str]:
    """The fewest keys, in order, that tell the runs of every arm apart."""
    differing = dict.fromkeys(key for those in arms.values() for key in varied(those))
    keys: list[str] = []
    for key in sorted(differing, key=lambda key: key != "arm"):
        if key in ("seed", by):
            continue
        if any(_count(those, [*keys, key]) > _count(those, keys) for those in arms.values()):
            keys.append(key)
    return keys


def _count(runs: Sequence[Run], keys: Sequence[str]) -> int:
    return len({repr([run.value(key) for key in keys]) for run in runs})
