"""Whether cells stand on equal ground: the same true joints, the same budget, all of it learnt."""

import contextlib
from collections.abc import Sequence
from statistics import mean
from typing import TYPE_CHECKING

import numpy as np

from heatmap_research.analysis.comparison.contrast.answer import Estimate
from heatmap_research.analysis.comparison.verdict.reading import Reading
from heatmap_research.analysis.comparison.verdict.settings import Group, first
from heatmap_research.runs import curves, record
from heatmap_research.runs.find import Run, varied

if TYPE_CHECKING:
    from heatmap_research.analysis.comparison.contrast.question import Question

STILL_FALLING = 0.2  # share of its error that an arm loses with the last doubling of its steps
STEPS = "trainer.max_steps"
SAME = (STEPS, "data.batch_size", "image_size")  # to be said if they differ
Read = Sequence[tuple[Group, str]]


def refuse_other_truth(known: Estimate, reading: Reading) -> None:
    """Refuses cells of the same data whose true joints differ."""
    seen: dict[str, tuple[Run, str]] = {}
    for group, decoder in known.groups:
        for seed in known.seeds:
            run = group.runs[seed]
            reference, by = seen.setdefault(_data(run), (run, decoder))
            if what := reading.truth(reference, by).less(reading.truth(run, decoder)):
                raise ValueError(
                    f"question: {reading.stage} images of {reference.name} and {run.name} have the "
                    f"same numbers, but not the same truth, and are not compared: {what}."
                )


def notes(groups: Read, reading: Reading, question: "Question") -> tuple[str, ...]:
    named = {key for f in question.contrast.factors for key in question.factors.get(f, {f: None})}
    falling = None if STEPS in named else _falling(groups, reading)
    told = [f"Not converged: {falling}"] if falling else []
    unequal = [
        f"{key} differs ({', '.join(map(str, values))})"
        for key, values in varied([first(group) for group, _ in groups]).items()
        if key in SAME and key not in named
    ]
    if unequal:
        told.append(f"Not on equal ground: {'; '.join(unequal)}")
    if any(record.reads_val_twice(first(group).record["config"]) for group, _ in groups):
        told.append("Test is val here: decoders were chosen on the images that are reported")
    return tuple(told)


def _falling(groups: Read, reading: Reading) -> str:
    """Arms whose val error still falls, by what its course within a run tells.

    The rate falls towards the end of a run too, so this errs on the side of saying so.
    """
    told: dict[str, tuple[float, float]] = {}  # an arm's error and share lost, by its best decoder
    for group, decoder in groups:
        with contextlib.suppress(ValueError, OSError):
            ends = [_end(run, f"val/{decoder}/{reading.metric}") for run in group.runs.values()]
            error, lost = map(mean, zip(*ends, strict=True))
            if group.arm not in told or error < told[group.arm][0]:
                told[group.arm] = error, lost
    falling = {arm: lost for arm, (_, lost) in told.items() if lost > STILL_FALLING}
    said = [f"{arm} lost {100 * lost:.0f} % of its val error" for arm, lost in falling.items()]
    return " and ".join(said) + " with the last doubling of its steps" * bool(said)


def _end(run: Run, column: str) -> tuple[float, float]:
    """The error at the end, and the share of it that the last doubling of the steps took away."""
    course = curves.read(run, column)
    half = np.interp(np.log(course.step[-1] / 2), np.log(course.step), course.value)
    if course.step[0] > course.step[-1] / 2:
        raise ValueError(f"{run.name}: val was not measured in the first half of its steps.")
    return course.value[-1], float(1 - course.value[-1] / half)


def _data(run: Run) -> str:
    keys = ("data.test", "data.val", "image_size", "geometry", "joints")
    return repr([run.value(key) for key in keys])
