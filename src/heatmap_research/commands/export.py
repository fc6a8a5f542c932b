"""heatmap-export run=DIR: a trained network in one file, for use without this code."""

from heatmap_research.config import cli
from heatmap_research.jobs.export import export


def main() -> None:
    cli.run("export", export)


if __name__ == "__main__":
    main()
