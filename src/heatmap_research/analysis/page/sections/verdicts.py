"""The verdict in words, its intervals side by side, and every comparison in a table."""

from collections.abc import Callable, Sequence

from heatmap_research.analysis.comparison.verdict.verdict import Verdict
from heatmap_research.analysis.comparison.verdict.wording import chance, number
from heatmap_research.analysis.page import parts
from heatmap_research.analysis.page.forest import Line, forest, legend
from heatmap_research.analysis.page.parts import (
    Cell,
    Column,
    Folded,
    Open,
    Plot,
    Section,
    Table,
    Words,
)
from heatmap_research.analysis.page.study import Study, words
from heatmap_research.runs.table import Row

MAX_INTERVALS = 12  # that a figure has room for
EQUAL = {None: "not asked", True: "yes", False: "not shown"}
FINDABLE = "the least difference found four times in five"


def section(study: Study) -> Section:
    if not study.verdicts:
        need = f"A verdict needs two values of {study.by}, run with the same seeds."
        return Section("Verdict", [Words(study.silent or need, "lead"), Words(need, "note")])
    main, one = averages(study.verdicts), study.verdicts[0]
    but = [f"But not everywhere. {v.words}" for v in _opposite(main, study.verdicts)]
    said = [Words(words, "lead") for words in [*(v.words for v in main), *but]]
    plot = _forest(study, study.verdicts if len(study.verdicts) <= MAX_INTERVALS else main)
    every = Folded("Every comparison", [_table(study, one)])
    if study.answers is not None:  # which lead the page
        everything: list[Open] = [*said, Words(_how(study, one), "note"), plot, _table(study, one)]
        return Section("Pairs of arms", [Folded("Every pair", everything)])
    return Section("Verdict", [*said, Words(_how(study, one), "note"), plot, every])


def rows(study: Study) -> list[Row]:
    """The table of differences for a paper."""
    return [
        {
            "comparison": _pair(v),
            "setting": _where(v) or "all alike",
            f"difference of {study.figure} ({100 * v.interval.level:g} % interval)": _with_ends(v),
            "p": float(f"{v.p_holm:.2g}"),
            "seeds": len(v.seeds),
            "images": v.images,
        }
        for v in study.verdicts
    ]


def _with_ends(verdict: Verdict) -> str:
    one = verdict.interval
    middle, low, high = (number(end, one) for end in (one.estimate, one.low, one.high))
    return f"{middle} [{low}, {high}]"


def averages(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """For each pair of arms the verdict over all settings, or the only one."""
    pairs: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        pairs.setdefault((verdict.arm, verdict.other), []).append(verdict)
    return [v for those in pairs.values() for v in ([f for f in those if f.over] or those)]


def _opposite(main: Sequence[Verdict], every: Sequence[Verdict]) -> list[Verdict]:
    """Settings in which the arms are told apart the other way round than on average."""
    averages = {(v.arm, v.other): v.interval.estimate for v in main if v.over}
    alone = [v for v in every if v.different and not v.over]
    return [v for v in alone if averages.get((v.arm, v.other), 0) * v.interval.estimate < 0]


def _how(study: Study, one: Verdict) -> str:
    interval = one.interval
    margin = (
        "No margin of equivalence was given (--margin): none is judged by."
        if study.margin is None
        else f"Margin of equivalence, given with the command: {study.margin:g} {one.unit}; "
        f"differences and equivalences are two families, each held to {1 - interval.level:.0%}."
    )
    given = study.reading.given
    usual = "Each arm is read by the decoder best on val"
    decoder = f"Decoder {given} was given" if given else usual
    several = f"{one.family} comparisons, p values adjusted for all of them (Holm)"
    return (
        f"{decoder}; differences are of test. {several if one.family > 1 else 'One comparison'}. "
        f"Intervals: {100 * interval.level:g} % of each comparison alone, {interval.method}; they "
        f"cover {interval.population}. {margin}"
    )


def _forest(study: Study, verdicts: Sequence[Verdict]) -> Plot:
    one = verdicts[0]
    side = "above" if one.higher_is_better else "below"
    across = f"difference of {study.figure}\n({side} 0: the first is better)"
    names = ["\n".join(filter(None, [_pair(v), _where(v)])) for v in verdicts]
    lines = [Line(n, v.interval, v.different) for n, v in zip(names, verdicts, strict=True)]
    picture = forest(lines, across, study.margin, "Intervals of differences between arms")
    shaded = " Shaded: differences within the margin, too small to matter."
    caption = (
        f"Differences between arms, with {100 * one.interval.level:g} % intervals that cover "
        f"{one.interval.population}.{shaded if study.margin is not None else ''}"
    )
    return Plot(caption, [picture], legend(lines))


def _pair(verdict: Verdict) -> str:
    return f"{verdict.arm} less {verdict.other}"


def _where(verdict: Verdict) -> str:
    if verdict.over:
        return f"mean over {', '.join(verdict.over)}"
    return ", ".join(f"{key}={words(value)}" for key, value in verdict.setting)


def _table(study: Study, one: Verdict) -> Table:
    columns: dict[Column | str, Callable[[Verdict], object]] = {
        "first less second": _pair,
        "setting": lambda v: _where(v) or "all alike",
        "decoders": lambda v: f"{v.decoder}, {v.other_decoder}",
        f"difference, {one.unit}": lambda v: _rounded(v, v.interval.estimate),
        Column("from", "lower end of the interval"): lambda v: _rounded(v, v.interval.low),
        Column("to", "upper end of the interval"): lambda v: _rounded(v, v.interval.high),
        Column("p", "adjusted for all comparisons of this table"): _chance,
        Column("equivalent", "within the margin that was given"): lambda v: EQUAL[v.equivalent],
        Column("could find", FINDABLE): lambda v: _rounded(v, v.detectable),
        "seeds": lambda v: len(v.seeds),
        "images": lambda v: v.images,
    }
    cells = [[of(verdict) for of in columns.values()] for verdict in study.verdicts]
    caption = (
        f"Comparisons of {study.figure}; {100 * one.interval.level:g} % intervals cover "
        f"{one.interval.population}."
    )
    return parts.table(caption, columns, cells)


def _rounded(verdict: Verdict, value: float) -> Cell:
    return Cell(number(value, verdict.interval), value)


def _chance(verdict: Verdict) -> Cell:
    words = chance(verdict.p_holm).removeprefix("p ").removeprefix("= ")
    return Cell(words, verdict.p_holm)
