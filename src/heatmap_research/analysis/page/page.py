"""The page as a whole: one file, which asks nothing of a network."""

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from heatmap_research.analysis.page.glossary import glossed
from heatmap_research.analysis.page.parts import Section
from heatmap_research.analysis.page.sections import (
    answers,
    arms,
    budgets,
    costs,
    decoders,
    errors,
    factors,
    learning,
    one_run,
    parts_of_error,
    provenance,
    samples,
    setup,
    verdicts,
    widths,
    words,
)
from heatmap_research.analysis.page.study import Study
from heatmap_research.drawing.style import COLOURS

GENERATOR = "heatmap-report"  # by which a page is known again
DARK = ("#6f9fe0", "#8cc8f5", "#f08a66", "#f2c25c", "#86c674", "#c58ad8")  # COLOURS by night
SECTIONS: tuple[Callable[[Study], Section | None], ...] = (
    *(answers.section, verdicts.section, setup.section, arms.section, factors.section),
    *(widths.section, decoders.section, errors.cumulative, errors.by_phase, costs.section),
    *(budgets.section, learning.section, samples.section, provenance.jobs),
    *(provenance.environment, words.section),
)
OF_A_RUN: tuple[Callable[[Study], Section | None], ...] = (
    *(one_run.box, setup.section, parts_of_error.by_joint, parts_of_error.by_size),
    *(decoders.section, errors.cumulative, errors.by_phase, budgets.section, learning.section),
    *(samples.section, provenance.environment, words.section),
)
MISSED = 4  # sections before the people that are missed most
TEMPLATES = Environment(
    loader=PackageLoader(__package__),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters["glossed"] = glossed
TEMPLATES.filters["template"] = lambda part: f"{type(part).__name__.lower()}.html"


def html(study: Study, made: str) -> str:
    """`made` says when the page was made, and from which folders."""
    studies = dict.fromkeys(run.study for run in study.runs if run.study)
    named = ", ".join(studies) or "A sweep"
    sections = [part for section in SECTIONS if (part := section(study)) is not None]
    return _rendered(study, f"{named}: {', '.join(study.arms)}", made, sections)


def html_of_run(study: Study, made: str, missed: Section) -> str:
    """The page of a study that is one run."""
    sections = [part for section in OF_A_RUN if (part := section(study)) is not None]
    sections.insert(MISSED, missed)
    return _rendered(study, f"Run {study.runs[0].folder}", made, sections)


def _rendered(study: Study, title: str, made: str, sections: Sequence[Section]) -> str:
    return TEMPLATES.get_template("page.html").render(
        generator=GENERATOR,
        title=title,
        day=COLOURS,
        night=DARK,
        metric=study.name,
        tally=provenance.tally(study),
        lost=provenance.lost(study),
        made=made,
        sections=sections,
        figure_number=count(1).__next__,
        table_number=count(1).__next__,
    )


def is_ours(file: Path) -> bool:
    """Whether the file is such a page, so that it may be overwritten."""
    with file.open(encoding="utf-8", errors="replace") as text:
        return f'name="generator" content="{GENERATOR}"' in text.read(2000)
