"""heatmap-bench: what each piece of work costs, as a multiple of a floor timed in the same run."""

import argparse
import sys
from pathlib import Path

from heatmap_research.runs.no_place import ending_in_a_line

GROUPS = ("codec", "step", "data", "eval", "start")


def main() -> None:
    flags = _flags().parse_args()
    with ending_in_a_line("bench"):
        from heatmap_research.jobs.bench import bench

        sys.exit(bench.run(flags))


def _flags() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="heatmap-bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="codec: labels, decoders and loss beside a copy of the maps, and loops over people\n"
        "  as published code has them.\n"
        "step: a step of the demo's size beside the network alone.\n"
        "data: crops from JPEGs beside a plain loop of OpenCV; figures drawn.\n"
        "eval: AP of 5000 images and 104,125 boxes beside pycocotools; predictions written.\n"
        "start: processes from command to answer, beside the import of torch and Lightning.\n"
        "Rounds go through all rows in turn. On a CPU with one thread, time is that of this\n"
        "process alone, so that what else the machine does is counted as little as can be.",
    )
    every = ("all", *GROUPS)
    of = f"of {', '.join(every)}; codec if none is given"
    parser.add_argument(
        "groups", nargs="*", choices=every, default="codec", metavar="GROUP", help=of
    )
    parser.add_argument("--device", default="cpu", help="of codec and step: cpu or cuda")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--batch", type=int, default=256, help="instances")
    parser.add_argument("--size", type=int, nargs=2, default=[256, 192], metavar=("H", "W"))
    parser.add_argument("--joints", type=int, default=17)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=100, help="of a round of the group step")
    parser.add_argument("--pictures", type=int, default=256, help="of the group data")
    parser.add_argument("--share", type=float, default=1.0, help="of the people of the group eval")
    parser.add_argument("--out", type=Path, metavar="FILE", help="JSON to write")
    parser.add_argument(
        "--against",
        type=Path,
        metavar="FILE",
        help="an earlier --out of this machine: name what became slower by more than its noise",
    )
    parser.add_argument(
        "--short",
        action="store_true",
        help="our rows of the codec alone, in seconds; status 1 if one is over its bound by half",
    )
    return parser


if __name__ == "__main__":
    main()
