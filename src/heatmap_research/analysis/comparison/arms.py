"""Arms, from the folders that their runs left."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from heatmap_research.analysis.theory.laws import quantisation
from heatmap_research.runs.find import Run, find


@dataclass(frozen=True)
class Arm:
    """The runs of one arm, which differ in their seed only."""

    name: str
    runs: Sequence[Run]

    @property
    def decoders(self) -> list[str]:
        return self.runs[0].decoders

    @property
    def chosen(self) -> str:
        """The best decoder on val."""
        return min(self.decoders, key=lambda decoder: self.mean("val", decoder))

    def errors(self, stage: str, decoder: str) -> list[float]:
        return [run.record["metrics"][stage][decoder]["pixel_error"] for run in self.runs]

    def mean(self, stage: str, decoder: str) -> float:
        return mean(self.errors(stage, decoder))

    def spread(self, stage: str, decoder: str) -> float:
        errors = self.errors(stage, decoder)
        return max(errors) - min(errors)

    @property
    def seconds(self) -> float:
        return mean(run.record["seconds"] for run in self.runs)

    @property
    def parameters(self) -> int:
        return self.runs[0].record["parameters"]

    @property
    def floor(self) -> float:
        """The mean error in pixels of answering with the middle of the right bin."""
        stride = self.runs[0].stride
        return quantisation.mean_distance(stride, stride)


def read_arms(folder: Path) -> list[Arm]:
    """The arms of finished runs, in the order in which they were run."""
    finished = [run for run in find(folder) if run.status == "finished"]
    finished.sort(key=lambda run: (run.folder / "run.json").stat().st_mtime)
    names = dict.fromkeys(run.arm for run in finished)
    return [Arm(name, [run for run in finished if run.arm == name]) for name in names]
