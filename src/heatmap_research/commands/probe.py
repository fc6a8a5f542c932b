"""heatmap-probe: the share of a network's skill that one with a small field of view has, too."""

import argparse
from pathlib import Path

from heatmap_research.runs.no_place import ending_in_a_line


def main() -> None:
    flags = _flags().parse_args()
    with ending_in_a_line("probe"):
        from heatmap_research.jobs import probe

        probe.run(flags)


def _flags() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="heatmap-probe",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Trainings to read, here of data=hard:\n"
        "  heatmap-train -m study=hard data=hard backbone=local backbone.field=7,15,31 seed=0,1,2\n"
        "  heatmap-train -m study=hard data=hard seed=0,1,2\n"
        "  heatmap-probe outputs/studies/hard",
    )
    parser.add_argument("folders", nargs="+", type=Path, help="searched at any depth")
    parser.add_argument(
        "--keep", type=Path, metavar="FILE", help="JSON table that this becomes a row of"
    )
    return parser


if __name__ == "__main__":
    main()
