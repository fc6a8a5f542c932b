"""heatmap-demo: four arms on the synthetic set, side by side, in a few minutes on a laptop."""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def main() -> None:
    flags = _flags()
    options = [f"trainer.max_steps={flags.steps}", f"data.pool={flags.pool}"]
    from heatmap_research.jobs import demo

    demo.render(options)
    seeds = range(flags.seeds)
    with ThreadPoolExecutor(min(flags.seeds, os.cpu_count() or 1)) as pool:
        statuses = pool.map(lambda seed: _sweep(seed, flags.out / f"seed_{seed}", options), seeds)
    if any(statuses):
        sys.exit("heatmap-demo: a training failed; what it said is above.")
    sys.exit(demo.conclude(flags.out, judge=flags.steps >= demo.JUDGED_STEPS))


def _sweep(seed: int, folder: Path, options: list[str]) -> int:
    """All arms of a seed, on one thread: the figures then are the same on any number of cores."""
    command = [sys.executable, "-m", "heatmap_research.commands.train", "-m", "experiment=demo"]
    with subprocess.Popen(
        [*command, f"seed={seed}", *options, f"hydra.sweep.dir={folder}"],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            print(f"seed {seed} | {line}", end="", flush=True)
    return process.returncode


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
