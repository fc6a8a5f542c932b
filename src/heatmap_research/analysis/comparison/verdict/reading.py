"""A metric read from groups of runs, by one decoder each; nothing is read twice."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from heatmap_research.analysis.comparison.verdict import ap, tables, truth
from heatmap_research.analysis.comparison.verdict.settings import Group
from heatmap_research.analysis.comparison.verdict.tables import PerImage
from heatmap_research.analysis.comparison.verdict.truth import TrueJoints
from heatmap_research.metrics import measures
from heatmap_research.runs.best import best
from heatmap_research.runs.find import Run


class Drawn(NamedTuple):
    """A run's AP of all images, then of each draw of images."""

    images: Int[np.ndarray, " image"]
    aps: Float[np.ndarray, " draw"]
    truth: TrueJoints


class Read(NamedTuple):
    table: PerImage
    truth: TrueJoints


@dataclass(frozen=True, eq=False)
class Reading:
    metric: str
    given: str | None  # decoder
    stage: str
    resamples: int
    _chosen: dict[int, str] = field(default_factory=dict)
    _read: dict[tuple[int, str], Read] = field(default_factory=dict)
    _drawn: dict[tuple[int, str], Drawn] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.metric != "AP":
            measures.named(self.metric)

    @property
    def unit(self) -> str:
        return "AP" if self.metric == "AP" else measures.named(self.metric).unit

    @property
    def higher_is_better(self) -> bool:
        return self.metric == "AP" or measures.named(self.metric).higher_is_better

    def decoder(self, group: Group) -> str:
        """The decoder that is best on val over all seeds of a group, or the one that was given."""
        if id(group) not in self._chosen:
            self._chosen[id(group)] = self._choose(list(group.runs.values()))
        return self._chosen[id(group)]

    def table(self, run: Run, decoder: str) -> PerImage:
        return self._rows(run, decoder).table

    def truth(self, run: Run, decoder: str) -> TrueJoints:
        if self.metric == "AP":
            return self.drawn(run, decoder).truth
        return self._rows(run, decoder).truth

    def drawn(self, run: Run, decoder: str) -> Drawn:
        key = (id(run), decoder)
        if key not in self._drawn:
            people, images = ap.people(run, self.stage)
            aps = ap.resampled(ap.among(people, images, run, self.stage, decoder), self.resamples)
            self._drawn[key] = Drawn(images, aps, truth.of_people(people))
        return self._drawn[key]

    def measured(self, runs: Sequence[Run], stage: str, decoder: str) -> list[float]:
        """The metric from what runs have stored, whether or not they were evaluated by it."""
        if self.metric == "AP":
            return [ap.of_all(ap.matched(run, stage, decoder)) for run in runs]
        measure = measures.named(self.metric)
        per_image = [(run, tables.per_image(run, stage, decoder, measure)) for run in runs]
        tables.refuse_empty(self.metric, stage, per_image)
        return [whole / count for whole, count in (tables.total(each) for _, each in per_image)]

    def _rows(self, run: Run, decoder: str) -> Read:
        key = (id(run), decoder)
        if key not in self._read:
            measure = measures.named(self.metric)
            columns = tables.rows(run, self.stage, decoder, measure)
            table = tables.summed(run, columns, measure)
            self._read[key] = Read(table, truth.of_rows(columns))
        return self._read[key]

    def _choose(self, runs: Sequence[Run]) -> str:
        shared = [name for name in runs[0].decoders if all(name in run.decoders for run in runs)]
        if self.given is not None:
            if self.given not in shared:
                raise ValueError(
                    f"decoder={self.given}: {runs[0].name} was not read by it; choose one of "
                    f"{', '.join(shared)}, or none for the best on val."
                )
            return self.given
        if len(shared) < 2:
            return shared[0]
        figures = {name: self._on_val(runs, name) for name in shared}
        return best(figures, "max" if self.higher_is_better else "min") or shared[0]

    def _on_val(self, runs: Sequence[Run], decoder: str) -> float:
        told = [run.metric("val", decoder, self.metric) for run in runs]
        known = [value for value in told if value is not None]
        if len(known) < len(runs):
            known = self.measured(runs, "val", decoder)
        return float(np.mean(known))
