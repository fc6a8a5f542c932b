"""Every comparison that runs allow, as a family of verdicts."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from heatmap_research.analysis.comparison.statistics.families import holm
from heatmap_research.analysis.comparison.verdict.comparing import Pair, compare
from heatmap_research.analysis.comparison.verdict.reading import Reading
from heatmap_research.analysis.comparison.verdict.settings import Group, seeds_of, sort
from heatmap_research.analysis.comparison.verdict.verdict import Verdict
from heatmap_research.runs.find import Run

log = logging.getLogger(__name__)


def judge(
    runs: Sequence[Run],
    by: str = "arm",
    metric: str = "pixel_error",
    margin: float | None = None,
    baseline: str | None = None,
    decoder: str | None = None,
    stage: str = "test",
    level: float = 0.95,
    resamples: int = 1000,
) -> list[Verdict]:
    """Verdicts of arms in pairs, or of each against the baseline, in every setting and over all.

    Arms are read on `stage` by the decoder that is best on val, or by the one that is given. All
    verdicts are one family. `margin`, for equivalence, is to be chosen before looking.
    """
    if margin is not None and margin <= 0:
        raise ValueError(f"margin={margin:g}: it must be greater than 0, in the metric's unit.")
    if not 0.5 < level < 1:
        raise ValueError(f"level={level:g}: it must be between 0.5 and 1, such as 0.95.")
    if metric == "AP" and resamples < 1000:
        raise ValueError(f"resamples={resamples}: AP needs 1000 or more.")
    reading = Reading(metric, decoder, stage, resamples)
    pairs = _pairs(runs, by, baseline)
    return _family([compare(reading, pair, level, by, margin) for pair in pairs])


def _pairs(runs: Sequence[Run], by: str, baseline: str | None) -> list[Pair]:
    groups = sort(runs, by)
    arms = list(dict.fromkeys(group.arm for group in groups))
    if baseline is not None and baseline not in arms:
        raise ValueError(f"baseline={baseline}: choose one of {', '.join(arms)}.")
    names = list(combinations(arms, 2))
    if baseline is not None:
        names = [(arm, baseline) for arm in arms if arm != baseline]
    pairs = [pair for one, other in names for pair in _of_arms(one, other, groups)]
    if not pairs:
        keys = "".join(f"{key} and " for key, _ in groups[0].setting)
        raise ValueError(
            f"nothing to compare: no two of {', '.join(arms)} have runs of the same {keys}seed."
        )
    return pairs


def _of_arms(one: str, other: str, groups: Sequence[Group]) -> list[Pair]:
    """Where both arms have several settings: the pair over all of them, then one in each."""
    sides = [
        {repr(group.setting): group for group in groups if group.arm == arm} for arm in (one, other)
    ]
    shared = [s for s in sides[0] if s in sides[1] and seeds_of(sides[0][s], sides[1][s])]
    for setting, group in (sides[0] | sides[1]).items():
        if setting not in shared:
            at = ", ".join(f"{key}={value}" for key, value in group.setting)
            log.warning(f"{one} and {other} are not compared at {at}: no seed is run of both.")
    each: list[Pair] = [((sides[0][s],), (sides[1][s],), ()) for s in shared]
    first, second = (tuple(side[setting] for setting in shared) for side in sides)
    if len(shared) < 2 or not seeds_of(*first, *second):
        return each
    settings = [dict(group.setting) for group in first]
    over = tuple(k for k in settings[0] if len({repr(setting[k]) for setting in settings}) > 1)
    return [(first, second, over), *each]


def _family(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts with p values that are adjusted for all of them."""
    size = len(verdicts)
    different = holm([one.interval.p for one in verdicts])
    equal = [one.p_equivalent for one in verdicts if one.p_equivalent is not None]
    equivalent = holm(equal) if equal else [None] * size
    return [
        replace(one, p_holm=p, p_equivalent=same, family=size)
        for one, p, same in zip(verdicts, different, equivalent, strict=True)
    ]
