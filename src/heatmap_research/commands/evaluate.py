"""heatmap-evaluate run=DIR: a trained run again, with other decoders, data or a flip test."""

import functools
import sys

from heatmap_research.config import cli, of_run
from heatmap_research.jobs.evaluate import evaluate

OWN = ("run", "name", "checkpoint", "decoder", "metric", "data", "trainer")


def main() -> None:
    given = sys.argv[1:]
    sys.argv[1:] = of_run.changes_run(given, OWN)
    cli.run("evaluate", functools.partial(evaluate, given=given))


if __name__ == "__main__":
    main()
