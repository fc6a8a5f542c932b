"""Prints the tables of README.md from cells.parquet: python experiments/uncertainty/answer.py"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq

from heatmap_research.analysis.comparison.statistics import bootstrap, two_way
from heatmap_research.analysis.comparison.statistics.interval import Interval
from heatmap_research.analysis.comparison.verdict import wording
from heatmap_research.metrics.ellipses import SHARES

HERE = Path(__file__).parent
BASE, DRAWS, TIMES, PIXEL = "ce_2d", 200, 100, 500
LIMIT_68, LIMIT_95 = (math.sqrt(-2 * math.log1p(-share)) for share in SHARES)  # deviations
Numbers = np.ndarray
Figure = Callable[["Read", Numbers], float]


class Ordered(NamedTuple):
    """The places of rows in the order of two columns; equal values have one place."""

    said: Numbers
    error: Numbers

    @classmethod
    def of(cls, *columns: Numbers) -> "Ordered":
        return cls(*(np.unique(each, return_inverse=True)[1] for each in columns))

    def spearman(self, weights: Numbers) -> float:
        """Their rank correlation, of rows that are there as often as their weights say."""
        one, other = (midranks(place, weights) - weights.sum() / 2 for place in self)
        shared = (weights * one * other).sum()
        return shared / math.sqrt((weights * one**2).sum() * (weights * other**2).sum())


@dataclass(frozen=True, eq=False)
class Read:
    """One run: a row a labelled joint."""

    image: Numbers  # from 0
    joint: Numbers
    error: Numbers
    deviation: Numbers
    distance: Numbers  # of the truth, in deviations
    score: Numbers
    widening: float

    @cached_property
    def ordered(self) -> dict[str, Ordered]:
        said = {"deviation": self.deviation, "score": -self.score}
        return {name: Ordered.of(each, self.error) for name, each in said.items()}

    @cached_property
    def kinds(self) -> list[tuple[Numbers, Ordered]]:
        """The rows of each kind of joint."""
        each = (np.flatnonzero(self.joint == kind) for kind in np.unique(self.joint))
        return [(k, Ordered.of(self.deviation[k], self.error[k])) for k in each]

    def correlation(self, weights: Numbers, of: str) -> float:
        """Spearman's, of what says how unsure the network is with the error; a weight an image."""
        return self.ordered[of].spearman(weights[self.image])

    def within_kinds(self, weights: Numbers) -> float:
        """The mean over kinds of joints of the correlation among those of a kind."""
        each = weights[self.image]
        return np.mean([ordered.spearman(each[rows]) for rows, ordered in self.kinds])

    def within(self, weights: Numbers, widened: bool) -> float:
        """The share of truths within the ellipse of 95 %."""
        limit = LIMIT_95 * (self.widening if widened else 1)
        return np.average(self.distance <= limit, weights=weights[self.image])

    def surest(self, weights: Numbers) -> float:
        """The mean error of the fifth with the least deviation, over that of the widest fifth."""
        each = weights[self.image]
        place = midranks(self.ordered["deviation"].said, each) / each.sum()
        low, high = (np.average(self.error, weights=each * k) for k in (place < 0.2, place > 0.8))
        return low / high

    def factor(self, _: Numbers) -> float:
        return self.widening


FIGURES: Mapping[str, Figure] = {
    "deviation and error": partial(Read.correlation, of="deviation"),
    "of one kind of joint": Read.within_kinds,
    "score and error": partial(Read.correlation, of="score"),
    "error of the surest fifth over that of the least sure": Read.surest,
    "within 95 %": partial(Read.within, widened=False),
    "widths times": Read.factor,
    "then within 95 %": partial(Read.within, widened=True),
}


def midranks(place: Numbers, weights: Numbers) -> Numbers:
    """Of rows that are there as often as their weights say; equal ones share the middle."""
    count = np.bincount(place, weights)
    return (np.cumsum(count) - count / 2)[place]


def runs() -> dict[tuple[str, str, str], list[Read]]:
    """Those of each study, decoder and arm, by seed."""
    table = pq.read_table(HERE / "cells.parquet")
    columns = {name: table[name].to_numpy() for name in table.column_names}
    keys = list(zip(*(columns[name] for name in ("study", "decoder", "arm", "seed")), strict=True))
    starts = [row for row, key in enumerate(keys) if not row or key != keys[row - 1]]
    found: dict[tuple[str, str, str], list[Read]] = {}
    for start, end in zip(starts, [*starts[1:], len(keys)], strict=True):
        of = {name: column[start:end] for name, column in columns.items()}
        read = Read(
            image=np.unique(of["image"], return_inverse=True)[1],
            joint=of["joint"],
            error=of["error"] / PIXEL,
            deviation=of["deviation"] / PIXEL,
            distance=of["distance"] / TIMES,
            score=of["score"].astype(float),
            widening=of["widening"][0],
        )
        found.setdefault((of["study"][0], of["decoder"][0], of["arm"][0]), []).append(read)
    return found


def drawn(reads: list[Read], figure: Figure, weights: Numbers) -> Numbers:
    """A row a seed, a column a draw of images, of which the first has each once."""
    return np.array([[figure(read, each) for each in weights] for read in reads])


def interval(values: Numbers, images: int) -> Interval:
    squares = bootstrap.mean_squares(values[:, 0], values[:, 1:].T, images)
    return two_way.interval(squares, method="two-way, of draws of images")


def told(known: Interval) -> str:
    low, high = (wording.number(end, known) for end in (known.low, known.high))
    return f"{wording.number(known.estimate, known)} ({low} to {high})"


def rows(read: dict[str, list[Read]]) -> Iterator[str]:
    arms = sorted(read, key=lambda arm: (arm != BASE, arm))
    images = 1 + max(one.image.max() for each in read.values() for one in each)
    draws = bootstrap.weights(np.random.default_rng(0), DRAWS, images)
    weights = np.concatenate([np.ones((1, images)), draws])
    yield f"| | {' | '.join(arms)} | " + " | ".join(f"{arm} less {BASE}" for arm in arms[1:]) + " |"
    yield "|---" * (2 * len(arms)) + "|"
    for name, figure in FIGURES.items():
        values = {arm: drawn(read[arm], figure, weights) for arm in arms}
        own = [told(interval(values[arm], images)) for arm in arms]
        less = [told(interval(values[arm] - values[BASE], images)) for arm in arms[1:]]
        yield f"| {name} | {' | '.join([*own, *less])} |"
    parts = zip(*(fifths(read[arm]) for arm in arms), strict=True)
    for place, shares in enumerate(parts, 1):
        said = " | ".join(f"{one:.3f}, {widened:.3f}" for one, widened in shares)
        rest = " |" * len(arms[1:])
        yield f"| within 95 %, before and then, fifth {place} of widths | {said} |{rest}"


def fifths(reads: list[Read]) -> Numbers:
    """The shares within 95 % of each fifth of deviations, surest first, as is and widened."""
    found = []
    for read in reads:
        place = np.ceil(5 * midranks(read.ordered["deviation"].said, np.ones(len(read.error))))
        place = np.clip(np.ceil(place / len(read.error)), 1, 5)
        limits = LIMIT_95, LIMIT_95 * read.widening
        each = [[read.distance[place == k] <= limit for limit in limits] for k in range(1, 6)]
        found.append([[one.mean() for one in pair] for pair in each])
    return np.mean(found, 0)


def main() -> None:
    read = runs()
    for study, decoder in sorted({key[:2] for key in read}):
        own = {arm: each for (*by, arm), each in read.items() if by == [study, decoder]}
        print(f"`{study}`, read by `{decoder}`, with 95 % intervals over seeds and images:\n")
        print(*rows(own), "", sep="\n")


if __name__ == "__main__":
    main()
