"""Figures of groups of runs, each read once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from heatmap_research.analysis.comparison.verdict import ap, tables, truth
from heatmap_research.analysis.comparison.verdict.settings import Group
from heatmap_research.analysis.comparison.verdict.tables import PerImage
from heatmap_research.analysis.comparison.verdict.truth import Truth
from heatmap_research.metrics import measures
from heatmap_research.runs.find import Run


class Drawn(NamedTuple):
    """A run's AP of all images, then of each draw."""

    images: Int[np.ndarray, " image"]
    aps: Float[np.ndarray, " draw"]
    truth: Truth


class Read(NamedTuple):
    table: PerImage
    truth: Truth


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
        """The best on val over all seeds of the group; the stage that is read has no say."""
        if id(group) not in self._chosen:
            self._chosen[id(group)] = self._choose(list(group.runs.values()))
        return self._chosen[id(group)]

    def table(self, run: Run, decoder: str) -> PerImage:
        return self._rows(run, decoder).table

    def truth(self, run: Run, decoder: str) -> Truth:
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
        sign = -1 if self.higher_is_better else 1
        told = {name: sign * self._on_val(runs, name) for name in shared}
        return min(told, key=lambda name: told[name] if np.isfinite(told[name]) else np.inf)

    def _on_val(self, runs: Sequence[Run], decoder: str) -> float:
        told = [run.metric("val", decoder, self.metric) for run in runs]
        if any(value is None for value in told):
            told = self._measured(runs, decoder)
        return float(np.mean(np.array(told, dtype=np.float64)))

    def _measured(self, runs: Sequence[Run], decoder: str) -> list[float | None]:
        """Of a metric that was not asked for when the runs were evaluated."""
        if self.metric == "AP":
            matched = [ap.matched(run, "val", decoder) for run in runs]
            return [float(one.of(np.ones((1, len(one.images))))[0]) for one in matched]
        measure = measures.named(self.metric)
        found = [(run, tables.per_image(run, "val", decoder, measure)) for run in runs]
        tables.refuse_empty(self.metric, "val", found)
        return [whole / count for whole, count in (tables.total(table) for _, table in found)]
