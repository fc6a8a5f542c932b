"""The question that the runs were made for, its answer, and the rest of its family."""

from collections.abc import Sequence

from heatmap_research.analysis.comparison.contrast.question import Answer, Answers
from heatmap_research.analysis.comparison.verdict.wording import chance, number
from heatmap_research.analysis.page import drawings
from heatmap_research.analysis.page.parts import Cell, Column, Part, Plot, Section, Table, Words
from heatmap_research.analysis.page.study import Study
from heatmap_research.drawing.style import COLOURS

SURE, UNSURE = COLOURS[4], "#888888"


def section(study: Study) -> Section | None:
    if study.answers is None:
        return None
    answers = study.answers
    parts: list[Part] = [Words(answers.words, "lead"), Words(_asked(answers), "note")]
    if answers.family:
        parts.append(_table(answers))
    alike = [one for one in answers.family if one.unit == answers.lead.unit]
    return Section("Answer", [*parts, _forest(answers, [answers.lead, *alike])])


def _asked(answers: Answers) -> str:
    question, one = answers.question, answers.lead.estimate.interval
    family = " The others are one family, with p values adjusted for it (Holm)."
    return (
        f"Said before: expected is {question.expected}; refuted by {question.refuted}. "
        f"The first answer is tested alone at {100 * (1 - question.level):.2g} %."
        f"{family * bool(answers.family)} Intervals: {one.method}; they cover {one.population}."
    )


def _table(answers: Answers) -> Table:
    columns = [
        Column("asked"),
        Column("figure"),
        Column("estimate"),
        Column("from", "lower end of the interval"),
        Column("to", "upper end of the interval"),
        Column("unit"),
        Column("p", "adjusted for all rows but the first"),
        Column("seeds"),
        Column("images"),
    ]
    level = 100 * answers.question.level
    rows = [_row(one) for one in (answers.lead, *answers.family)]
    return Table(f"The answer and its family; {level:g} % intervals of each alone.", columns, rows)


def _row(answer: Answer) -> list[Cell]:
    known = answer.estimate
    ends = (known.interval.estimate, known.interval.low, known.interval.high)
    return [
        Cell(answer.name or "the question"),
        Cell(answer.what),
        *(Cell(number(end, known.interval), end) for end in ends),
        Cell(answer.unit),
        Cell(chance(answer.p).removeprefix("p ").removeprefix("= "), answer.p),
        Cell(str(len(known.seeds)), len(known.seeds)),
        Cell(str(known.images), known.images),
    ]


def _forest(answers: Answers, shown: Sequence[Answer]) -> Plot:
    figure, axes = drawings.panel((4.8, 1.1 + 0.4 * len(shown)))
    axes.axvline(0, color="black", lw=0.8)
    margin = answers.question.margin
    axes.axvspan(-margin, margin, color="grey", alpha=0.18, lw=0)
    for place, answer in enumerate(shown):
        interval = answer.estimate.interval
        colour = SURE if answer.p < 1 - answers.question.level else UNSURE
        axes.plot([interval.low, interval.high], [place, place], color=colour, lw=2.2)
        axes.plot(interval.estimate, place, "o", color=colour, ms=6)
    axes.set_yticks(range(len(shown)), [a.name or "the question" for a in shown], fontsize=9)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlabel(answers.lead.unit)
    caption = "Estimates with their intervals. Shaded: what was said not to matter."
    return Plot(caption, [drawings.svg(figure, "Intervals of the answer and its family")])
