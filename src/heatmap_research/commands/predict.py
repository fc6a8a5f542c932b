"""heatmap-predict run=DIR source=PICTURES: the joints of people in pictures or a video."""

from heatmap_research.config import cli
from heatmap_research.jobs.predict import predict


def main() -> None:
    cli.run("predict", predict)


if __name__ == "__main__":
    main()
