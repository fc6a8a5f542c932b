"""The config of a run that is there, with what is asked for in its place."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from heatmap_research.config.instantiate import with_values
from heatmap_research.types import IncompatibleError

GROUPS = ("decoder", "metric", "data", "trainer")  # whose options may be chosen anew


def changes_run(
    arguments: Sequence[str], own: Sequence[str], base: Sequence[str] = ()
) -> list[str]:
    """The command line, where a key=value that is not the command's own changes the run's config.

    Keys of `base` are the command's own as well, kept apart from the run's keys of the same name.
    """

    def for_the_run(argument: str) -> str:
        key = re.match(r"\+*([\w.]+)=", argument)
        if key is None or key[1] in own or key[1].startswith("hydra"):
            return argument
        return f"base.{argument}" if key[1] in base else f"+change.{argument.lstrip('+')}"

    return list(map(for_the_run, arguments))


def stored(folder: Path) -> DictConfig:
    file = folder / ".hydra" / "config.yaml"
    if not file.is_file():
        raise IncompatibleError(f"run={folder}: this is not the folder of a run.")
    return cast(DictConfig, OmegaConf.load(file))


def of_record(config: dict[str, Any]) -> DictConfig:
    return cast(DictConfig, OmegaConf.create(config))


def changed(cfg: DictConfig, folder: Path) -> DictConfig:
    """The run's own config with what was chosen anew, for an evaluation that logs nothing."""
    merged = stored(folder)
    for group in GROUPS:
        if cfg[group]:
            merged[group] = cfg[group]
    merged, place = _with_changes(merged, cfg), str(folder / "evaluate" / cfg.name)
    return with_values(merged, output_dir=place, resume=None, logger={}, callback={})


def shown(cfg: DictConfig, own: Sequence[str], groups: Sequence[str]) -> DictConfig:
    """The run's own config with the data and decoders that were asked for on the command line."""
    folder = Path(cfg.run)
    merged = stored(folder)
    for text in HydraConfig.get().overrides.task:
        key = re.split("[=@]", text.lstrip("+~"))[0]
        if key in own or key.startswith("change."):
            continue
        if key.split(".")[0] not in groups:
            raise IncompatibleError(
                f"{text}: run={folder} is shown as it was trained; choose only "
                f"{', '.join(groups)} anew, or leave run out."
            )
        OmegaConf.update(merged, key, OmegaConf.select(cfg, key), merge=False, force_add=True)
    return _with_changes(merged, cfg)


def make_new(folder: Path) -> None:
    """Makes the folder of an evaluation; refuses one that is there."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise IncompatibleError(
            f"name={folder.name}: {folder} is there already; choose another name."
        ) from error


def weights_of(folder: Path, checkpoint: str) -> Path:
    """The file of a run's weights, or a refusal that names those there are."""
    file = folder / "checkpoints" / f"{checkpoint}.ckpt"
    if not file.is_file():
        there = sorted(f.stem for f in file.parent.glob("*.ckpt"))
        raise IncompatibleError(
            f"checkpoint={checkpoint}: this run has {', '.join(there) or 'no checkpoint yet'}."
        )
    return file


def _with_changes(merged: DictConfig, cfg: DictConfig) -> DictConfig:
    OmegaConf.set_struct(merged, True)
    return cast(DictConfig, OmegaConf.merge(merged, cfg.change))
