"""COCO's average precision of weighted images: a weight of 2 is the image twice."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from heatmap_research.metrics import average_precision
from heatmap_research.metrics.average_precision import RECALLS, Found, People

AT_ONCE = 1 << 22  # weights of those found, in a block

Weights = Float[np.ndarray, "resample image"]
Places = Int[np.ndarray, " _"]


@dataclass(frozen=True, eq=False)
class Matched:
    """Who is found, at each threshold of OKS; the matching is an image's own and is done once.

    Precision is highest, and recall rises, where someone is found: no other place is looked at.
    """

    images: Int[np.ndarray, " image"]
    found: Int[np.ndarray, " found"]  # each one's image, as a place among `images`, best first
    hits: tuple[Places, ...]  # of a threshold: the places in `found` of who is right
    ignored: tuple[Places, ...]  # of a threshold: of who does not count
    wanted: Float[np.ndarray, " image"]  # people to be found

    def of(self, weights: Weights) -> Float[np.ndarray, " resample"]:
        """AP for each row of weights; not a number where nobody is to be found."""
        step = max(1, AT_ONCE // max(len(self.found), 1))
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
    """`images`: in order, all that weights are given for, with people or without."""
    matches = average_precision.match(people, found, sigmas)
    right, ignored = matches.right[0], matches.ignored[0]  # of people of any size
    counted = np.searchsorted(images, people.image[people.counted])
    return Matched(
        images,
        np.searchsorted(images, matches.image),
        tuple(np.flatnonzero(hit & ~out) for hit, out in zip(right, ignored, strict=True)),
        tuple(np.flatnonzero(out) for out in ignored),
        np.bincount(counted, minlength=len(images)).astype(np.float64),
    )


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
