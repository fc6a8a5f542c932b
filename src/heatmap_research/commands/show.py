"""heatmap-show: a PNG of one sample in any layout, as its label and as a run answers."""

from heatmap_research.config import cli
from heatmap_research.jobs.show import show


def main() -> None:
    cli.run("show", show, translated=_of_a_run)


def _of_a_run(words: list[str]) -> list[str]:
    if any(word.startswith("run=") for word in words):
        return [_for_the_run(word) for word in words]
    return words


def _for_the_run(argument: str) -> str:
    """A value of the data changes the run's own data, whatever they are."""
    own = argument.lstrip("+").startswith("data.")
    return f"+change.{argument.lstrip('+')}" if own else argument


if __name__ == "__main__":
    main()
