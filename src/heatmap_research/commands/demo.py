"""heatmap-demo: four arms on the synthetic set, side by side, in a few minutes on a laptop."""

import argparse
import subprocess
import sys
from pathlib import Path


def main() -> None:
    flags = _flags()
    command = [sys.executable, "-m", "heatmap_research.commands.train", "-m", "experiment=demo"]
    seeds = ",".join(map(str, range(flags.seeds)))
    options = [f"seed={seeds}", f"trainer.max_steps={flags.steps}", f"data.pool={flags.pool}"]
    finished = subprocess.run([*command, *options, f"hydra.sweep.dir={flags.out}"])
    if finished.returncode:
        sys.exit(finished.returncode)
    from heatmap_research import demo

    sys.exit(demo.conclude(Path(flags.out), judge=flags.steps >= demo.JUDGED_STEPS))


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="heatmap-demo", description=__doc__)
    parser.add_argument("--out", default="outputs/demo", help="folder of the runs and the figure")
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each arm")
    parser.add_argument("--steps", type=int, default=1000, help="of each training; fewer than 1000")
    parser.add_argument("--pool", type=int, default=12288, help="training images")
    return parser.parse_args()


if __name__ == "__main__":
    main()
