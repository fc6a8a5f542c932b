"""Errors beyond noise, told apart by what a joint was taken for (Ronchi and Perona, 2017).

Similarities are OKS of one joint with the data's own tolerance. A labelled joint that is not good
is jitter, if it is near its truth; else an inversion, near the mirror joint of the same person, or
a swap, near this joint or its mirror joint of another person in the image, whichever point is more
similar; else a miss.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from heatmap_research.analysis.error_budget.frame import Frame
from heatmap_research.analysis.error_budget.stages import Points, Truth
from heatmap_research.analysis.error_budget.state import State

KINDS = ("good", "jitter", "inversion", "swap", "miss")
NOT_LABELLED = -1


@dataclass(frozen=True, eq=False)
class Mistakes:
    kind: Int64[np.ndarray, "person joint"]  # place in KINDS, or NOT_LABELLED
    taken: Points  # from the truth to the point it was taken for; 0 but in inversions and swaps

    def counts(self) -> dict[str, int]:
        return {name: int((self.kind == kind).sum()) for kind, name in enumerate(KINDS)}


@dataclass(frozen=True)
class Gross:
    """One kind put right.

    An inverted or swapped joint goes to its own place, as far off as it was from the one it was
    taken for. Jitter and misses stay on their side of the truth, but become as long as good errors
    of the joint: the shortest as the shortest, the longest as the longest, in even quantiles.
    """

    name: str

    def __call__(self, state: State) -> State:
        found = mistakes(state.frame, state.read.truth, state.errors)
        chosen = found.kind == KINDS.index(self.name)
        errors = state.errors - np.where(chosen[..., None], found.taken, 0)
        if self.name in ("jitter", "miss"):
            errors = _as_good(state, chosen, found.kind == 0)
        return replace(state, errors=errors)


def mistakes(frame: Frame, truth: Truth, errors: Points) -> Mistakes:
    own = frame.similarity(truth, errors)
    mirrored, to_mirror = _mirror(frame, truth, errors)
    swapped, to_other = _others(frame, truth, errors, own < frame.near)
    inverted = mirrored >= np.maximum(swapped, frame.near)
    swap = ~inverted & (swapped >= frame.near)
    steps = [~truth.counted, own >= frame.good, own >= frame.near, inverted, swap]
    kind = np.select(steps, [NOT_LABELLED, 0, 1, 2, 3], 4)
    taken = np.where((kind == 2)[..., None], to_mirror, 0)
    return Mistakes(kind, np.where((kind == 3)[..., None], to_other, taken))


def _mirror(frame: Frame, truth: Truth, errors: Points) -> tuple[np.ndarray, Points]:
    flip = list(frame.flip)
    away = truth.points[:, flip] - truth.points
    paired = np.array([joint != other for joint, other in enumerate(flip)])
    alike = frame.similarity(truth, errors - away)
    return np.where(paired & (truth.visible[:, flip] > 0), alike, 0), away


def _others(
    frame: Frame, truth: Truth, errors: Points, doubtful: np.ndarray
) -> tuple[np.ndarray, Points]:
    """The most similar point of somebody else, and how far it is from the truth."""
    best, away = np.zeros(errors.shape[:2]), np.zeros(errors.shape)
    one, other = truth.neighbours()
    worth = (doubtful & truth.counted)[one].any(-1)
    one, other = one[worth], other[worth]
    source = truth.points * truth.unit[:, None] + truth.first[:, None]
    for joints in (list(range(len(frame.flip))), list(frame.flip)):
        there = (source[other][:, joints] - truth.first[one][:, None]) / truth.unit[one][:, None]
        steps = there - truth.points[one]
        pairs = replace(truth.of(one), scale=truth.scale[other])
        alike = frame.similarity(pairs, errors[one] - steps)
        alike = np.where(truth.visible[other][:, joints] > 0, alike, 0)
        order = np.argsort(alike, axis=None, kind="stable")  # the best is written last
        pair, joint = np.unravel_index(order, alike.shape)
        person, values = one[pair], alike[pair, joint]
        better = values > best[person, joint]
        pair, joint, person, values = (each[better] for each in (pair, joint, person, values))
        best[person, joint], away[person, joint] = values, steps[pair, joint]
    return best, away


def _as_good(state: State, chosen: np.ndarray, good: np.ndarray) -> Points:
    lengths = np.hypot(*np.moveaxis(state.errors, -1, 0))
    wanted = lengths.copy()
    everywhere = lengths[good]
    for joint in range(lengths.shape[1]):
        there = np.flatnonzero(chosen[:, joint])
        known = lengths[good[:, joint], joint]
        known = known if len(known) else everywhere
        if len(there) and len(known):
            order = there[np.argsort(lengths[there, joint], kind="stable")]
            wanted[order, joint] = np.quantile(known, (np.arange(len(there)) + 0.5) / len(there))
        elif len(there):
            wanted[there, joint] = _limit(state)[there, joint]
    return state.errors * (wanted / np.where(lengths > 0, lengths, 1))[..., None]


def _limit(state: State) -> Float64[np.ndarray, "person joint"]:
    """Crop pixels at which an error ceases to be good."""
    frame, truth = state.frame, state.read.truth
    source = frame.reach[:, 0] * truth.scale[:, None] * np.sqrt(-2 * np.log(frame.good))
    return source / np.sqrt(truth.unit.prod(-1))[:, None]
