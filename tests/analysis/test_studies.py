"""Every study of conf/experiment asks a question that its own runs answer, first on the page."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import running
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from pairwise import each
from test_verdict import write

from heatmap_research.analysis.page import making, page
from heatmap_research.jobs import question as questions
from heatmap_research.runs.find import find

NO_STUDY = ("demo", "notebooks")  # what documents and tests read
STUDIES = [name for name in running.options("experiment") if name not in NO_STUDY]
READ_BY = ("argmax", "dark", "quarter_offset", "local_soft_argmax", "dark_blur", "rank_1", "rank_2")
SPREADS = dict.fromkeys(READ_BY, 1.0)


def loaded(study: str) -> DictConfig:
    return questions.whole(running.CONF / "experiment" / f"{study}.yaml")


def swept(study: str) -> list[dict[str, Any]]:
    """The jobs of a study, each by its swept keys."""
    parser, parameters = OverridesParser.create(), loaded(study).hydra.sweeper.params
    columns = {}
    for key, words in parameters.items():
        override = parser.parse_override(f"{key}={words}")
        columns[key] = list(override.sweep_iterator()) if override.is_sweep_override() else [words]
    return [dict(zip(columns, row, strict=True)) for row in product(*columns.values())]


def nested(values: dict[str, Any]) -> dict[str, Any]:
    return OmegaConf.to_container(OmegaConf.from_dotlist([f"{k}={v}" for k, v in values.items()]))


def write_study(study: str, folder: Path) -> None:
    """Runs as the study would leave them, but for their predictions."""
    file = loaded(study)
    asked = OmegaConf.to_container(file.question, resolve=False)
    for number, job in enumerate(job for job in swept(study) if job.get("seed", 0) < 2):
        values = {"image_size": [64, 64], "sigma": 2, "stride": 4} | job
        if "of_side" in str(values["sigma"]):
            share = float(values["sigma"].rpartition(":")[2].strip("}"))
            values["sigma"] = share * OmegaConf.create(values["image_size"])[0]
        groups = {key: value for key, value in values.items() if key in running.groups()}
        rest = {key: value for key, value in values.items() if key not in groups}
        config = nested(rest) | {"question": asked}
        choices = {"arm": "ce_2d", "head": groups.get("arm", "conv1x1")} | groups
        learnt = 300 / float(job.get("trainer.max_steps", 1000))
        more = {
            "added": learnt + 0.01 * number % 0.07,
            "spreads": SPREADS,
            "images": 12,
            "choices": choices,
        }
        run = write(folder / str(number), seed=int(job.get("seed", 0)), config=config, **more)
        for name, words in file.get("also", {}).items():
            data = OmegaConf.to_container(
                OmegaConf.merge(config, OmegaConf.from_dotlist(list(words)))
            )
            write(run / "evaluate" / name, seed=int(job["seed"]), config=data, **more)


@pytest.mark.parametrize("study", STUDIES)
def test_the_runs_of_a_study_answer_its_own_question(study, tmp_path):
    write_study(study, tmp_path)
    runs = find(tmp_path)
    asked = questions.of_runs(runs)
    assert asked is not None
    answers = asked.answer(runs)
    assert answers.words.startswith(f"{asked.asks} {answers.said}: {answers.lead.what} is ")
    family = [name for name, contrast in asked.family.items() if contrast]
    assert [one.name for one in answers.family] == family


def test_the_answer_is_the_first_that_a_page_says(tmp_path):
    write_study("layout", tmp_path)
    runs = find(tmp_path)
    answers = questions.of_runs(runs).answer(runs)
    html = page.html(making.study(runs, answers=answers), "made of planted runs")
    text = html[html.index("<main") :]
    first = text.index(answers.question.asks)
    assert first < text.index("Pairs of arms</h2>") < text.index("Set-up</h2>")
    for name in ("interaction", "1-D less 2-D, dense", "the question"):
        assert f"<td>{name}</td>" in text


@each(study=STUDIES)
def test_a_study_says_what_it_costs_and_what_would_refute_it(study):
    text = (running.CONF / "experiment" / f"{study}.yaml").read_text()
    assert "trainings" in text.partition("defaults:")[0].partition("study:")[0]
    question = loaded(study).question
    assert len(question.expected) > 10
    assert len(question.refuted) > 10
