"""The verdict first: in words, as intervals side by side, then every comparison in a table."""

from collections.abc import Sequence

from heatmap_research.analysis.comparison.verdict.verdict import Verdict
from heatmap_research.analysis.comparison.verdict.wording import chance, number
from heatmap_research.analysis.page import drawings
from heatmap_research.analysis.page.parts import (
    Cell,
    Column,
    Folded,
    Part,
    Plot,
    Section,
    Table,
    Words,
)
from heatmap_research.analysis.page.study import Study, words
from heatmap_research.runs.table import Row

TOLD, NOT = "#559944", "#888888"
MANY = 12  # comparisons that a figure has room for


def section(study: Study) -> Section:
    if not study.verdicts:
        need = f"A verdict needs two values of {study.by}, run with the same seeds."
        return Section("Verdict", [Words(study.silent or need, "lead"), Words(need, "note")])
    main = averages(study.verdicts)
    said: list[Part] = [Words(verdict.words, "lead") for verdict in main]
    for verdict in _opposite(main, study.verdicts):
        said.append(Words(f"But not everywhere. {verdict.words}", "lead"))
    said += [Words(_how(study, study.verdicts[0]), "note")]
    drawn = study.verdicts if len(study.verdicts) <= MANY else main
    said += [_forest(study, drawn)]
    return Section("Verdict", [*said, Folded("Every comparison", [_table(study)])])


def rows(study: Study) -> list[Row]:
    """For a paper."""
    level = 100 * study.verdicts[0].interval.level if study.verdicts else 95
    return [
        {
            "comparison": f"{v.arm} less {v.other}",
            "setting": _where(v) or "all alike",
            f"difference of {study.figure} ({level:g} % interval)": _with_ends(v),
            "p": float(f"{v.p_holm:.2g}"),
            "seeds": len(v.seeds),
            "images": v.images,
        }
        for v in study.verdicts
    ]


def _with_ends(verdict: Verdict) -> str:
    found = verdict.interval
    middle, low, high = (number(v, found) for v in (found.estimate, found.low, found.high))
    return f"{middle} [{low}, {high}]"


def averages(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Of each pair of arms the one over all settings, where there are several."""
    pairs: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        pairs.setdefault((verdict.arm, verdict.other), []).append(verdict)
    return [v for found in pairs.values() for v in ([f for f in found if f.over] or found)]


def _opposite(main: Sequence[Verdict], every: Sequence[Verdict]) -> list[Verdict]:
    """What an average hides: settings where the arms are told apart the other way round."""
    averages = {(v.arm, v.other): v.interval.estimate for v in main if v.over}
    return [
        verdict
        for verdict in every
        if verdict.different
        and not verdict.over
        and averages.get((verdict.arm, verdict.other), 0) * verdict.interval.estimate < 0
    ]


def _how(study: Study, one: Verdict) -> str:
    interval = one.interval
    margin = (
        "No margin of equivalence was given (--margin): none is judged by."
        if study.margin is None
        else f"Margin of equivalence, given with the command: {study.margin:g} {one.unit}."
    )
    given = study.reading.given
    decoder = (
        f"Decoder {given} was given" if given else "Each arm is read by the decoder best on val"
    )
    family = f"{one.family} comparisons, p values adjusted for all of them (Holm)"
    alone = "One comparison"
    return (
        f"{decoder}; differences are of test. {family if one.family > 1 else alone}. "
        f"Intervals: {100 * interval.level:g} % of each comparison alone, {interval.method}; they "
        f"cover {interval.population}. {margin}"
    )


def _forest(study: Study, verdicts: Sequence[Verdict]) -> Plot:
    figure, axes = drawings.panel((4.8, 1.1 + 0.5 * len(verdicts)))
    axes.axvline(0, color="black", lw=0.8)
    if study.margin is not None:
        axes.axvspan(-study.margin, study.margin, color="grey", alpha=0.18, lw=0)
    for place, verdict in enumerate(verdicts):
        found = verdict.interval
        colour = TOLD if verdict.different else NOT
        axes.plot([found.low, found.high], [place, place], color=colour, lw=2.2)
        axes.plot(found.estimate, place, "o" if verdict.different else "s", color=colour, ms=6)
    axes.set_yticks(range(len(verdicts)), [_name(v) for v in verdicts], fontsize=9)
    axes.set_ylim(len(verdicts) - 0.4, -0.6)
    one = verdicts[0]
    side = "above" if one.higher_is_better else "below"
    axes.set_xlabel(f"difference of {study.figure}\n({side} 0: the first is better)")
    caption = (
        f"Differences between arms, with {100 * one.interval.level:g} % intervals that cover "
        f"{one.interval.population}."
    )
    if study.margin is not None:
        caption += " Shaded: differences within the margin, too small to matter."
    there = {verdict.different for verdict in verdicts}
    kinds = {True: ("var(--c4)", "told apart (dot)"), False: (NOT, "not told apart (square)")}
    keys = [kind for different, kind in kinds.items() if different in there]
    return Plot(caption, [drawings.svg(figure, "Intervals of differences between arms")], keys)


def _name(verdict: Verdict) -> str:
    pair = f"{verdict.arm} less {verdict.other}"
    return f"{pair}\n{where}" if (where := _where(verdict)) else pair


def _where(verdict: Verdict) -> str:
    if verdict.over:
        return f"mean over {', '.join(verdict.over)}"
    return ", ".join(f"{key}={words(value)}" for key, value in verdict.setting)


def _table(study: Study) -> Table:
    unit = study.verdicts[0].unit
    columns = [
        Column("first less second"),
        Column("setting"),
        Column("decoders"),
        Column(f"difference, {unit}"),
        Column("from", "lower end of the interval"),
        Column("to", "upper end of the interval"),
        Column("p", "adjusted for all comparisons of this table"),
        Column("equivalent", "within the margin that was given"),
        Column("could find", "the least difference found four times in five"),
        Column("seeds"),
        Column("images"),
    ]
    level = 100 * study.verdicts[0].interval.level
    covers = study.verdicts[0].interval.population
    caption = f"Comparisons of {study.figure}; {level:g} % intervals cover {covers}."
    return Table(caption, columns, [_row(verdict) for verdict in study.verdicts])


def _row(verdict: Verdict) -> list[Cell]:
    found = verdict.interval
    figures = [
        Cell(number(value, found), value) for value in (found.estimate, found.low, found.high)
    ]
    equal = {None: "not asked", True: "yes", False: "not shown"}[verdict.equivalent]
    return [
        Cell(f"{verdict.arm} less {verdict.other}"),
        Cell(_where(verdict) or "all alike"),
        Cell(f"{verdict.decoder}, {verdict.other_decoder}"),
        *figures,
        Cell(chance(verdict.p_holm).removeprefix("p ").removeprefix("= "), verdict.p_holm),
        Cell(equal),
        Cell(number(verdict.detectable, found), verdict.detectable),
        Cell(str(len(verdict.seeds)), len(verdict.seeds)),
        Cell(str(verdict.images), verdict.images),
    ]
