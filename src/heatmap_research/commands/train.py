"""heatmap-train: fit one configuration, or with -m a sweep, and evaluate every listed decoder."""

import logging
import sys
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from heatmap_research.config import cli
from heatmap_research.config.values import check_values, resolved
from heatmap_research.runs import sweep
from heatmap_research.runs.store import RunStore

log = logging.getLogger(__name__)

MAY_CHANGE = (  # when a run is resumed
    *("trainer.accelerator=", "trainer.devices=", "trainer.enable_", "data.workers="),
    *("data.cache=", "data.root=", "callback.", "logger", "hydra", "-"),
)


def main() -> None:
    sys.argv[1:] = _resumed(sys.argv[1:])
    cli.run("train", train)


def train(cfg: DictConfig) -> None:
    if cli.in_sweep():
        _train_in_sweep(cfg)
    else:
        _train(cfg, _checked(cfg))


def _checked(cfg: DictConfig) -> list[str]:
    unread = cli.complete(cfg)
    check_values(cfg)
    return unread


def _train(cfg: DictConfig, unread: list[str]) -> None:
    from heatmap_research.training import fit

    cli.name_in_loggers(cfg)
    store = RunStore(Path(cfg.output_dir))
    if not cfg.resume:
        OmegaConf.save(cfg, store.folder / ".hydra" / "config.yaml")
    try:
        fit.train(cfg, store, cli.choices(), unread, cli.in_sweep())
    except fit.InterruptedRunError as stop:
        command = "the same command" if cli.in_sweep() else f"heatmap-train resume={store.folder}"
        log.warning(f"{stop}; to go on: {command}")
        sys.exit(130)


def _train_in_sweep(cfg: DictConfig) -> None:
    """Not if it has been done; on from its last checkpoint if it has been cut off."""
    store = RunStore(Path(cfg.output_dir))
    with sweep.claimed(store.folder) as free:
        if not free:
            log.info(f"  another process is at it: {store.folder}")
            return
        with sweep.failures_recorded(store, cfg, cli.choices()):
            _train_unless_done(cfg, store)


def _train_unless_done(cfg: DictConfig, store: RunStore) -> None:
    unread = _checked(cfg)
    OmegaConf.save(cfg, store.folder / ".hydra" / "config.yaml")
    identity = sweep.identity(resolved(cfg))
    if place := sweep.finished(store.folder, identity):
        log.info(f"  finished before: {place}")
        sweep.leave(store.folder)
        return
    if sweep.goes_on(store, identity):
        cfg.resume = str(store.folder)
    _train(cfg, unread)


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
