"""widths=FILE: how wide each joint's label is, where no OKS tolerances say so."""

from pathlib import Path

from omegaconf import DictConfig, ListConfig, OmegaConf

from heatmap_research.config.instantiate import did_you_mean, is_number, with_values
from heatmap_research.types import IncompatibleError

WORDS = ("same", "oks")


def with_widths(cfg: DictConfig) -> DictConfig:
    """Puts the numbers of the joints learnt in place of a file, so that a run has them itself."""
    if cfg.widths in WORDS:
        return cfg
    given = cfg.widths if isinstance(cfg.widths, DictConfig) else _read(str(cfg.widths))
    known = {str(name): width for name, width in given.items()}
    for name in cfg.names:
        if name not in known:
            raise IncompatibleError(
                f"widths: there is none for {name}: give a number for each of "
                f"{', '.join(cfg.names)}.{did_you_mean(name, list(known))}"
            )
        if not is_number(known[name]) or not 0 < known[name] < float("inf"):
            raise IncompatibleError(f"widths: {name} has {known[name]}: give a number above 0.")
    return with_values(cfg, widths={name: float(known[name]) for name in cfg.names})


def _read(file: str) -> DictConfig:
    path = Path(file).expanduser()
    if not path.is_file():
        raise IncompatibleError(
            f"widths={file}: choose same or oks, or give a JSON or YAML file of NAME: WIDTH."
        )
    try:
        content = OmegaConf.load(path)
    except Exception as error:  # of a parser that has many
        words = " ".join(str(error).split())
        raise IncompatibleError(f"widths={file}: no JSON or YAML: {words}.") from error
    if isinstance(content, ListConfig):
        raise IncompatibleError(f"widths={file}: it has a list: give NAME: WIDTH for each joint.")
    return content
