"""The difference of two arms, read on the same images with the same seeds."""

from collections.abc import Sequence

import numpy as np

from heatmap_research.analysis.comparison.statistics import bootstrap, planning, two_way
from heatmap_research.analysis.comparison.statistics.interval import BOTH
from heatmap_research.analysis.comparison.verdict import other_differences, tables
from heatmap_research.analysis.comparison.verdict.reading import Reading
from heatmap_research.analysis.comparison.verdict.settings import Group, seeds_of
from heatmap_research.analysis.comparison.verdict.verdict import Verdict

METHOD_OF_AP = "two-way random effects, images by bootstrap"
Groups = tuple[Group, ...]
Pair = tuple[Groups, Groups, tuple[str, ...]]  # in the same settings; what is averaged over


def compare(
    reading: Reading, pair: Pair, level: float, by: str = "arm", margin: float | None = None
) -> Verdict:
    """The verdict as if there were no other; a family adjusts its p values.

    The two sides are paired by seed; of several settings each counts alike.
    """
    one, other, over = pair
    seeds = seeds_of(*one, *other)
    squares, images = _squares(reading, one, other, seeds)
    method = two_way.METHOD if reading.metric != "AP" else METHOD_OF_AP
    interval = two_way.interval(squares, BOTH, level, method)
    equal = needed = None
    if margin is not None:
        equal = interval.p_equivalence(margin)
        needed = planning.seeds_needed(squares, margin, level) if len(seeds) > 1 else None
    return Verdict(
        arm=one[0].arm,
        other=other[0].arm,
        unit=reading.unit,
        higher_is_better=reading.higher_is_better,
        decoder="/".join(dict.fromkeys(map(reading.decoder, one))),
        other_decoder="/".join(dict.fromkeys(map(reading.decoder, other))),
        setting=() if over else one[0].setting,
        over=over,
        seeds=seeds,
        images=images,
        interval=interval,
        p_holm=interval.p,
        margin=margin,
        p_equivalent=equal,
        detectable=planning.detectable(interval),
        seeds_needed=needed,
        notes=_notes(one, other, seeds, by),
    )


def _squares(
    reading: Reading, one: Groups, other: Groups, seeds: Sequence[int]
) -> tuple[two_way.MeanSquares, int]:
    """The mean squares of the differences, and on how many images these are known."""
    squares, images = (_ap if reading.metric == "AP" else _mean)(reading, one, other, seeds)
    for pair in zip(one, other, strict=True):
        _refuse_other_truth(reading, pair, seeds)
    if len(seeds) == images == 1:
        raise ValueError("one seed and one image say nothing of others: give more of either.")
    return squares, images


def _notes(one: Groups, other: Groups, seeds: Sequence[int], by: str) -> tuple[str, ...]:
    notes = [other_differences.note(list(zip(one, other, strict=True)), by)]
    every = {seed for group in one + other for seed in group.runs}
    if left := ", ".join(map(str, sorted(every - set(seeds)))):
        notes.append(f"Seeds that not all of these runs have are left out: {left}")
    return tuple(filter(None, notes))


def _refuse_other_truth(reading: Reading, groups: Groups, seeds: Sequence[int]) -> None:
    """Seeds must have the same truth too: a seed is crossed with images that all seeds meet."""
    (first, by), *rest = reading.runs(groups, seeds)
    for run, decoder in rest:
        if what := reading.truth(first, by).less(reading.truth(run, decoder)):
            why = other_differences.of_data(first, run)
            raise ValueError(
                f"{reading.stage} images of {first.name} and {run.name} have the same numbers, but "
                f"not the same truth, and are not compared: {what}{why and f'; {why}'}."
            )


def _mean(
    reading: Reading, one: Groups, other: Groups, seeds: Sequence[int]
) -> tuple[two_way.MeanSquares, int]:
    per_image = [reading.table(*each) for each in reading.runs(one + other, seeds)]
    tables.refuse_empty(reading.metric, reading.stage, per_image)
    cells, images = tables.cells(per_image)
    by_group = cells.reshape(len(one + other), len(seeds), -1)
    sides = by_group[: len(one)], by_group[len(one) :]
    return two_way.mean_squares(sides[0].mean(0) - sides[1].mean(0)), images


def _ap(
    reading: Reading, one: Groups, other: Groups, seeds: Sequence[int]
) -> tuple[two_way.MeanSquares, int]:
    runs = reading.runs(one + other, seeds)
    drawn = [reading.drawn(*each) for each in runs]
    images = drawn[0].images
    for (run, _), each in zip(runs, drawn, strict=True):
        if not np.array_equal(images, each.images):
            raise ValueError(
                f"{runs[0][0].name} and {run.name} were evaluated on different images: AP is "
                "compared on the same ones."
            )
    signs = np.repeat([1 / len(one), -1 / len(other)], [len(one), len(other)])
    aps = np.array([each.aps for each in drawn]).reshape(len(signs), len(seeds), -1)
    differences = np.tensordot(signs, aps, axes=1).T
    if np.isnan(differences[0]).any():
        raise ValueError("there is nobody to be found, and so no AP to compare.")
    resampled = differences[np.isfinite(differences.sum(axis=1))][1:]  # of images with people
    return bootstrap.mean_squares(differences[0], resampled, len(images)), len(images)
