"""COCO's average precision of weighted images: a weight of 2 counts an image twice."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from heatmap_research.metrics import average_precision
from heatmap_research.metrics.average_precision import RECALLS, Found, People

MAX_WEIGHTS = 1 << 22  # of people found, in memory at a time

Weights = Float[np.ndarray, "resample image"]
Places = Int[np.ndarray, " _"]


@dataclass(frozen=True, eq=False)
class Matched:
    """Who is found at each threshold of OKS. Images are matched one by one, and only once.

    Precision peaks and recall rises only where someone is found, so no other place is kept.
    """

    images: Int[np.ndarray, " image"]
    found: Int[np.ndarray, " found"]  # each one's image, as an index of `images`; best first
    hits: tuple[Places, ...]  # for each threshold, who of `found` is right
    ignored: tuple[Places, ...]  # for each threshold, who of `found` does not count
    wanted: Float[np.ndarray, " image"]  # people to be found

    def of(self, weights: Weights) -> Float[np.ndarray, " resample"]:
        """AP for each row of weights; not a number where nobody is to be found."""
        step = max(1, MAX_WEIGHTS // max(len(self.found), 1))
        parts = [self._of(weights[start : start + step]) for start in range(0, len(weights), step)]
        return np.concatenate(parts)

    def _of(self, weights: Weights) -> Float[np.ndarray, " resample"]:
        each = weights[:, self.found]
        before = np.cumsum(each, axis=1)
        wanted = weights @ self.wanted
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = [
                _precision(each, before, wanted, hits, ignored)
                for hits, ignored in zip(self.hits, self.ignored, strict=True)
            ]
        return np.where(wanted > 0, np.mean(shares, axis=0), np.nan)


def matched(
    people: People,
    found: Found,
    sigmas: Float[np.ndarray, " joint"],
    images: Int[np.ndarray, " image"],
) -> Matched:
    """`images`: all that weights are given for, in order, with people or without."""
    matches = average_precision.match(people, found, sigmas)
    right, ignored = matches.right[0], matches.ignored[0]  # [0]: people of any size
    counted = np.searchsorted(images, people.image[people.counted])
    hits = tuple(np.flatnonzero(hit & ~out) for hit, out in zip(right, ignored, strict=True))
    left_out = tuple(np.flatnonzero(out) for out in ignored)
    wanted = np.bincount(counted, minlength=len(images)).astype(np.float64)
    return Matched(images, np.searchsorted(images, matches.image), hits, left_out, wanted)


def _precision(
    each: Float[np.ndarray, "resample found"],
    before: Float[np.ndarray, "resample found"],
    wanted: Float[np.ndarray, " resample"],
    hits: Places,
    ignored: Places,
) -> Float[np.ndarray, " resample"]:
    """The mean over recalls of the highest precision there or beyond."""
    if not len(hits):
        return np.zeros(len(each))
    right = np.cumsum(each[:, hits], axis=1)
    counting = before[:, hits]
    if len(ignored):
        out = np.cumsum(each[:, ignored], axis=1)
        out = np.concatenate([np.zeros((len(each), 1)), out], axis=1)
        counting = counting - out[:, np.searchsorted(ignored, hits)]
    share = right / (counting + np.spacing(1))
    highest = np.maximum.accumulate(share[:, ::-1], axis=1)[:, ::-1]
    highest = np.concatenate([highest, np.zeros((len(each), 1))], axis=1)  # recall never reached
    reached = right / wanted[:, None]
    rows = zip(highest, reached, strict=True)
    return np.array([row[np.searchsorted(far, RECALLS)].mean() for row, far in rows])
