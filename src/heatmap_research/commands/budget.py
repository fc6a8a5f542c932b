"""heatmap-budget run=DIR: where a trained run's error comes from, cause by cause."""

import sys

from heatmap_research.config import cli, of_run
from heatmap_research.jobs.budget import budget

OWN = ("run", "name", "checkpoint", "stage", "data", "trainer", "good", "near", "oks")
BASE = ("decoder", "flip_test")


def main() -> None:
    sys.argv[1:] = of_run.changes_run(sys.argv[1:], OWN, BASE)
    cli.run("budget", budget)


if __name__ == "__main__":
    main()
