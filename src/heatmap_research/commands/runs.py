"""heatmap-runs: lists, filters and exports runs, one by one or as means over their seeds."""

import argparse
import gc
import logging
from pathlib import Path

from heatmap_research.runs.no_place import ending_in_a_line


def main() -> None:
    flags = _flags().parse_args()
    logging.basicConfig(level=logging.WARNING, format="heatmap-runs: %(message)s")
    with ending_in_a_line("runs"):
        from heatmap_research.jobs import runs

        gc.disable()  # or a quarter of the time goes into looking through records, which all stay
        try:
            runs.show(flags)
        finally:
            gc.enable()


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
