"""Runs sorted by what is compared, by everything else that was varied, and by seed."""

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


def seeds_of(*groups: Group) -> tuple[int, ...]:
    """Those that all of them have."""
    return tuple(sorted(set.intersection(*(set(group.runs) for group in groups))))


def sort(runs: Sequence[Run], by: str) -> list[Group]:
    """Of two arms or more."""
    groups = grouped(runs, by)
    arms = list(dict.fromkeys(group.arm for group in groups))
    if len(arms) < 2:
        done = sum(run.status == "finished" for run in runs)
        only = f"all {done} finished runs have {by}={next(iter(arms), None)}"
        raise ValueError(f"nothing to compare: {only if arms else 'no run has finished'}.")
    return groups


def grouped(runs: Sequence[Run], by: str) -> list[Group]:
    """What differs within an arm is a setting, to be equal on both sides of a comparison."""
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
    """Those that tell runs of an arm apart, the first that do."""
    differing = dict.fromkeys(key for those in arms.values() for key in varied(those))
    first = sorted(differing, key=lambda key: key != "arm")
    keys: list[str] = []
    for key in first:
        if key in ("seed", by):
            continue
        if any(_parts(those, [*keys, key]) > _parts(those, keys) for those in arms.values()):
            keys.append(key)
    return keys


def _parts(runs: Sequence[Run], keys: Sequence[str]) -> int:
    return len({repr([run.value(key) for key in keys]) for run in runs})
