"""heatmap-evaluate run=DIR: a trained run again, with other decoders, data or a flip test."""

import sys
from functools import partial

from heatmap_research.config import cli, of_run
from heatmap_research.jobs.evaluate import evaluate

OWN = ("run", "name", "checkpoint", "decoder", "metric", "data", "trainer")


def main() -> None:
    again = partial(evaluate, given=sys.argv[1:])
    cli.run("evaluate", again, translated=partial(of_run.changes_run, own=OWN))


if __name__ == "__main__":
    main()
