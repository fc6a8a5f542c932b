"""The question that an experiment asks: from its runs' records, or from its file in conf/."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from heatmap_research.analysis.comparison.contrast.product import Product
from heatmap_research.analysis.comparison.contrast.question import Answers, Question
from heatmap_research.analysis.comparison.verdict.reading import Reading
from heatmap_research.config import instantiate, yaml_file
from heatmap_research.config.conf import conf_folder
from heatmap_research.runs.find import Run
from heatmap_research.types import IncompatibleError, in_a_line

log = logging.getLogger(__name__)


def made(node: Any) -> Question:
    """The question that a part of a config asks; refuses what cannot be meant.

    A null takes a contrast out of the family of the study that this one begins with.
    """
    _refuse_without_target(node, "question", Question)
    family = {name: one for name, one in (node.get("family") or {}).items() if one is not None}
    for name, contrast in {"contrast": node.get("contrast"), **family}.items():
        _refuse_without_target(contrast, f"question: {name}", Product)
    found: Question = instantiate.instantiate({**node, "family": family}, "question")
    with instantiate.making("question"):
        _kind(found.metric)
    return found


def of_file(name: str) -> Question:
    """The question of `conf/experiment/NAME.yaml`, or of another YAML file."""
    given = Path(name)
    file = given if given.suffix == ".yaml" else conf_folder() / "experiment" / f"{name}.yaml"
    if not file.is_file():
        known = sorted(each.stem for each in (conf_folder() / "experiment").glob("*.yaml"))
        raise ValueError(
            f"--question {name}: there is no such file; give a YAML file with a key `question`, or "
            f"one of {', '.join(known)}."
        )
    try:
        node = OmegaConf.select(whole(file), "question")
    except (OmegaConfBaseException, AttributeError) as error:
        raise ValueError(f"--question {name}: it is no YAML: {in_a_line(error)}") from error
    if node is None:
        raise ValueError(f"--question {name}: {file} asks none (a key `question`).")
    return made(node)


def whole(file: Path) -> Any:
    """A study's file with those of its folder that it begins with."""
    node: Any = yaml_file.load(file)
    named = [each for each in node.get("defaults", ()) if isinstance(each, str)]
    bases = [each for each in named if each != file.stem and file.with_stem(each).is_file()]
    return OmegaConf.merge(*(whole(file.with_stem(each)) for each in bases), node)


def of_runs(runs: Sequence[Run]) -> Question | None:
    """What the runs were made to answer, if all of them say the same."""
    asked = {repr(node): node for run in runs if (node := run.record["config"].get("question"))}
    if len(asked) > 1:
        log.warning("The runs were made for different questions: give one with --question.")
        return None
    try:
        return made(next(iter(asked.values()))) if asked else None
    except IncompatibleError as error:
        log.warning(f"The runs' question cannot be read: {error} Mend a file, --question FILE.")
        return None


def asked_of(runs: Sequence[Run], name: str | None) -> Question | None:
    """The question of a file if it is named, else the runs' own."""
    return of_runs(runs) if name is None else of_file(name)


def answered(runs: Sequence[Run], name: str | None, metric: str | None = None) -> Answers | None:
    """The answer, by another metric if one is given.

    One that cannot be had from these runs is said, and refused if it was asked for by name.
    """
    question = asked_of(runs, name)
    if question is None:
        return None
    if metric is not None and _kind(metric) != _kind(question.metric):
        log.warning(
            f"--metric {metric}: the question's margin and answer are of {question.metric}, and "
            "are not asked of another unit."
        )
        return None
    question = replace(question, metric=metric or question.metric)
    try:
        return question.answer(runs)
    except ValueError as error:
        if name is not None:
            raise
        log.warning(f"The question of these runs is not answered: {error}")
        return None


def _refuse_without_target(node: Any, path: str, usual: type) -> None:
    """Refuses a part of the config that would stay a dictionary."""
    if not (isinstance(node, Mapping) and "_target_" in node):
        raise IncompatibleError(
            f"{path}: give it a _target_, such as {usual.__module__}.{usual.__name__}."
        )


def _kind(metric: str) -> tuple[str, bool]:
    """A metric's unit, and whether more of it is better."""
    read = Reading(metric, None, "test", 1000)
    return read.unit, read.higher_is_better
