"""Errors beyond noise, told apart by what a joint was taken for (Ronchi and Perona, 2017).

Similarities are OKS of one joint with the data's own tolerance. A labelled joint that is not good
is jitter, if it is near its truth; else an inversion, near the mirror joint of the same person, or
a swap, near this joint or its mirror joint of another person in the image, whichever point is more
similar; else a miss.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from heatmap_research.analysis.error_budget.stages import Points, StageTruth
from heatmap_research.analysis.error_budget.state import Frame, State

KINDS = ("good", "jitter", "inversion", "swap", "miss")
NOT_LABELLED = -1


@dataclass(frozen=True, eq=False)
class Mistakes:
    """What each joint was taken for."""

    kind: Int64[np.ndarray, "person joint"]  # place in KINDS, or NOT_LABELLED
    taken: Points  # from the truth to the point it was taken for; 0 but for inversions and swaps

    def counts(self) -> dict[str, int]:
        return {name: int((self.kind == kind).sum()) for kind, name in enumerate(KINDS)}


@dataclass(frozen=True)
class Gross:
    """Puts one kind of gross error right.

    An inverted or swapped joint goes to its own place, as far off as it was from the one it was
    taken for. Jitter and misses keep their direction, but become as long as good errors of the
    joint: the shortest as the shortest, the longest as the longest, in even quantiles.
    """

    name: str

    def __call__(self, state: State) -> State:
        made = mistakes(state.frame, state.read.truth, state.errors)
        chosen = made.kind == KINDS.index(self.name)
        errors = state.errors - np.where(chosen[..., None], made.taken, 0)
        if self.name in ("jitter", "miss"):
            errors = _as_good(state, chosen, made.kind == 0)
        return replace(state, errors=errors)


def counts(states: Sequence[State]) -> dict[str, int]:
    """How many labelled joints of all states are of each kind."""
    each = [mistakes(s.frame, s.read.truth, s.errors).counts() for s in states]
    return {name: sum(count[name] for count in each) for name in KINDS}


def mistakes(frame: Frame, truth: StageTruth, errors: Points) -> Mistakes:
    own = frame.similarity(truth, errors)
    mirrored, to_mirror = _mirror(frame, truth, errors)
    swapped, to_other = _others(frame, truth, errors, own < frame.near)
    inverted = mirrored >= np.maximum(swapped, frame.near)
    steps = [~truth.counted, own >= frame.good, own >= frame.near, inverted, swapped >= frame.near]
    kind = np.select(steps, [NOT_LABELLED, 0, 1, 2, 3], 4)
    taken = np.where((kind == 2)[..., None], to_mirror, 0)
    return Mistakes(kind, np.where((kind == 3)[..., None], to_other, taken))


def _mirror(frame: Frame, truth: StageTruth, errors: Points) -> tuple[np.ndarray, Points]:
    """Similarity to the mirror joint of the same person, and how far that is from the truth."""
    flip = list(frame.flip)
    away = truth.points[:, flip] - truth.points
    paired = np.array([joint != other for joint, other in enumerate(flip)])
    similarity = frame.similarity(truth, errors - away)
    return np.where(paired & (truth.visible[:, flip] > 0), similarity, 0), away


def _others(
    frame: Frame, truth: StageTruth, errors: Points, doubtful: np.ndarray
) -> tuple[np.ndarray, Points]:
    """Doubtful joints' similarity to the most similar point of somebody else, and the way there."""
    best, away = np.zeros(errors.shape[:2]), np.zeros(errors.shape)
    one, other = truth.neighbours()
    worth = (doubtful & truth.counted)[one].any(-1)
    one, other = one[worth], other[worth]
    source = truth.points * truth.unit[:, None] + truth.first[:, None]
    for joints in (list(range(len(frame.flip))), list(frame.flip)):
        there = (source[other][:, joints] - truth.first[one][:, None]) / truth.unit[one][:, None]
        steps = there - truth.points[one]
        pairs = replace(truth.select(one), scale=truth.scale[other])
        similarity = frame.similarity(pairs, errors[one] - steps)
        similarity = np.where(truth.visible[other][:, joints] > 0, similarity, 0)
        order = np.argsort(similarity, axis=None, kind="stable")  # the best is written last
        pair, joint = np.unravel_index(order, similarity.shape)
        person, values = one[pair], similarity[pair, joint]
        better = values > best[person, joint]
        pair, joint, person, values = (each[better] for each in (pair, joint, person, values))
        best[person, joint], away[person, joint] = values, steps[pair, joint]
    return best, away


def _as_good(state: State, chosen: np.ndarray, good: np.ndarray) -> Points:
    """The errors, of which the chosen ones are as long as the good ones of their joint."""
    lengths = np.hypot(*np.moveaxis(state.errors, -1, 0))
    wanted = lengths.copy() if good.any() else np.where(chosen, _limit(state), lengths)
    for joint in np.flatnonzero(chosen.any(0) & good.any()):
        there = np.flatnonzero(chosen[:, joint])
        order = there[np.argsort(lengths[there, joint], kind="stable")]
        known = lengths[good[:, joint], joint] if good[:, joint].any() else lengths[good]
        wanted[order, joint] = np.quantile(known, (np.arange(len(there)) + 0.5) / len(there))
    return state.errors * (wanted / np.where(lengths > 0, lengths, 1))[..., None]


def _limit(state: State) -> Float64[np.ndarray, "person joint"]:
    """The length in crop pixels at which an error ceases to be good."""
    frame, truth = state.frame, state.read.truth
    source = frame.reach[:, 0] * truth.scale[:, None] * np.sqrt(-2 * np.log(frame.good))
    return source / np.sqrt(truth.unit.prod(-1))[:, None]
