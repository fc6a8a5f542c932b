"""heatmap-ceiling: the error and the AP that a codec leaves where a network makes no mistake."""

from omegaconf import DictConfig

from heatmap_research.config import cli

GRIDS = ("layout", "target", "sigma", "stride", "decoder", "geometry", "flip_test", "uncertainty")


def main() -> None:
    cli.run("ceiling", ceiling, translated=lambda words: list(map(_for_every_grid, words)))


def ceiling(cfg: DictConfig) -> None:
    from heatmap_research.jobs import ceiling

    ceiling.run(cfg)


def _for_every_grid(argument: str) -> str:
    """To Hydra target= would choose an option of a group; here it is a list of their names."""
    key = argument.partition("=")[0]
    return f"every.{argument}" if key in (*GRIDS, "loss") else argument


if __name__ == "__main__":
    main()
