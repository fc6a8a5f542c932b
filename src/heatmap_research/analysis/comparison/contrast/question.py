"""A question that was asked before a study ran, and its answer in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from heatmap_research.analysis.comparison.contrast import ground
from heatmap_research.analysis.comparison.contrast.answer import Estimate, estimate
from heatmap_research.analysis.comparison.contrast.factors import Derived, of_runs
from heatmap_research.analysis.comparison.contrast.protocols import Contrast
from heatmap_research.analysis.comparison.statistics.families import holm
from heatmap_research.analysis.comparison.statistics.planning import detectable, seeds_needed
from heatmap_research.analysis.comparison.verdict import wording
from heatmap_research.analysis.comparison.verdict.reading import Reading
from heatmap_research.runs.find import Run, evaluations

MEANT = ("below", "above", "within")
SHARE = "% of the image's side"


@dataclass(frozen=True)
class Question:
    """The answer is yes if the contrast lies where `yes_if` says: below 0, above, in the margin."""

    asks: str
    contrast: Contrast
    yes_if: str
    margin: float  # in the contrast's unit: what is less does not matter
    expected: str
    refuted: str  # what would show that the expectation is wrong
    family: Mapping[str, Contrast] = field(default_factory=dict)
    metric: str = "pixel_error"
    decoder: str | None = None
    per_image: bool = False  # errors in percent of the image's side, not in pixels
    factors: Derived = field(default_factory=dict)
    of_evaluations: bool = False  # on other data (`also`), in place of the runs' own
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.yes_if not in MEANT:
            raise ValueError(f"question.yes_if={self.yes_if}: choose {', '.join(MEANT)}.")
        if not self.margin > 0:
            raise ValueError(f"question.margin={self.margin:g}: it must be greater than 0.")
        if not 0.5 < self.level < 1:
            raise ValueError(f"question.level={self.level:g}: give a share such as 0.95.")
        if not self.asks.strip().endswith("?"):
            raise ValueError(f"question.asks={self.asks}: a question ends with a question mark.")

    def answer(self, runs: Sequence[Run], stage: str = "test") -> "Answers":
        """The contrast alone, and its family, whose p values are adjusted among themselves."""
        own = [run for run in runs if "trained" not in run.record]
        read = evaluations(runs) if self.of_evaluations else own
        done = [run for run in read if run.status == "finished"]
        if not done:
            what = "evaluation on other data (`also`)" if self.of_evaluations else "run"
            raise ValueError(f"question: no {what} has finished.")
        reading = Reading(self.metric, self.decoder, stage, 1000)
        lead = self._answered("", self.contrast, done, reading)
        notes = list(ground.notes(lead.estimate.groups, reading, self))
        others = []
        for name, contrast in self.family.items():
            try:
                others.append(self._answered(name, contrast, done, reading))
            except ValueError as error:
                notes.append(f"Not answered: {name} ({str(error).removeprefix('question: ')[:-1]})")
        adjusted = holm([one.estimate.interval.p for one in others])
        family = [one.adjusted(p) for one, p in zip(others, adjusted, strict=True)]
        return Answers(self, lead, family, tuple(notes))

    def _answered(
        self, name: str, contrast: Contrast, runs: Sequence[Run], reading: Reading
    ) -> "Answer":
        factors = of_runs(runs, contrast.factors, self.factors)
        shares = self.per_image and reading.unit == "px"
        known = estimate(contrast, factors, reading, self.level, shares)
        ground.refuse_other_truth(known, reading)
        unit = SHARE if shares else reading.unit
        return Answer(name, contrast.words(), contrast.unit(unit), known, known.interval.p)


@dataclass(frozen=True)
class Answer:
    name: str
    what: str
    unit: str
    estimate: Estimate
    p: float  # adjusted for a family, if it is one of a family

    def adjusted(self, p: float) -> "Answer":
        return Answer(self.name, self.what, self.unit, self.estimate, p)

    @property
    def words(self) -> str:
        known = self.estimate
        size = wording.number(known.interval.estimate, known.interval)
        spread = wording.covering(
            known.interval, self.unit, len(known.seeds), known.images, signed=True
        )
        return f"{self.what} is {size} {self.unit} ({spread}; {wording.chance(self.p)})"


@dataclass(frozen=True)
class Answers:
    question: Question
    lead: Answer
    family: Sequence[Answer]
    notes: tuple[str, ...]  # what has to be known with the first sentence

    @property
    def said(self) -> Literal["Yes", "No", "Undecided"]:
        interval, margin = self.lead.estimate.interval, self.question.margin
        chance = 1 - self.question.level
        inside = interval.p_equivalence(margin) < chance
        outside = interval.p < chance and abs(interval.estimate) > margin
        if self.question.yes_if == "within":
            return "Yes" if inside else "No" if outside else "Undecided"
        if interval.p < chance and not inside:
            below = interval.estimate < 0
            return "Yes" if below == (self.question.yes_if == "below") else "No"
        return "No" if inside else "Undecided"

    @property
    def words(self) -> str:
        """The answer in one sentence, and after it what it takes to decide."""
        parts = [f"{self.question.asks} {self.said}: {self.lead.words}", *self.notes]
        return ". ".join([*parts, self._margin(), *self._plan()]) + "."

    def _margin(self) -> str:
        interval, margin = self.lead.estimate.interval, self.question.margin
        chance = 1 - self.question.level
        inside = interval.p_equivalence(margin) < chance
        known = f"Whatever is less than {margin:g} {self.lead.unit} was said not to matter"
        within = wording.within(interval, chance)
        return f"{known}, and this is less ({within})" if inside else known

    def _plan(self) -> list[str]:
        if self.said != "Undecided":
            return []
        known, margin = self.lead.estimate, self.question.margin
        least = wording.number(detectable(known.interval), known.interval)
        parts = [f"{least} {self.lead.unit} would be found four times in five"]
        if len(known.seeds) > 1:
            needed = seeds_needed(known.squares, margin, self.question.level)
            more = f"about {needed} seeds" if needed else "more images, whatever the seeds"
            parts.append(f"to find {margin:g} {self.lead.unit} takes {more}")
        return ["; ".join(parts)]
