"""Prints the tables of README.md from cells.parquet alone: python experiments/scores/answer.py"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from heatmap_research.analysis.comparison.statistics import bootstrap, two_way
from heatmap_research.analysis.comparison.statistics.interval import Interval
from heatmap_research.analysis.comparison.statistics.weighted_ap import Matched
from heatmap_research.analysis.comparison.verdict import wording
from heatmap_research.metrics.average_precision import THRESHOLDS

HERE = Path(__file__).parent
ARMS, BASE = ("ce_2d", "marginal", "simcc_marginal", "simcc"), "ce_2d"
RULES = ("product", "mean", "min", "mass")
BOX, ORACLE = "box alone", "oracle"
TOLERANCES, ASKED = (0.05, 0.01, 0.005), 0.005  # OKS sigmas
SHARE, PIXEL = 65535, 1000  # scores and errors are kept as whole numbers of so many
LEAST_SCORE = 0.2  # of a joint that counts in a person's score
RIGHT = 0.5  # OKS of a joint
DRAWS = 200
Numbers = np.ndarray


@dataclass(frozen=True, eq=False)
class Read:
    """One run: a row an image, a column a joint."""

    error: Numbers  # crop pixels, as large as source pixels here
    scale: Numbers  # pixels, one an image
    scores: dict[str, Numbers]

    def similar(self, tolerance: float) -> Numbers:
        return np.exp(-((self.error / (2 * tolerance * self.scale[:, None])) ** 2) / 2)

    def order(self, name: str, tolerance: float) -> Numbers:
        """Images, best first; equal scores as they come."""
        if name == ORACLE:
            score = self.similar(tolerance).mean(1)
        elif name == BOX:
            score = np.ones(len(self.error))
        else:
            joints = self.scores[name]
            kept = joints > LEAST_SCORE
            score = np.where(kept, joints, 0).sum(1) / np.maximum(kept.sum(1), 1)
        return np.argsort(-score, kind="stable")

    def ap(self, name: str, tolerance: float, weights: Numbers) -> Numbers:
        """AP for each row of weights: everyone is alone in an image and found once."""
        order = self.order(name, tolerance)
        alike = self.similar(tolerance).mean(1)[order]
        hits = tuple(np.flatnonzero(alike >= threshold) for threshold in THRESHOLDS)
        none = (np.zeros(0, dtype=np.int64),) * len(THRESHOLDS)
        count = len(order)
        return Matched(np.arange(count), order, hits, none, np.ones(count)).of(weights)

    def ece(self, rule: str, weights: Numbers) -> Numbers:
        """The calibration error of joints for each row of weights of images."""
        score, right = self.scores[rule], self.similar(ASKED) >= RIGHT
        part = np.minimum((score * 10).astype(int), 9)
        inside = part[..., None] == np.arange(10)  # (image, joint, interval)
        gaps = ((right - score)[..., None] * inside).sum(1)  # (image, interval)
        return np.abs(weights @ gaps).sum(1) / (weights.sum(1) * score.shape[1])


Runs = dict[str, list[Read]]  # by arm


def runs() -> Runs:
    table = pq.read_table(HERE / "cells.parquet")
    return {arm: list(_of(table.filter(pc.equal(table["arm"], arm)))) for arm in ARMS}


def _of(table: Any) -> Iterable[Read]:
    for seed in sorted(set(table["seed"].to_pylist())):
        rows = table.filter(pc.equal(table["seed"], seed))
        joints = rows["joint"].to_numpy().max() + 1
        shaped = {n: rows[n].to_numpy().reshape(-1, joints) for n in ("error", "scale", *RULES)}
        scores = {rule: shaped[rule] / SHARE for rule in RULES}
        yield Read(shaped["error"] / PIXEL, shaped["scale"][:, 0].astype(float), scores)


def interval(values: Numbers) -> Interval:
    """Of a table of seeds by draws, of which the first is of all images once."""
    images = WEIGHTS.shape[1]
    squares = bootstrap.mean_squares(values[:, 0], values[:, 1:].T, images)
    return two_way.interval(squares, method="two-way, of draws of images")


def _words(known: Interval) -> str:
    low, high = (wording.number(end, known) for end in (known.low, known.high))
    return f"{wording.number(known.estimate, known)} ({low} to {high})"


def _row(words: Iterable[str]) -> str:
    return f"| {' | '.join(words)} |"


def _orders(aps: dict[tuple[str, str, float], Numbers]) -> Iterable[str]:
    names = (*RULES, BOX, ORACLE)
    yield _row(["tolerance", "arm", *names])
    yield _row(["---"] * (2 + len(names)))
    for tolerance in TOLERANCES:
        for arm in ARMS:
            means = [aps[arm, name, tolerance][:, 0].mean() for name in names]
            yield _row([f"{tolerance:g}", arm, *(f"{mean:.3f}" for mean in means)])


def _ranking(aps: dict[tuple[str, str, float], Numbers]) -> Iterable[str]:
    said = ("difference in AP", "of coordinates (oracle)", "of ranking", "ranking's share")
    yield _row(["tolerance", f"less {BASE}", "scores", *said])
    yield _row(["---"] * (3 + len(said)))
    for tolerance in TOLERANCES[1:]:
        for arm in ARMS[1:]:
            for rule in RULES if tolerance == ASKED else RULES[:1]:
                own, best = (
                    aps[arm, name, tolerance] - aps[BASE, name, tolerance]
                    for name in (rule, ORACLE)
                )
                known = [interval(each) for each in (own, best, own - best)]
                share = known[2].estimate / known[0].estimate
                told = share if known[0].p < 0.05 else None
                words = "n/a" if told is None else f"{told:.0%}"
                yield _row([f"{tolerance:g}", arm, rule, *map(_words, known), words])


def _attained(aps: dict[tuple[str, str, float], Numbers]) -> Iterable[str]:
    yield _row(["arm", "oracle less box", *(f"{rule}: of it" for rule in RULES)])
    yield _row(["---"] * (2 + len(RULES)))
    for arm in ARMS:
        low, high = (aps[arm, name, ASKED][:, 0].mean() for name in (BOX, ORACLE))
        shares = [(aps[arm, rule, ASKED][:, 0].mean() - low) / (high - low) for rule in RULES]
        yield _row([arm, f"{high - low:.3f}", *(f"{share:.0%}" for share in shares)])


def _calibration(read: Runs) -> Iterable[str]:
    names = ("mean score", "share right", "ECE", f"less {BASE}")
    yield _row(["scores", "arm", *names])
    yield _row(["---"] * (2 + len(names)))
    for rule in RULES:
        eces = {arm: np.stack([one.ece(rule, WEIGHTS) for one in read[arm]]) for arm in ARMS}
        for arm in ARMS:
            score = np.mean([one.scores[rule].mean() for one in read[arm]])
            right = np.mean([(one.similar(ASKED) >= RIGHT).mean() for one in read[arm]])
            less = "" if arm == BASE else _words(interval(eces[arm] - eces[BASE]))
            told = [f"{score:.3f}", f"{right:.3f}", _words(interval(eces[arm])), less]
            yield _row([rule, arm, *told])


def _aps(read: Runs) -> dict[tuple[str, str, float], Numbers]:
    """A table of seeds by draws for each arm, order and tolerance."""
    aps = {}
    for tolerance in TOLERANCES:
        for name in (*RULES, BOX, ORACLE):
            drawn = tolerance == ASKED or name in (RULES[0], ORACLE)
            weights = WEIGHTS if drawn and tolerance < TOLERANCES[0] else WEIGHTS[:1]
            for arm in ARMS:
                each = [one.ap(name, tolerance, weights) for one in read[arm]]
                aps[arm, name, tolerance] = np.stack(each)
    return aps


WEIGHTS = np.concatenate(
    [np.ones((1, 1000)), bootstrap.weights(np.random.default_rng(0), DRAWS, 1000)]
)


def main() -> None:
    read = runs()
    aps = _aps(read)
    for title, rows in (
        ("AP by tolerance and order, mean of three seeds:", _orders(aps)),
        ("Differences in AP, with 95 % intervals over seeds and images:", _ranking(aps)),
        (f"What an order is worth at {ASKED:g}, and how much of it scores attain:", _attained(aps)),
        ("Calibration of joints' scores, with 95 % intervals:", _calibration(read)),
    ):
        print(title, "", *rows, "", sep="\n")


if __name__ == "__main__":
    main()
