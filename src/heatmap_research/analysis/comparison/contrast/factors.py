"""Finished runs as cells: one for each combination of levels of what was varied."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import Bool

from heatmap_research.analysis.comparison.verdict.settings import Group, telling_apart
from heatmap_research.runs.find import Run, varied

log = logging.getLogger(__name__)

DECODER = "decoder"
BEST = "best"  # the decoder that is best on val
Place = tuple[int, ...]  # of a cell: its level of each factor
Derived = Mapping[str, Mapping[str, Mapping[Any, str]]]  # factor -> key -> its value -> level


@dataclass(frozen=True, eq=False)
class Factors:
    levels: Mapping[str, tuple[str, ...]]
    cells: Mapping[Place, tuple[Group, str]]  # runs by seed, and the decoder they are read by

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(map(len, self.levels.values()))

    def there(self) -> Bool[np.ndarray, "*level"]:
        """The cells of which there are runs."""
        there = np.zeros(self.shape, bool)
        there[tuple(np.array(list(self.cells)).T)] = True
        return there

    def name(self, place: Place) -> str:
        named = zip(self.levels.items(), place, strict=True)
        return ", ".join(f"{factor}={levels[at]}" for (factor, levels), at in named)


def of_runs(runs: Sequence[Run], named: Sequence[str], derived: Derived) -> Factors:
    """Cells by the factors that are named, and by all else that tells runs apart but the seed.

    A key of which one derived factor is named is in the cells by all factors derived from it.
    """
    inside = {key for name in named for key in derived.get(name, ())}
    others = [name for name, keys in derived.items() if inside & set(keys) and name not in named]
    plain = [name for name in named if name not in derived and name != DECODER]
    keys = telling_apart(runs, [*plain, *inside])
    factors = [*named, *others, *(key for key in keys if key not in (*named, *inside))]
    if DECODER not in factors:
        return _table(factors, _sorted(runs, factors, derived), [BEST])
    factors.remove(DECODER)
    every = dict.fromkeys(name for run in runs for name in run.decoders)
    return _table(factors, _sorted(runs, factors, derived), [BEST, *every])


def number(level: str) -> float:
    """A level as a number: the height of an image size; 1/2 is 0.5."""
    try:
        return float(Fraction(level.split(",")[0]))
    except ValueError as error:
        raise ValueError(f"question: {level} is no number, and has no slope over it.") from error


def level(value: Any) -> str:
    """A value as a word without spaces: 2.0 is 2, and [64, 48], also as text, is 64,48."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else without_brackets(str(value))


def without_brackets(words: str) -> str:
    """The same words with lists as levels have them: [32, 32] - [64, 64] is 32,32 - 64,64."""
    return re.sub(r"\[([^][]*)\]", lambda found: re.sub(r"\s", "", found[1]), words)


def _sorted(
    runs: Sequence[Run], factors: Sequence[str], derived: Derived
) -> dict[tuple[str, ...], Group]:
    cells: dict[tuple[str, ...], Group] = {}
    for run in runs:
        place = tuple(_level(run, name, derived) for name in factors)
        group = cells.setdefault(place, Group(", ".join(place), (), {}))
        if run.seed in group.runs:
            _refuse_unlike(group.runs[run.seed], run)
        group.runs[run.seed] = run
    return cells


def _refuse_unlike(one: Run, other: Run) -> None:
    """Two runs of a seed in one cell are the same run twice, or the cell is of two things."""
    if keys := [key for key in varied([one, other]) if key != "seed"]:
        raise ValueError(
            f"question: {one.name} and {other.name} would count as one, but differ in "
            f"{', '.join(keys)}: give question.factors that tell them apart."
        )
    log.warning(f"{one.name} is left out: {other.name} repeats it.")


def _level(run: Run, factor: str, derived: Derived) -> str:
    if factor not in derived:
        return level(run.value(factor))
    for key, names in derived[factor].items():
        known = {level(value): name for value, name in names.items()}
        if (value := level(run.value(key))) in known:
            return known[value]
        raise ValueError(f"question.factors.{factor}: it says nothing of {key}={value}.")
    raise ValueError(f"question.factors.{factor}: give a key and what its values stand for.")


def _table(
    factors: Sequence[str], groups: Mapping[tuple[str, ...], Group], decoders: Sequence[str]
) -> Factors:
    """With several decoders they are a factor too, the last one."""
    levels = {name: tuple(dict.fromkeys(k[i] for k in groups)) for i, name in enumerate(factors)}
    cells: dict[Place, tuple[Group, str]] = {}
    for key, group in groups.items():
        place = tuple(levels[name].index(word) for name, word in zip(factors, key, strict=True))
        for at, decoder in enumerate(decoders):
            if decoder == BEST or all(decoder in run.decoders for run in group.runs.values()):
                cells[(*place, at) if len(decoders) > 1 else place] = (group, decoder)
    return Factors(levels | ({DECODER: tuple(decoders)} if len(decoders) > 1 else {}), cells)
