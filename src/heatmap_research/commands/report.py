"""heatmap-report: a sweep on one page, the verdict first; opens from disk, without a network."""

import argparse
import logging
import sys
import time
from pathlib import Path

FEW = 3  # verdicts said aloud


def main() -> None:
    flags = _flags().parse_args()
    logging.basicConfig(level=logging.WARNING, format="heatmap-report: %(message)s")
    try:
        _report(flags)
    except (ValueError, OSError) as error:
        sys.exit(f"heatmap-report: {' '.join(str(error).split())}")


def _report(flags: argparse.Namespace) -> None:
    began = time.monotonic()
    _refuse(flags)
    from heatmap_research.analysis.page import verdicts
    from heatmap_research.jobs import report

    asked = {name: getattr(flags, name) for name in ("by", "metric", "margin", "baseline")}
    study = report.make(flags.folders, flags.budget, decoder=flags.decoder, **asked)
    made = f"Made {time.strftime('%Y-%m-%d %H:%M')} of {', '.join(map(str, flags.folders))}."
    size = report.write(study, flags.out, flags.csv, flags.latex, made)
    main = verdicts.averages(study.verdicts)[:FEW]
    for verdict in main:
        print(verdict.words)
    if more := len(study.verdicts) - len(main):
        print(f"{more} more comparison{'s' * (more > 1)} on the page.")
    if study.silent:
        print(study.silent)
    lost = sum(run.status != "finished" for run in study.runs)
    print(
        f"{flags.out}: {len(study.runs) - lost} runs{f', {lost} not finished' * bool(lost)}, "
        f"{size / 1e6:.1f} MB, made in {time.monotonic() - began:.0f} s"
    )


def _refuse(flags: argparse.Namespace) -> None:
    """Before anything is read."""
    for name in ("out", "csv", "latex"):
        place = getattr(flags, name)
        if place is None:
            continue
        if place.is_dir():
            raise ValueError(f"--{name} {place}: that is a folder; give a file.")
        if not place.absolute().parent.is_dir():
            raise ValueError(f"--{name} {place}: there is no folder {place.parent}.")
    if flags.out.exists():
        from heatmap_research.analysis.page import page

        if not page.is_ours(flags.out):
            raise ValueError(f"--out {flags.out}: that is no page of heatmap-report; it is kept.")
    if flags.margin is not None and not flags.margin > 0:
        raise ValueError(f"--margin {flags.margin:g}: it must be greater than 0.")


def _flags() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="heatmap-report",
        description=__doc__,
        epilog="Give --margin before you look: it is the difference that would not matter to you. "
        "A page is written anew over an earlier one.",
    )
    add = parser.add_argument
    add("folders", nargs="+", type=Path, metavar="DIR", help="runs at or below, at any depth")
    add("--out", type=Path, default=Path("report.html"), help="the page (%(default)s)")
    add("--csv", type=Path, metavar="FILE", help="the table of arms, for other programs")
    add("--latex", type=Path, metavar="FILE", help="the same for a paper (booktabs)")
    add("--by", metavar="KEY", help="what tells arms apart: arm, head, ... (what was varied)")
    add("--metric", default="pixel_error", help="%(default)s, mean_oks, PCK@0.5px, AP, ...")
    add("--margin", type=float, metavar="PX", help="differences below it are as good as none")
    add("--baseline", metavar="ARM", help="compare each with this one, not all in pairs")
    add("--decoder", metavar="NAME", help="read all by it (the best on val)")
    add("--budget", action="store_true", help="take apart a run of each arm first, if none was")
    return parser


if __name__ == "__main__":
    main()
