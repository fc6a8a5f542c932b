"""Reads a config that is kept with a run, which may come from elsewhere."""

from pathlib import Path
from typing import cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from heatmap_research.runs import bounded_file, bounded_yaml
from heatmap_research.types import IncompatibleError, in_a_line

WRONG: tuple[type[Exception], ...] = (
    *(OSError, ValueError, RecursionError, YAMLError, OmegaConfBaseException),
    *(AttributeError, AssertionError),  # as OmegaConf says that it is no tree
)


def load(file: Path) -> DictConfig:
    """Refuses a file that is damaged, or that would grow without end, in a line that names it."""
    try:
        bounded_yaml.refuse_endless(text := bounded_file.content(file, bounded_file.WORDS).decode())
        config = OmegaConf.create(text)
    except WRONG as error:
        raise IncompatibleError(f"{file}: it cannot be read: {in_a_line(error)}.") from error
    return cast(DictConfig, config)
