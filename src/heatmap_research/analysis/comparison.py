"""Arms side by side, from the folders their runs left."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from heatmap_research.run_store import RunStore


@dataclass(frozen=True)
class Run:
    store: RunStore
    record: dict[str, Any]

    @property
    def arm(self) -> str:
        return self.record["choices"]["arm"]

    @property
    def seed(self) -> int:
        return self.record["seed"]

    @property
    def stride(self) -> float:
        return float(self.record["config"]["stride"])

    def error(self, stage: str, decoder: str) -> float:
        return self.record["metrics"][stage][decoder]["pixel_error"]


@dataclass(frozen=True)
class Arm:
    """The runs of one arm, which differ in their seed only."""

    name: str
    runs: Sequence[Run]

    @property
    def decoders(self) -> list[str]:
        return list(self.runs[0].record["decoders"])

    @property
    def chosen(self) -> str:
        """The best decoder on val; test has no say in it."""
        return min(self.decoders, key=lambda decoder: self.mean("val", decoder))

    def errors(self, stage: str, decoder: str) -> list[float]:
        return [run.error(stage, decoder) for run in self.runs]

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
        """Mean error of the middle of the right bin, (sqrt 2 + asinh 1) / 6 of a stride."""
        return 0.3826 * self.runs[0].stride


def read_arms(folder: Path) -> list[Arm]:
    """In the order in which they were run."""
    stores = [RunStore(record.parent) for record in folder.rglob("run.json")]
    runs = [Run(store, store.read()) for store in stores if store.folder.parent.name != "evaluate"]
    runs = sorted(
        (run for run in runs if run.record["status"] == "finished"),
        key=lambda run: run.store.record.stat().st_mtime,
    )
    names = dict.fromkeys(run.arm for run in runs)
    return [Arm(name, [run for run in runs if run.arm == name]) for name in names]
