"""heatmap-train: fit one configuration, or with -m a sweep, and evaluate every listed decoder."""

import sys
from pathlib import Path

from heatmap_research.config import cli, of_run
from heatmap_research.config.command_line import quoted
from heatmap_research.jobs.train import train

MAY_CHANGE = (  # when a run is resumed
    *("trainer.accelerator=", "trainer.devices=", "trainer.enable_", "data.workers="),
    *("data.cache=", "data.root=", "callback.", "logger", "hydra", "-"),
    "trainer.max_steps=",  # where the schedule allows it
)


def main() -> None:
    cli.run("train", train, translated=_resumed)


def _resumed(arguments: list[str]) -> list[str]:
    """The command line of `resume=DIR`, which takes all else from that run's own config."""
    folder = next((a.partition("=")[2] for a in arguments if a.startswith("resume=")), "")
    if folder in ("", "null"):
        return arguments
    kept = Path(folder).resolve() / ".hydra"
    if not (kept / "config.yaml").is_file():
        sys.exit(f"heatmap-train: resume={folder}: this is not the folder of a run.")
    of_run.refuse_instructions(kept / "config.yaml")
    rest = [a for a in arguments if not a.startswith("resume=")]
    if others := [a for a in rest if not a.startswith(MAY_CHANGE)]:
        sys.exit(
            f"heatmap-train: resume={folder} goes on with its own config, which "
            f"{' '.join(others)} would change halfway: leave it out, or start a new run."
        )
    folder = quoted(str(kept.parent))
    place = [f"hydra.run.dir={folder}", "hydra.output_subdir=null", f"resume={folder}"]
    plain = ["hydra.job_logging.formatters.simple.format='%(message)s'"]
    return ["--config-path", str(kept), "--config-name", "config", *rest, *place, *plain]


if __name__ == "__main__":
    main()
