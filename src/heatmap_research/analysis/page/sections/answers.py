"""The question that the runs were made for, its answer, and the rest of its family."""

from collections.abc import Callable

from heatmap_research.analysis.comparison.contrast.question import Answer, Answers
from heatmap_research.analysis.comparison.verdict.wording import chance, number
from heatmap_research.analysis.page import parts
from heatmap_research.analysis.page.forest import Line, forest, legend
from heatmap_research.analysis.page.parts import Cell, Column, Part, Plot, Section, Table, Words
from heatmap_research.analysis.page.study import Study


def section(study: Study) -> Section | None:
    if study.answers is None:
        return None
    answers = study.answers
    said: list[Part] = [Words(answers.words, "lead"), Words(_asked(answers), "note")]
    table = [_table(answers)] if answers.family else []
    return Section("Answer", [*said, *table, _forest(answers)])


def _asked(answers: Answers) -> str:
    question, interval = answers.question, answers.lead.estimate.interval
    family = " The others are one family, with p values adjusted for it (Holm)."
    return (
        f"Said before: expected is {question.expected}; refuted by {question.refuted}. "
        f"The first answer is tested alone at {100 * (1 - question.level):.2g} %."
        f"{family * bool(answers.family)} Intervals: {interval.method}; they cover "
        f"{interval.population}."
    )


def _table(answers: Answers) -> Table:
    columns: dict[Column | str, Callable[[Answer], object]] = {
        "asked": lambda one: one.name or "the question",
        "figure": lambda one: one.what,
        "estimate": lambda one: _rounded(one, one.estimate.interval.estimate),
        Column("from", "lower end of the interval"): lambda one: _rounded(
            one, one.estimate.interval.low
        ),
        Column("to", "upper end of the interval"): lambda one: _rounded(
            one, one.estimate.interval.high
        ),
        "unit": lambda one: one.unit,
        Column("p", "adjusted for all rows but the first"): _chance,
        "seeds": lambda one: len(one.estimate.seeds),
        "images": lambda one: one.estimate.images,
    }
    rows = [[of(one) for of in columns.values()] for one in (answers.lead, *answers.family)]
    level = 100 * answers.question.level
    caption = f"The answer and its family; {level:g} % intervals of each alone."
    return parts.table(caption, columns, rows)


def _rounded(answer: Answer, value: float) -> Cell:
    return Cell(number(value, answer.estimate.interval), value)


def _chance(answer: Answer) -> Cell:
    return Cell(chance(answer.p).removeprefix("p ").removeprefix("= "), answer.p)


def _forest(answers: Answers) -> Plot:
    """Those in the unit of the first, and so on one axis."""
    level, unit = 1 - answers.question.level, answers.lead.unit
    shown = [answers.lead, *(one for one in answers.family if one.unit == unit)]
    lines = [Line(a.name or "the question", a.estimate.interval, a.p < level) for a in shown]
    title = "Intervals of the answer and its family"
    picture = forest(lines, unit, answers.question.margin, title)
    caption = "Estimates with their intervals. Shaded: what was said not to matter."
    return Plot(caption, [picture], legend(lines))
