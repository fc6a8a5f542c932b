"""Runs listed, filtered and exported, one by one or as means over their seeds."""

import argparse
import errno
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from heatmap_research.runs import formats, latex, table, whole_file
from heatmap_research.runs.find import Run, find
from heatmap_research.runs.record import refuse_to_replace
from heatmap_research.runs.table import Row

EXPORTS = {"csv": formats.as_csv, "latex": latex.as_latex, "json": formats.as_json}


def show(flags: argparse.Namespace) -> None:
    runs = _kept(find(*flags.folders), flags)
    for key in (*flags.columns, *flags.by):
        table.refuse_unknown(runs, key)
    apart = [] if flags.columns or flags.by else table.differing(runs)
    if flags.by:
        rows = _means(_finished(runs), flags)
    else:
        rows = table.rows(runs, flags.columns or table.usual(runs, apart=apart))
    if flags.sort:
        rows = _sorted(rows, flags.sort)
    if twice := sum(run.test_is_val for run in runs):
        logging.warning(
            f"test is val in {twice} of these runs: what was chosen on it is reported on the same "
            "people. data.held_out=N, or a test file, keeps the two apart."
        )
    wanted = {kind: getattr(flags, kind) for kind in EXPORTS if getattr(flags, kind)}
    for kind, place in wanted.items():
        text = EXPORTS[kind](rows)
        if place == "-":
            print(text, end="")
        else:
            _write(Path(place), text)
    if not wanted:
        _print(rows, apart)


def _means(runs: Sequence[Run], flags: argparse.Namespace) -> list[Row]:
    if others := ", ".join(table.mixed(runs, flags.by)[:5]):
        logging.warning(f"these means are over runs that differ also in: {others}")
    return table.means(runs, flags.by, flags.columns or table.usual(runs, flags.by))


def _write(place: Path, text: str) -> None:
    refuse_to_replace(place)
    if not place.absolute().parent.is_dir():
        missing = os.strerror(errno.ENOENT)
        raise ValueError(f"{place}: {missing}; choose another folder or name.")
    whole_file.write(place, text)


def _kept(runs: list[Run], flags: argparse.Namespace) -> list[Run]:
    kept = table.matching(runs, dict(map(_condition, flags.where)))
    if flags.failed:
        kept = [run for run in kept if run.status != "finished"]
    if not kept:
        asked = " ".join([*flags.where, *(["--failed"] if flags.failed else [])])
        raise ValueError(f"none of the {len(runs)} runs is left by {asked}.")
    return kept


def _finished(runs: list[Run]) -> list[Run]:
    finished = [run for run in runs if run.status == "finished"]
    if not finished:
        raise ValueError("none of these runs has finished: there is no mean to take.")
    if left := len(runs) - len(finished):
        logging.warning(f"left out of the means: {left} that did not finish")
    return finished


def _condition(text: str) -> tuple[str, list[str]]:
    key, equals, values = text.partition("=")
    if not equals:
        raise ValueError(f"--where {text}: give KEY=VALUE, such as arm=simcc or sigma=2,4.")
    return key, [values] if values.startswith("[") else values.split(",")


def _sorted(rows: list[Row], by: str) -> list[Row]:
    name = by.lstrip("-")
    if name not in rows[0]:
        raise ValueError(f"--sort {name}: choose a column, one of {', '.join(rows[0])}.")

    def place(row: Row) -> tuple[bool, float, str]:
        value = getattr(row[name], "mean", row[name])
        number = isinstance(value, (int, float))
        return not number, float(value or 0) if number else 0.0, str(value)

    known = sorted((row for row in rows if row[name] is not None), key=place, reverse=by[0] == "-")
    return known + [row for row in rows if row[name] is None]


def _print(rows: list[Row], apart: list[str]) -> None:
    console = Console()
    width = console.width if console.is_terminal else None
    print(*formats.as_lines(rows, apart, width), sep="\n")
