"""heatmap-tune: each arm's own learning rate, weight decay, warm-up and sigma, found on val."""

import logging
import sys
from importlib.util import find_spec

from omegaconf import DictConfig

from heatmap_research.config import cli
from heatmap_research.types import IncompatibleError


def main() -> None:
    if {"-m", "--multirun"} & set(sys.argv[1:]):
        sys.exit("heatmap-tune: -m: one command tunes several arms: tune.arms=[ce_2d,simcc].")
    cli.run("tune", tune)


def tune(cfg: DictConfig) -> None:
    if find_spec("optuna") is None:
        raise IncompatibleError("Optuna is missing: pip install 'heatmap-research[tune]'.")
    from heatmap_research.jobs.tune import tuning
    from heatmap_research.training.callbacks.interruption import InterruptedRunError

    try:
        tuning.run(cfg)
    except InterruptedRunError as stop:
        logging.getLogger(__name__).warning(f"{stop}; to go on: the same command")
        sys.exit(130)


if __name__ == "__main__":
    main()
