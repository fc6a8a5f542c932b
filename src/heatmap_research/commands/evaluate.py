"""heatmap-evaluate run=DIR: a trained run again, with other decoders, data or a flip test."""

import functools
import os
import re
import sys
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from heatmap_research.config import cli
from heatmap_research.config.values import check_values
from heatmap_research.runs.store import RunStore
from heatmap_research.types import IncompatibleError

OWN = ("run", "name", "checkpoint", "decoder", "metric", "data", "trainer")


def main() -> None:
    given = sys.argv[1:]
    sys.argv[1:] = [_for_the_run(argument) for argument in given]
    cli.run("evaluate", functools.partial(evaluate, given=given))


def evaluate(cfg: DictConfig, given: list[str]) -> None:
    folder = Path(cfg.run)
    merged, choices = asked_of(cfg, folder), RunStore(folder).read("choices")["choices"]
    unread = cli.complete(merged)
    check_values(merged)
    checkpoint = weights_of(folder, cfg.checkpoint)
    from heatmap_research.training import fit

    trained, store = RunStore(folder), RunStore(folder / "evaluate" / cfg.name)
    if Path(cfg.name).name != cfg.name:
        raise IncompatibleError(f"name={cfg.name}: give a name, not a path; it is in DIR/evaluate.")
    if "LOCAL_RANK" not in os.environ:
        _make(store.folder, merged)
    _let_ranks_start_alike([*given, f"name={cfg.name}"])
    fit.evaluate(merged, trained, store, checkpoint, choices, unread)


def _make(folder: Path, merged: DictConfig) -> None:
    try:
        (folder / ".hydra").mkdir(parents=True)
    except FileExistsError as error:
        raise IncompatibleError(
            f"name={folder.name}: {folder} is there already; choose another name."
        ) from error
    OmegaConf.save(merged, folder / ".hydra" / "config.yaml")


def _let_ranks_start_alike(given: list[str]) -> None:
    """Lightning starts the other processes of DDP by this command line, or, where it sees Hydra, by
    the folder of the run, whose config is not this command's."""
    sys.argv[1:] = given
    HydraConfig.instance().cfg = None


def asked_of(cfg: DictConfig, folder: Path) -> DictConfig:
    """The run's own config with what was asked for in its place."""
    stored = folder / ".hydra" / "config.yaml"
    if not stored.is_file():
        raise IncompatibleError(f"run={folder}: this is not the folder of a run.")
    merged = cast(DictConfig, OmegaConf.load(stored))
    groups: dict[str, Any] = {g: cfg[g] for g in ("decoder", "metric", "data", "trainer") if cfg[g]}
    for group, node in groups.items():
        merged[group] = node
    OmegaConf.set_struct(merged, True)
    merged = cast(DictConfig, OmegaConf.merge(merged, cfg.change))
    with open_dict(merged):
        merged.update(output_dir=str(folder / "evaluate" / cfg.name), resume=None, logger={})
        merged.callback = {}
    return merged


def weights_of(folder: Path, checkpoint: str) -> Path:
    file = folder / "checkpoints" / f"{checkpoint}.ckpt"
    if not file.is_file():
        found = sorted(f.stem for f in file.parent.glob("*.ckpt"))
        raise IncompatibleError(
            f"checkpoint={checkpoint}: this run has {', '.join(found) or 'no checkpoint yet'}."
        )
    return file


def _for_the_run(argument: str) -> str:
    """Any other key=value changes the run's own config."""
    key = re.match(r"\+*([\w.]+)=", argument)
    if key is None or key[1] in OWN or key[1].startswith("hydra"):
        return argument
    return f"+change.{argument.lstrip('+')}"


if __name__ == "__main__":
    main()
