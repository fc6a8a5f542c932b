"""Finds people whose left and right look swapped at one joint: a suspicion, not a proof.

From the front all of a person's left joints lie right of the right ones, from behind left of them.
Crossed legs break this too, but swapping their names shortens the bones little. So a pair is
suspected where
 1. at least MIN_OTHERS other pairs of the person, and all of them, lie in the opposite order
    (a pair whose joints are nearer in x than MIN_GAP of the person's size has no order), and
 2. swapping the pair's names would shorten the bones at it, added up, by MIN_GAIN of that size.
Bones are the skeleton's. Without a skeleton, the mean of the lines from a joint of the pair to the
other pairs stands for its bones. The limits were set on COCO val2017 and Leeds Sports Pose, where
below 1 % of the people are suspected; of joints swapped by hand they find half and more for the
arms, a sixth to a half for the legs. A person mirrored as a whole needs the picture.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from heatmap_research.data.annotations.rows import extent
from heatmap_research.data.audit.columns import Array, Mask
from heatmap_research.data.audit.records import LEARNT, Finding, Records

MIN_GAP = 0.05  # of the person's size, the longer side of the box of the labelled points
MIN_GAIN = 0.2  # of the person's size
MIN_OTHERS = 3  # pairs
MAX_SHARE = 0.5  # of the people who tell; where more are opposite, the file's names are swapped
MIN_PEOPLE = 10  # who tell, to say so of the file

Pairs = Sequence[tuple[int, int]]


def check(records: Records) -> Iterator[Finding]:
    points, pairs = records.points, records.sided
    odd = suspected(points, pairs, records.bones) & ~records.crowd[:, None]
    names = [f"{records.names[left]} / {records.names[right]}" for left, right in pairs]
    for column in range(len(pairs)):
        problem = f"suspected: {names[column]} swapped"
        yield Finding(problem, records.named(odd[:, column]), LEARNT)
    worst = [names[column] for column in swapped_in_most(points, pairs)]
    yield Finding("suspected: a pair is swapped in most people", worst, LEARNT)


def suspected(points: Array, pairs: Pairs, bones: Pairs) -> Mask:
    """Whether each person's joints of each pair look swapped: (person, pair)."""
    size = _size(points)
    _, opposite = _order(points, pairs, size)
    for column, pair in enumerate(pairs):
        people = np.flatnonzero(opposite[:, column])
        gain = _gain(points[people], pair, pairs, bones)
        opposite[people, column] = gain > MIN_GAIN * size[people]
    return opposite


def swapped_in_most(points: Array, pairs: Pairs) -> list[int]:
    """The pairs that lie against the others in more than half of the people who tell.

    The worst is first. Each is put right before the next is looked for, as it might mislead.
    """
    points, worst = points.copy(), list[int]()
    while len(worst) < len(pairs):
        told, opposite = _order(points, pairs, _size(points))
        share = opposite.sum(0) / told.sum(0).clip(MIN_PEOPLE)
        share[worst] = 0
        if not len(pairs) or share.max() <= MAX_SHARE:
            break
        worst.append(int(share.argmax()))
        pair = list(pairs[worst[-1]])
        points[:, pair] = points[:, pair[::-1]]
    return worst


def _order(points: Array, pairs: Pairs, size: Array) -> tuple[Mask, Mask]:
    """Whether a person's other pairs tell an order, and whether this pair has the opposite one."""
    left, right = (points[:, [pair[side] for pair in pairs]] for side in (0, 1))
    gap = left[..., 0] - right[..., 0]
    both = (left[..., 2] > 0) & (right[..., 2] > 0)
    sign = np.where(both & (np.abs(gap) > MIN_GAP * size[:, None]), np.sign(gap), 0)
    others = np.abs(sign).sum(1, keepdims=True) - np.abs(sign)
    rest = sign.sum(1, keepdims=True) - sign
    told = (sign != 0) & (others >= MIN_OTHERS) & (np.abs(rest) == others)
    return told, told & (sign * rest < 0)


def _size(points: Array) -> Array:
    """The longer side of the box of the labelled points; 0 for a person without any."""
    nobody = ~(points[..., 2] > 0).any(1, keepdims=True)
    return np.where(nobody, 0, extent(points)[:, 2:]).max(1)


def _gain(points: Array, pair: tuple[int, int], pairs: Pairs, bones: Pairs) -> Array:
    """By how many pixels swapping the pair shortens the bones at it."""
    swap = {pair[0]: pair[1], pair[1]: pair[0]}
    lines = [(pair[side], other[side]) for other in pairs if other != pair for side in (0, 1)]
    touched = [(a, b) for a, b in bones or lines if (a in swap) != (b in swap)]
    if not touched:
        return np.zeros(len(points))
    after = [(swap.get(a, a), swap.get(b, b)) for a, b in touched]
    change = _lengths(points, touched) - _lengths(points, after)
    known = np.isfinite(change)
    weight = 1 if bones else 2 / known.sum(1).clip(1)
    return np.where(known, change, 0).sum(1) * weight


def _lengths(points: Array, bones: Pairs) -> Array:
    """(person, bone); nan where an end is not labelled."""
    ends = points[:, np.array(bones)]  # (person, bone, end, 3)
    length = np.hypot(*(ends[:, :, 0, :2] - ends[:, :, 1, :2]).transpose(2, 0, 1))
    return np.where((ends[..., 2] > 0).all(-1), length, np.nan)
