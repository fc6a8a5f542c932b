"""People whose left and right look swapped at one joint: a suspicion, not a proof.

Seen from the front a person's left joints lie right of the right ones, seen from behind left of
them; either way, all of them. Someone who crosses the legs or reaches across breaks this too, but
then bones run across the body, and for a mere crossing swapping the names shortens them little.
So a pair is suspected where
 1. at least OTHERS other pairs of the person, and all of them, lie in the opposite order
    (a pair whose joints are nearer in x than GAP of the person's size has no order), and
 2. swapping the pair's names would shorten the bones at it by GAIN of the person's size together.
Bones are the skeleton's; of a category without one, on either side the mean of the lines from the
pair to the others. Set on COCO val2017 and Leeds Sports Pose, where below 1 % of the people are
suspected; of joints swapped there by hand it finds half and more for shoulders, elbows and wrists,
a sixth to a half for hips, knees and ankles, few for eyes. A person mirrored as a whole is not
found: that needs the picture.
"""

from collections.abc import Sequence

import numpy as np

from heatmap_research.data.audit.columns import Array, Mask

GAP = 0.05  # of the person's size, the longer side of the box of the labelled points
GAIN = 0.2  # of the person's size
OTHERS = 3
HALF = 0.5  # of the people who tell: where more are opposite, the file's names are swapped
TOLD = 10  # people at least, to say so of the file


Pairs = Sequence[tuple[int, int]]


def suspected(points: Array, pairs: Pairs, bones: Pairs) -> Mask:
    """(person, pair)."""
    size = _size(points)
    _, opposite = _order(points, pairs, size)
    for column, pair in enumerate(pairs):
        people = np.flatnonzero(opposite[:, column])
        gain = _gain(points[people], pair, pairs, bones)
        opposite[people, column] = gain > GAIN * size[people]
    return opposite


def swapped_in_most(points: Array, pairs: Pairs) -> list[int]:
    """Pairs that lie against the others in more than half of the people who tell.

    The worst first; each is put right before the next is looked for, which it might have misled.
    """
    points, worst = points.copy(), list[int]()
    while len(worst) < len(pairs):
        told, opposite = _order(points, pairs, _size(points))
        share = opposite.sum(0) / told.sum(0).clip(TOLD)
        share[worst] = 0
        if not len(pairs) or share.max() <= HALF:
            break
        worst.append(int(share.argmax()))
        pair = list(pairs[worst[-1]])
        points[:, pair] = points[:, pair[::-1]]
    return worst


def can_be_judged(points: Array, pairs: Pairs) -> int:
    return int(_order(points, pairs, _size(points))[0].any(1).sum())


def _order(points: Array, pairs: Pairs, size: Array) -> tuple[Mask, Mask]:
    """Where the person's other pairs tell an order, and where this pair has the opposite one."""
    left, right = (points[:, [pair[side] for pair in pairs]] for side in (0, 1))
    gap = left[..., 0] - right[..., 0]
    both = (left[..., 2] > 0) & (right[..., 2] > 0)
    sign = np.where(both & (np.abs(gap) > GAP * size[:, None]), np.sign(gap), 0)
    others = np.abs(sign).sum(1, keepdims=True) - np.abs(sign)
    rest = sign.sum(1, keepdims=True) - sign
    told = (sign != 0) & (others >= OTHERS) & (np.abs(rest) == others)
    return told, told & (sign * rest < 0)


def _size(points: Array) -> Array:
    """Zero for people without points."""
    labelled = points[..., 2:] > 0
    low = np.where(labelled, points[..., :2], np.inf).min(1)
    high = np.where(labelled, points[..., :2], -np.inf).max(1)
    return np.where(labelled.any(1), high - low, 0).max(1)


def _gain(points: Array, pair: tuple[int, int], pairs: Pairs, bones: Pairs) -> Array:
    """How much shorter swapping the pair makes the bones at it."""
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
