"""heatmap-check: say of a configuration, or of each job of a sweep, whether it can be trained."""

import sys
import tempfile

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from heatmap_research.config import cli
from heatmap_research.types import IncompatibleError


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        sys.argv += [
            f"hydra.run.dir={folder}",
            f"hydra.sweep.dir={folder}",
            "hydra.output_subdir=null",
            "hydra/job_logging=disabled",
            "hydra/hydra_logging=disabled",
        ]
        cli.run("check", check, config="train")


def check(cfg: DictConfig) -> None:
    job = " ".join(HydraConfig.get().overrides.task)
    try:
        cli.complete(cfg)
        _check(cfg)
    except IncompatibleError as error:
        print(f"refused: {error}" + f"  [{job}]" * cli.in_sweep())
        if not cli.in_sweep():
            sys.exit(1)
    else:
        print("ok" + f"  [{job}]" * cli.in_sweep())


def _check(cfg: DictConfig) -> None:
    from heatmap_research.config.values import check_values

    check_values(cfg)
    from heatmap_research.training.build import check

    check(cfg)


if __name__ == "__main__":
    main()
