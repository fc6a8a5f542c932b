"""heatmap-train: fit one configuration, or with -m a sweep, and evaluate every listed decoder."""

import logging
import sys
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from heatmap_research import cli
from heatmap_research.check import check_values

MAY_CHANGE = (  # when a run is resumed
    *("trainer.accelerator=", "trainer.devices=", "trainer.enable_", "data.workers="),
    *("data.cache=", "data.root=", "callback.", "logger", "hydra", "-"),
)


def main() -> None:
    sys.argv[1:] = _resumed(sys.argv[1:])
    cli.run("train", train)


def train(cfg: DictConfig) -> None:
    unread = cli.complete(cfg)
    check_values(cfg)
    from heatmap_research import run
    from heatmap_research.run_store import RunStore

    store = RunStore(Path(cfg.output_dir))
    if not cfg.resume:
        OmegaConf.save(cfg, store.folder / ".hydra" / "config.yaml")
    try:
        run.train(cfg, store, cli.choices(), unread, cli.in_sweep())
    except run.InterruptedRunError as stop:
        logging.getLogger(__name__).warning(
            f"{stop}; to go on: heatmap-train resume={store.folder}"
        )
        sys.exit(130)


def _resumed(arguments: list[str]) -> list[str]:
    """`resume=DIR` takes everything else from that run's own config and goes on in its folder."""
    folder = next((a.partition("=")[2] for a in arguments if a.startswith("resume=")), "")
    if folder in ("", "null"):
        return arguments
    kept = Path(folder).resolve() / ".hydra"
    if not (kept / "config.yaml").is_file():
        sys.exit(f"heatmap-train: resume={folder}: this is not the folder of a run.")
    rest = [a for a in arguments if not a.startswith("resume=")]
    if others := [a for a in rest if not a.startswith(MAY_CHANGE)]:
        sys.exit(
            f"heatmap-train: resume={folder} goes on with its own config, which "
            f"{' '.join(others)} would change halfway: leave it out, or start a new run."
        )
    place = [f"hydra.run.dir={kept.parent}", "hydra.output_subdir=null", f"resume={kept.parent}"]
    plain = ["hydra.job_logging.formatters.simple.format='%(message)s'"]
    return ["--config-path", str(kept), "--config-name", "config", *rest, *place, *plain]


if __name__ == "__main__":
    main()
