"""The difference of two arms, read on the same images with the same seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from jaxtyping import Float

from heatmap_research.analysis.comparison.statistics import bootstrap, two_way
from heatmap_research.analysis.comparison.statistics.interval import BOTH, Interval
from heatmap_research.analysis.comparison.statistics.planning import detectable, seeds_needed
from heatmap_research.analysis.comparison.statistics.two_way import MeanSquares
from heatmap_research.analysis.comparison.verdict import other_differences, tables
from heatmap_research.analysis.comparison.verdict.reading import Reading
from heatmap_research.analysis.comparison.verdict.settings import Group, seeds_of
from heatmap_research.analysis.comparison.verdict.verdict import Verdict

Groups = tuple[Group, ...]


@dataclass(frozen=True)
class Comparison:
    reading: Reading
    sides: tuple[Groups, Groups]
    over: tuple[str, ...]
    seeds: tuple[int, ...]
    images: int
    squares: MeanSquares
    interval: Interval

    def verdict(self, margin: float | None, by: str) -> Verdict:
        """The verdict as if there were no other; a family adjusts its p values."""
        (one, *_), (other, *_) = self.sides
        equal = None if margin is None else self.interval.p_equivalence(margin)
        needed = None
        if margin is not None and len(self.seeds) > 1:
            needed = seeds_needed(self.squares, margin, self.interval.level)
        return Verdict(
            arm=one.arm,
            other=other.arm,
            metric=self.reading.metric,
            unit=self.reading.unit,
            higher_is_better=self.reading.higher_is_better,
            decoder=self._decoders(self.sides[0]),
            other_decoder=self._decoders(self.sides[1]),
            setting=() if self.over else one.setting,
            over=self.over,
            seeds=self.seeds,
            images=self.images,
            interval=self.interval,
            p=self.interval.p,
            p_holm=self.interval.p,
            margin=margin,
            p_equivalent=equal,
            detectable=detectable(self.interval),
            seeds_needed=needed,
            family=1,
            notes=self._notes(by),
        )

    def _decoders(self, groups: Groups) -> str:
        return "/".join(dict.fromkeys(self.reading.decoder(group) for group in groups))

    def _notes(self, by: str) -> tuple[str, ...]:
        notes = [other_differences.note(list(zip(*self.sides, strict=True)), by)]
        every = {seed for side in self.sides for group in side for seed in group.runs}
        if left := ", ".join(map(str, sorted(every - set(self.seeds)))):
            notes.append(f"Seeds that not all of these runs have are left out: {left}")
        return tuple(filter(None, notes))


def compare(
    reading: Reading, one: Groups, other: Groups, over: tuple[str, ...], level: float
) -> Comparison:
    """The two sides are paired by seed; of several settings each counts alike."""
    seeds = seeds_of(*one, *other)
    read = _ap if reading.metric == "AP" else _mean
    squares, images = read(reading, one, other, seeds)
    for pair in zip(one, other, strict=True):
        _refuse_other_truth(reading, pair, seeds)
    if len(seeds) == images == 1:
        raise ValueError("one seed and one image say nothing of others: give more of either.")
    method = "two-way random effects, images by bootstrap" if read is _ap else two_way.METHOD
    interval = two_way.interval(squares, BOTH, level, method)
    return Comparison(reading, (one, other), over, seeds, images, squares, interval)


def _refuse_other_truth(reading: Reading, groups: Groups, seeds: Sequence[int]) -> None:
    """Seeds must have the same truth too: a seed is crossed with images that all seeds meet."""
    runs = [(group.runs[seed], reading.decoder(group)) for group in groups for seed in seeds]
    (first, by), *rest = runs
    for run, decoder in rest:
        if what := reading.truth(first, by).less(reading.truth(run, decoder)):
            why = other_differences.of_data(first, run)
            raise ValueError(
                f"{reading.stage} images of {first.name} and {run.name} have the same numbers, but "
                f"not the same truth, and are not compared: {what}{why and f'; {why}'}."
            )


def _mean(
    reading: Reading, one: Groups, other: Groups, seeds: Sequence[int]
) -> tuple[MeanSquares, int]:
    cells, images = _cells(reading, one + other, seeds)
    sides = cells[: len(one)], cells[len(one) :]
    return two_way.mean_squares(sides[0].mean(0) - sides[1].mean(0)), images


def _cells(
    reading: Reading, groups: Groups, seeds: Sequence[int]
) -> tuple[Float[np.ndarray, "group seed image"], int]:
    runs = [(group.runs[seed], reading.decoder(group)) for group in groups for seed in seeds]
    per_image = [(run, reading.table(run, decoder)) for run, decoder in runs]
    tables.refuse_empty(reading.metric, reading.stage, per_image)
    cells, images = tables.cells(per_image)
    return cells.reshape(len(groups), len(seeds), -1), images


def _ap(
    reading: Reading, one: Groups, other: Groups, seeds: Sequence[int]
) -> tuple[MeanSquares, int]:
    runs = [[(group.runs[seed], reading.decoder(group)) for seed in seeds] for group in one + other]
    drawn = [[reading.drawn(*each) for each in row] for row in runs]
    first, images = runs[0][0][0], drawn[0][0].images
    for (run, _), other_drawn in zip(chain(*runs), chain(*drawn), strict=True):
        if not np.array_equal(images, other_drawn.images):
            raise ValueError(
                f"{first.name} and {run.name} were evaluated on different images: AP is compared "
                "on the same ones."
            )
    signs = np.repeat([1 / len(one), -1 / len(other)], [len(one), len(other)])
    aps = np.array([[each.aps for each in row] for row in drawn])  # (group, seed, draw)
    differences = np.tensordot(signs, aps, axes=1).T
    if np.isnan(differences[0]).any():
        raise ValueError("there is nobody to be found, and so no AP to compare.")
    resampled = differences[np.isfinite(differences.sum(axis=1))][1:]  # of images with people
    return bootstrap.mean_squares(differences[0], resampled, len(images)), len(images)
