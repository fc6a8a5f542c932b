"""heatmap-show: a PNG of one sample in any layout, as its label and as a run answers."""

import sys

from heatmap_research.config import cli
from heatmap_research.jobs.show import show


def main() -> None:
    if any(argument.startswith("run=") for argument in sys.argv[1:]):
        sys.argv[1:] = [_for_the_run(argument) for argument in sys.argv[1:]]
    cli.run("show", show)


def _for_the_run(argument: str) -> str:
    """A value of the data changes the run's own data, whatever they are."""
    own = argument.lstrip("+").startswith("data.")
    return f"+change.{argument.lstrip('+')}" if own else argument


if __name__ == "__main__":
    main()
