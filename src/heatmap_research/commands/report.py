"""heatmap-report: a sweep on one page, the verdict first; opens from disk, without a network."""

import argparse
import logging
from pathlib import Path

from heatmap_research.runs.no_place import ending_in_a_line

OF_A_STUDY = ("csv", "latex", "by", "question", "margin", "baseline", "keep", "keep_metric")


def main() -> None:
    flags = _flags().parse_args()
    logging.basicConfig(level=logging.WARNING, format="heatmap-report: %(message)s")
    with ending_in_a_line("report"):
        from heatmap_research.jobs import report

        if one := _one_run(flags):
            report.report_of_run(one, flags)
        else:
            report.report(flags)


def _one_run(flags: argparse.Namespace) -> Path | None:
    """The folder of run=DIR, which asks for a page of one run."""
    named = [str(folder) for folder in flags.folders if str(folder).startswith("run=")]
    if not named:
        return None
    if len(flags.folders) > 1:
        raise ValueError(f"{named[0]} is a page of one run: give one, or folders without run=.")
    for name in OF_A_STUDY:
        if getattr(flags, name) is not None:
            asked = f"--{name.replace('_', '-')}"
            raise ValueError(f"{asked} is of a study; {named[0]} is a page of one run.")
    return Path(named[0].removeprefix("run="))


def _flags() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="heatmap-report",
        description=__doc__,
        epilog="Give --margin before you look: it is the difference that would not matter to you. "
        "A page is written anew over an earlier one.",
    )
    add = parser.add_argument
    help_of = "runs at or below, at any depth; run=DIR makes a page of that run alone"
    add("folders", nargs="+", type=Path, metavar="DIR", help=help_of)
    add("--out", type=Path, default=Path("report.html"), help="the page (%(default)s)")
    add("--csv", type=Path, metavar="FILE", help="the table of arms, for other programs")
    add("--latex", type=Path, metavar="FILE", help="the same for a paper (booktabs)")
    add("--by", metavar="KEY", help="what tells arms apart: arm, head, ... (what was varied)")
    add("--metric", metavar="NAME", help="pixel_error, mean_oks, PCK@0.5px, AP, ... (the first)")
    add("--question", metavar="NAME", help="an experiment's question, or a file's (the runs' own)")
    add("--margin", type=float, metavar="PX", help="differences below it are as good as none")
    add("--baseline", metavar="ARM", help="compare each with this one, not all in pairs")
    add("--decoder", metavar="NAME", help="read all by it (the best on val)")
    add("--keep", type=Path, metavar="DIR", help="also what answers are made of, in a few files")
    help_of = "kept besides what was asked: PCK@4px, ... (once for each)"
    add("--keep-metric", action="append", metavar="NAME", help=help_of)
    add("--budget", action="store_true", help="take apart a run of each arm first, if none was")
    return parser


if __name__ == "__main__":
    main()
