"""heatmap-check: say of a configuration, or of each job of a sweep, whether it can be trained."""

import sys
import tempfile

from heatmap_research.config import cli, quick
from heatmap_research.jobs.check import check


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        sys.argv += [
            f"hydra.run.dir={folder}",
            f"hydra.sweep.dir={folder}",
            "hydra.output_subdir=null",
            "hydra/job_logging=disabled",
            "hydra/hydra_logging=disabled",
        ]
        quick.composing_a_grid_once()
        cli.run("check", check, config="train")


if __name__ == "__main__":
    main()
