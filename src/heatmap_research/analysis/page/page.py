"""The page as a whole: one file, which asks nothing of a network."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from heatmap_research.analysis.page import (
    arms,
    budgets,
    cumulative,
    decoders,
    environment,
    factors,
    jobs,
    learning,
    pareto,
    phases,
    samples,
    verdicts,
    widths,
)
from heatmap_research.analysis.page.parts import MEASURED, Numbers, Section
from heatmap_research.analysis.page.study import Study
from heatmap_research.drawing.style import COLOURS

MARK = '<meta name="generator" content="heatmap-report">'
DARK = ("#6f9fe0", "#8cc8f5", "#f08a66", "#f2c25c", "#86c674", "#c58ad8")  # COLOURS by night
SECTIONS = (
    *(verdicts, arms, factors, widths, decoders, cumulative, phases, pareto, budgets, learning),
    *(samples, jobs, environment),
)


def html(study: Study, made: str) -> str:
    """`made` says when and of what."""
    sections = [each.section(study) for each in SECTIONS]
    numbers = Numbers()
    own = files(__package__)
    return Template(own.joinpath("page.html").read_text()).substitute(
        mark=MARK,
        title=escape(_title(study)),
        css=own.joinpath("page.css").read_text(),
        js=own.joinpath("page.js").read_text(),
        light=_colours(COLOURS),
        dark=_colours(DARK),
        head=_head(study),
        made=f"<p class=note{MEASURED}>{escape(made)}</p>",
        contents=_contents(sections),
        sections="\n".join(section.html(numbers) for section in sections),
    )


def is_ours(file: Path) -> bool:
    """Whether it may be written anew."""
    with file.open(encoding="utf-8", errors="replace") as text:
        return MARK in text.read(2000)


def _title(study: Study) -> str:
    studies = dict.fromkeys(run.study for run in study.runs if run.study)
    named = ", ".join(studies) or "A sweep"
    return f"{named}: {', '.join(study.arms)}"


def _head(study: Study) -> str:
    lost = jobs.lost(study)
    told = "".join(f"<li>{escape(line)}</li>" for line in lost)
    warned = f'<div class="warning"><b>Not finished:</b><ul>{told}</ul></div>' if lost else ""
    return f"<p>{escape(jobs.tally(study))} Read by {escape(study.name)}.</p>{warned}"


def _contents(sections: Sequence[Section]) -> str:
    return "".join(f'<a href="#{each.key}">{escape(each.title)}</a>' for each in sections)


def _colours(colours: Sequence[str]) -> str:
    return " ".join(f"--c{place}: {colour};" for place, colour in enumerate(colours))
