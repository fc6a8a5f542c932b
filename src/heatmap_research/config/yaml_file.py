"""Writes a config that is kept with a run, and reads one, which may come from elsewhere."""

from pathlib import Path
from typing import Any, cast

from hydra.core import utils
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from heatmap_research.runs import bounded_file, bounded_yaml, whole_file
from heatmap_research.types import IncompatibleError, in_a_line

WRONG: tuple[type[Exception], ...] = (
    *(OSError, ValueError, RecursionError, YAMLError, OmegaConfBaseException),
    *(AttributeError, AssertionError),  # as OmegaConf says that it is no tree
)

_as_it_was = OmegaConf.save


def load(file: Path) -> DictConfig:
    """Refuses a file that is damaged, or that would grow without end, in a line that names it."""
    try:
        bounded_yaml.refuse_endless(text := bounded_file.content(file, bounded_file.WORDS).decode())
        config = OmegaConf.create(text)
    except WRONG as error:
        raise IncompatibleError(f"{file}: it cannot be read: {in_a_line(error)}.") from error
    return cast(DictConfig, config)


def save(config: Any, file: Path) -> None:
    """One after the other: two processes may begin a study in the same second."""
    with whole_file.one_at_a_time(file.parent):
        whole_file.write(file, OmegaConf.to_yaml(config))


def keeping_whole() -> None:
    """Has Hydra, too, write whole files: those of .hydra, and multirun.yaml.

    The same command of a sweep writes them over those of jobs that were done before.
    """
    utils._save_config = _save_config
    OmegaConf.save = staticmethod(_save)  # type: ignore[method-assign]


def _save_config(cfg: Any, filename: str, output_dir: Path) -> None:
    save(cfg, output_dir / filename)


def _save(config: Any, f: Any, resolve: bool = False) -> None:
    if isinstance(f, str | Path) and not resolve:
        save(config, Path(f))
    else:
        _as_it_was(config, f, resolve)
