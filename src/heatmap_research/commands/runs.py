"""heatmap-runs: lists, filters and exports runs, one by one or as means over their seeds."""

import argparse
import logging
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    flags = _flags().parse_args()
    logging.basicConfig(level=logging.WARNING, format="heatmap-runs: %(message)s")
    try:
        sys.exit(_list(flags))
    except (ValueError, OSError) as error:
        sys.exit(f"heatmap-runs: {error}")


def _list(flags: argparse.Namespace) -> int:
    from heatmap_research.runs import find, formats, table

    found = _kept(find.find(*flags.folders), flags)
    for key in (*flags.columns, *flags.by):
        table.refuse_unknown(found, key)
    if flags.by:
        found = _finished(found)
    columns = flags.columns or table.usual(found, flags.by)
    if flags.by:
        if others := table.mixed(found, flags.by):
            few = ", ".join(others[:5])
            logging.warning(f"these means are over runs that differ also in: {few}")
        rows = table.means(found, flags.by, columns)
    else:
        rows = table.rows(found, columns)
    if flags.sort:
        rows = _sorted(rows, flags.sort)
    exports = {"csv": formats.as_csv, "latex": formats.as_latex, "json": formats.as_json}
    wanted = {kind: getattr(flags, kind) for kind in exports if getattr(flags, kind)}
    for kind, place in wanted.items():
        text = exports[kind](rows)
        if place == "-":
            print(text, end="")
        else:
            _write(Path(place), text)
    if not wanted:
        _show(rows, [] if flags.columns or flags.by else table.differing(found))
    return 0


def _write(place: Path, text: str) -> None:
    try:
        place.write_text(text)
    except OSError as error:
        raise ValueError(f"{place}: {error.strerror}; choose another folder or name.") from error


def _kept(found: list[Any], flags: argparse.Namespace) -> list[Any]:
    from heatmap_research.runs import table

    conditions = dict(_condition(text) for text in flags.where)
    kept = table.matching(found, conditions)
    if flags.failed:
        kept = [run for run in kept if run.status != "finished"]
    if not kept:
        asked = " ".join([*flags.where, *(["--failed"] if flags.failed else [])])
        raise ValueError(f"none of the {len(found)} runs is left by {asked}.")
    return kept


def _finished(found: list[Any]) -> list[Any]:
    """Those that a mean can be taken over."""
    finished = [run for run in found if run.status == "finished"]
    if not finished:
        raise ValueError("none of these runs has finished: there is no mean to take.")
    if left := len(found) - len(finished):
        logging.warning(f"left out of the means: {left} that did not finish")
    return finished


def _condition(text: str) -> tuple[str, list[str]]:
    key, equals, values = text.partition("=")
    if not equals:
        raise ValueError(f"--where {text}: give KEY=VALUE, such as arm=simcc or sigma=2,4.")
    return key, [values] if values.startswith("[") else values.split(",")


def _sorted(rows: list[dict[str, Any]], by: str) -> list[dict[str, Any]]:
    name = by.lstrip("-")
    if name not in rows[0]:
        raise ValueError(f"--sort {name}: choose a column, one of {', '.join(rows[0])}.")

    def place(row: dict[str, Any]) -> tuple[bool, float, str]:
        value = getattr(row[name], "mean", row[name])
        number = isinstance(value, (int, float))
        return not number, value if number else 0.0, str(value)

    known = sorted((row for row in rows if row[name] is not None), key=place, reverse=by[0] == "-")
    return known + [row for row in rows if row[name] is None]


def _show(rows: list[dict[str, Any]], apart: list[str]) -> None:
    from rich.console import Console

    from heatmap_research.runs import listing

    console = Console()
    for line in listing.lines(rows, apart, console.width if console.is_terminal else None):
        print(line)


def _flags() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="heatmap-runs",
        description=__doc__,
        epilog="A column is a fact of a run (name status study arm seed seconds parameters macs "
        "peak_memory error commit), a key of its config (sigma, data.occlusion, head), a metric as "
        "STAGE/DECODER/METRIC, or as STAGE/METRIC of the decoder that is best on val.",
    )
    add = parser.add_argument
    add("folders", nargs="*", type=Path, default=[Path("outputs")], help="searched at any depth")
    add("--where", nargs="+", default=[], metavar="KEY=VALUE", help="arm=simcc sigma=2,4 ...")
    add("--failed", action="store_true", help="only runs that have not finished")
    add("--columns", nargs="+", default=[], metavar="COLUMN", help="in place of the usual")
    add("--by", nargs="+", default=[], metavar="KEY", help="mean ± sd over runs alike in these")
    add("--sort", metavar="COLUMN", help="with - before it: from high to low, as --sort=-seconds")
    for kind in ("csv", "latex", "json"):
        add(f"--{kind}", nargs="?", const="-", metavar="FILE", help="write it there, or to stdout")
    return parser


if __name__ == "__main__":
    main()
