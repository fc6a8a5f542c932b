"""Looks for the values that make a figure best: knows Optuna, and nothing of training."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna import distributions
from optuna.pruners import BasePruner
from optuna.samplers import TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from optuna.trial import Trial as Asked

from heatmap_research.config.values import is_finite
from heatmap_research.types import first_line

COUNTED = (TrialState.COMPLETE, TrialState.PRUNED)  # FAIL is one that was cut off, and is repeated


class PrunedError(Exception):
    """A trial lies behind the others so far that it is given up."""


@dataclass(frozen=True)
class Parameter:
    key: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: Sequence[Any] | None = None
    unit: str = ""
    int: bool = False  # last: it hides the type of that name

    def __post_init__(self) -> None:
        ends = (self.low, self.high)
        if self.choices is not None:
            _check_choices(self)
        elif not all(map(is_finite, ends)):
            raise ValueError("give the numbers low and high, or choices.")
        elif not self.low < self.high:  # type: ignore[operator]
            raise ValueError(f"low={self.low} is not below high={self.high}.")
        elif self.log and self.low <= 0:  # type: ignore[operator]
            raise ValueError(f"low={self.low}: a logarithmic range lies above 0.")
        elif self.int and any(end != round(end) for end in ends):  # type: ignore[arg-type]
            raise ValueError(f"low={self.low} and high={self.high}: give whole numbers for int.")

    @property
    def distribution(self) -> distributions.BaseDistribution:
        if self.choices is not None:
            return distributions.CategoricalDistribution(tuple(self.choices))
        if self.int:
            return distributions.IntDistribution(*map(round, self.ends), log=self.log)
        return distributions.FloatDistribution(*self.ends, self.log)

    @property
    def ends(self) -> tuple[Any, Any]:
        ends = self.choices or (self.low, self.high)
        return ends[0], ends[-1]


@dataclass
class TrialReport:
    """Takes what an objective reports while it is at work; raises PrunedError where it may stop."""

    trial: Asked
    steps: int = 0  # spent so far
    facts: dict[str, Any] = field(default_factory=dict)  # to be kept with the trial

    def __call__(self, step: int, value: float) -> None:
        self.steps = step
        self.trial.report(value, step)
        if self.trial.should_prune():
            raise PrunedError(f"at step {step}, with {value:.4g}")


Objective = Callable[[int, dict[str, Any], TrialReport], float]  # number and values of a trial
Errors = tuple[type[Exception], ...]


@dataclass(frozen=True)
class Trial:
    number: int  # from 0; those that were cut off and repeated have none
    values: dict[str, Any]
    status: str  # finished, pruned or failed
    figure: float | None  # of a finished one
    steps: int
    reported: dict[int, float]  # by step
    error: str | None
    facts: dict[str, Any]


@dataclass(frozen=True)
class Search:
    space: tuple[Parameter, ...]
    trials: int  # those that were pruned or failed count
    seed: int
    pruner: BasePruner
    startup: int = 10  # trials drawn at random before past ones guide
    maximise: bool = False

    def run(self, objective: Objective, study: Study, fatal: Errors = ()) -> list[Trial]:
        """Goes on with a study until its trials are spent; errors that are not fatal are kept.

        A trial's draw depends on those before it alone: one that was cut off is drawn again alike.
        """
        for left in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(left.number, state=TrialState.FAIL)
        study.pruner = self.pruner
        while (number := len(study.get_trials(deepcopy=False, states=COUNTED))) < self.trials:
            seed = (self.seed * 100_003 + number) % 2**32
            study.sampler = TPESampler(n_startup_trials=self.startup, seed=seed)
            asked = study.ask({each.key: each.distribution for each in self.space})
            _attempt(objective, study, asked, number, fatal)
        return trials(study)

    def best(self, trials: Sequence[Trial]) -> Trial | None:
        finished = [trial for trial in trials if trial.figure is not None]
        sign = -1 if self.maximise else 1
        return min(finished, key=lambda trial: sign * trial.figure, default=None)  # type: ignore[operator]


def trials(study: Study) -> list[Trial]:
    return [_read(n, trial) for n, trial in enumerate(study.get_trials(states=COUNTED))]


def _attempt(objective: Objective, study: Study, asked: Asked, number: int, fatal: Errors) -> None:
    report = TrialReport(asked)
    error, value = None, None
    try:
        value = objective(number, dict(asked.params), report)
        if not math.isfinite(value):
            error, value = f"its figure is {value}", None
    except PrunedError:
        pass
    except BaseException as stop:
        if isinstance(stop, fatal) or not isinstance(stop, Exception):
            study.tell(asked, state=TrialState.FAIL)
            raise
        error = f"{type(stop).__name__}: {first_line(stop)}"
    for name, fact in (report.facts | {"steps": report.steps, "error": error}).items():
        asked.set_user_attr(name, fact)
    # a failure teaches the sampler as a pruned trial does: where not to look
    study.tell(asked, value, TrialState.PRUNED if value is None else TrialState.COMPLETE)


def _read(number: int, trial: FrozenTrial) -> Trial:
    facts = dict(trial.user_attrs)
    steps, error = facts.pop("steps"), facts.pop("error")
    finished = trial.state == TrialState.COMPLETE
    status = "finished" if finished else "failed" if error else "pruned"
    figure = trial.value if finished else None
    values, reported = dict(trial.params), dict(trial.intermediate_values)
    return Trial(number, values, status, figure, steps, reported, error, facts)


def _check_choices(parameter: Parameter) -> None:
    choices = parameter.choices
    if parameter.low is not None or parameter.high is not None:
        raise ValueError("give either low and high or choices, not both.")
    plain = (str, float, int, bool, type(None))
    if not isinstance(choices, (list, tuple)) or not all(isinstance(one, plain) for one in choices):
        raise ValueError(f"choices={choices}: give a list of numbers or words.")
    if not choices:
        raise ValueError("choices=[]: give at least one.")
