"""heatmap-demo: four arms on the synthetic set, side by side, in a few minutes on a laptop."""

import argparse
import sys
import time
from pathlib import Path

from heatmap_research.runs.no_place import ending_in_a_line


def main() -> None:
    flags = _flags()
    with ending_in_a_line("demo"):
        from heatmap_research.jobs import demo

        sys.exit(demo.run(flags))


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="heatmap-demo", description=__doc__)
    out = Path("outputs") / f"demo_{time.strftime('%Y-%m-%d_%H-%M-%S')}"
    parser.add_argument("--out", type=Path, default=out, help="folder of the runs and the figure")
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each arm")
    parser.add_argument("--steps", type=int, default=1000, help="of each; fewer are not judged")
    parser.add_argument("--pool", type=int, default=12288, help="training images")
    return parser.parse_args()


if __name__ == "__main__":
    main()
