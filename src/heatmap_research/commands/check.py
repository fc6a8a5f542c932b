"""heatmap-check: say of a configuration, or of each job of a sweep, whether it can be trained."""

import sys
from contextlib import ExitStack
from tempfile import TemporaryDirectory

from heatmap_research.config import cli, quick
from heatmap_research.jobs.check import check
from heatmap_research.runs.no_place import ending_in_a_line


def main() -> None:
    with ExitStack() as stack:
        with ending_in_a_line("check"):
            folder = stack.enter_context(TemporaryDirectory())
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
