"""A metric read from groups of runs, by one decoder each; nothing is read twice."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from heatmap_research.analysis.comparison.verdict import ap, kept, tables, truth
from heatmap_research.analysis.comparison.verdict.settings import Group
from heatmap_research.metrics import measures
from heatmap_research.runs.best import best
from heatmap_research.runs.find import Run


@dataclass(frozen=True, eq=False)
class Reading:
    metric: str
    given: str | None  # decoder
    stage: str
    resamples: int
    _chosen: dict[int, str] = field(default_factory=dict)
    _read: dict[tuple[int, str], tables.PerImage] = field(default_factory=dict)
    _drawn: dict[tuple[int, str], ap.Drawn] = field(default_factory=dict)

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

    def runs(self, groups: Sequence[Group], seeds: Sequence[int]) -> list[tuple[Run, str]]:
        """Every group's runs of these seeds, each with the decoder of its group."""
        return [(group.runs[seed], self.decoder(group)) for group in groups for seed in seeds]

    def table(self, run: Run, decoder: str) -> tables.PerImage:
        key = (id(run), decoder)
        if key not in self._read:
            self._read[key] = self._per_image(run, self.stage, decoder)
        return self._read[key]

    def truth(self, run: Run, decoder: str) -> truth.TrueJoints:
        return (self.drawn if self.metric == "AP" else self.table)(run, decoder).truth

    def drawn(self, run: Run, decoder: str) -> ap.Drawn:
        key = (id(run), decoder)
        if key not in self._drawn:
            self._drawn[key] = ap.drawn(run, self.stage, decoder, self.resamples)
        return self._drawn[key]

    def measured(self, runs: Sequence[Run], stage: str, decoder: str) -> list[float]:
        """The metric from what runs have stored, whether or not they were evaluated by it."""
        if self.metric == "AP":
            return [ap.of_all(ap.matched(run, stage, decoder)[0]) for run in runs]
        per_image = [self._per_image(run, stage, decoder) for run in runs]
        tables.refuse_empty(self.metric, stage, per_image)
        return [whole / count for whole, count in (each.total for each in per_image)]

    def _per_image(self, run: Run, stage: str, decoder: str) -> tables.PerImage:
        if isinstance(run, kept.KeptRun):
            return run.sums(stage, decoder, self.metric)
        return tables.per_image(run, stage, decoder, measures.named(self.metric))

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
