"""heatmap-evaluate run=DIR: a trained run again, with other decoders, data or a flip test."""

from functools import partial

from heatmap_research.config import cli, of_run
from heatmap_research.jobs.evaluate import evaluate

OWN = ("run", "name", "checkpoint", "decoder", "metric", "data", "trainer")


def main() -> None:
    cli.run("evaluate", evaluate, translated=partial(of_run.changes_run, own=OWN))


if __name__ == "__main__":
    main()
