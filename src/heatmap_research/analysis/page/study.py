"""What a page shows: runs in groups that differ in their seed only, read by one metric."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

from heatmap_research.analysis.comparison.contrast.question import Answers
from heatmap_research.analysis.comparison.verdict.reading import Reading
from heatmap_research.analysis.comparison.verdict.settings import Group, first
from heatmap_research.analysis.comparison.verdict.verdict import Verdict
from heatmap_research.drawing.example import Example
from heatmap_research.runs.find import Run
from heatmap_research.runs.table import MeanOfRuns, mean_of_runs


@dataclass(frozen=True, eq=False)
class Seen:
    """What only a group's network can tell; `missing` says why some of it is not known."""

    lines: tuple[tuple[float, float], ...] | None = None  # y, x: pixel of bin 0, pixels per bin
    layout: int | None = None  # axes of a map; 0: coordinates
    output_bytes: int | None = None  # of an image, in single precision
    latency: float | None = None  # seconds
    examples: tuple[Example, ...] = ()
    missing: str | None = None
    floors: Mapping[str, float] = field(default_factory=dict)  # of decoders, crop pixels


NOTHING = Seen(missing="no network was looked at")


@dataclass(frozen=True, eq=False)
class Study:
    runs: Sequence[Run]
    by: str  # what tells arms apart
    groups: Sequence[Group]
    reading: Reading
    margin: float | None
    verdicts: Sequence[Verdict]
    silent: str | None  # why there are no verdicts
    answers: Answers | None = None  # to the question that the runs were made for
    seen: Mapping[Path, Seen] = field(default_factory=dict)  # by the folder of a group's first run
    commands: Mapping[Path, str] = field(default_factory=dict)  # by folder of a run or of a sweep
    _read: dict[tuple[Path, str, str], float | None] = field(default_factory=dict)

    @property
    def arms(self) -> list[str]:
        return list(dict.fromkeys(group.arm for group in self.groups))

    @property
    def name(self) -> str:
        """The metric in words."""
        return "mean error" if self.reading.metric == "pixel_error" else self.reading.metric

    @property
    def figure(self) -> str:
        """The metric as the label of an axis."""
        unit = self.reading.unit
        return f"{self.name} on test{f', {unit}' if unit != self.reading.metric else ''}"

    @property
    def keys(self) -> list[str]:
        """Names of the settings, which are the same in every group."""
        return [key for key, _ in self.groups[0].setting]

    def seen_of(self, group: Group) -> Seen:
        return self.seen.get(first(group).folder, NOTHING)

    def decoder(self, group: Group) -> str:
        return self.reading.decoder(group)

    def values(self, group: Group, stage: str, decoder: str | None = None) -> dict[int, float]:
        """The metric by seed, for the runs in which it is known."""
        name = decoder or self.decoder(group)
        values = {seed: self._value(run, stage, name) for seed, run in group.runs.items()}
        return {seed: value for seed, value in sorted(values.items()) if value is not None}

    def spread(self, group: Group, stage: str, decoder: str | None = None) -> MeanOfRuns | None:
        return mean_of_runs(list(self.values(group, stage, decoder).values()))

    def best(self, groups: Sequence[Group]) -> Group:
        """The group that is best on val, by the decoder chosen there; test has no say in it."""
        sign = -1 if self.reading.higher_is_better else 1
        known = {id(g): mean(v.values()) for g in groups if (v := self.values(g, "val"))}
        return min(groups, key=lambda g: sign * known[id(g)] if id(g) in known else float("inf"))

    def shown(self) -> list[Group]:
        """Each arm's best group on val, with the same data and image size if all were run so."""
        asked = [_conditions(group) for group in self.groups]
        own = [[group for group in self.groups if group.arm == arm] for arm in self.arms]
        shared = (c for c in asked if all(c in map(_conditions, groups) for groups in own))
        wanted = next(shared, None)
        return [self.best([g for g in each if wanted in (None, _conditions(g))]) for each in own]

    def _value(self, run: Run, stage: str, decoder: str) -> float | None:
        key = (run.folder, stage, decoder)
        if key not in self._read:
            self._read[key] = run.metric(stage, decoder, self.reading.metric)
            with suppress(ValueError, OSError):
                if self._read[key] is None:
                    self._read[key] = self.reading.measured([run], stage, decoder)[0]
        return self._read[key]


def label(group: Group) -> str:
    return ", ".join([group.arm, *(f"{key}={words(value)}" for key, value in group.setting)])


def labels(groups: Sequence[Group]) -> str:
    return "; ".join(map(label, groups))


def words(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _conditions(group: Group) -> str:
    """The settings that make a test harder or easier, whatever the arm."""
    asked = [(k, v) for k, v in group.setting if k.partition(".")[0] in ("data", "image_size")]
    return repr(asked)
