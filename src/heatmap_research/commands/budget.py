"""heatmap-budget run=DIR: where a trained run's error comes from, cause by cause."""

from functools import partial

from heatmap_research.config import cli, of_run
from heatmap_research.jobs.budget import budget

OWN = ("run", "name", "checkpoint", "stage", "data", "trainer", "good", "near", "oks")
BASE = ("decoder", "flip_test")


def main() -> None:
    cli.run("budget", budget, translated=partial(of_run.changes_run, own=OWN, base=BASE))


if __name__ == "__main__":
    main()
