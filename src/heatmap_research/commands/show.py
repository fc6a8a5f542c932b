"""heatmap-show: a PNG of one sample in any layout, as its label and as a run answers."""

import re
import sys
from pathlib import Path
from typing import cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from heatmap_research.config import cli
from heatmap_research.config.values import check_values
from heatmap_research.types import IncompatibleError

OWN = ("run", "checkpoint", "stage", "index", "output")
OF_A_RUN = ("data", "decoder", "flip_test")
PICTURES = (".png", ".pdf", ".svg", ".jpg")


def main() -> None:
    if any(argument.startswith("run=") for argument in sys.argv[1:]):
        sys.argv[1:] = [_for_the_run(argument) for argument in sys.argv[1:]]
    cli.run("show", show)


def show(cfg: DictConfig) -> None:
    if cfg.stage not in ("train", "val", "test"):
        raise IncompatibleError(f"stage={cfg.stage}: choose train, val or test.")
    if not isinstance(cfg.index, int):
        raise IncompatibleError(f"index={cfg.index}: give the number of a sample.")
    if Path(str(cfg.output)).suffix not in PICTURES:
        raise IncompatibleError(
            f"output={cfg.output}: give a file that ends in {', '.join(PICTURES)}."
        )
    shown = _of_run(cfg) if cfg.run else cfg
    cli.complete(shown)
    check_values(shown)
    from heatmap_research.drawing import example
    from heatmap_research.jobs import show
    from heatmap_research.training.build import check

    names = check(shown).schema.names
    batch = show.sample(shown, cfg.stage, cfg.index)
    label, errors = show.label(shown, batch)
    lines = [_title(shown, cfg), "the label, decoded: " + _words(errors)]
    predicted = None
    if cfg.run:
        checkpoint = Path(cfg.run) / "checkpoints" / f"{cfg.checkpoint}.ckpt"
        predicted, errors = show.predicted(shown, batch, checkpoint)
        lines.append("predicted: " + _words(errors))
    figure = example.sheet(label, predicted, names, "\n".join(lines))
    Path(cfg.output).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(cfg.output, dpi=110)
    print("\n".join([*lines, f"{cfg.output}: + is the truth, a dot what is decoded"]))


def _of_run(cfg: DictConfig) -> DictConfig:
    """The run's own config, with the data and decoders that were asked for here."""
    stored = Path(cfg.run) / ".hydra" / "config.yaml"
    checkpoint = Path(cfg.run) / "checkpoints" / f"{cfg.checkpoint}.ckpt"
    for file in (stored, checkpoint):
        if not file.is_file():
            raise IncompatibleError(
                f"run={cfg.run}: there is no {file.relative_to(cfg.run)} in it."
            )
    merged = cast(DictConfig, OmegaConf.load(stored))
    for text in HydraConfig.get().overrides.task:
        key = re.split("[=@]", text.lstrip("+~"))[0]
        if key in OWN or key.startswith("change."):
            continue
        if key.split(".")[0] not in OF_A_RUN:
            raise IncompatibleError(
                f"{text}: run={cfg.run} is shown as it was trained; choose only "
                f"{', '.join(OF_A_RUN)} anew, or leave run out."
            )
        OmegaConf.update(merged, key, OmegaConf.select(cfg, key), merge=False, force_add=True)
    OmegaConf.set_struct(merged, True)
    return cast(DictConfig, OmegaConf.merge(merged, cfg.change))


def _for_the_run(argument: str) -> str:
    """A value of the data is one of the run's own data, whatever they are."""
    own = argument.lstrip("+").startswith("data.")
    return f"+change.{argument.lstrip('+')}" if own else argument


def _title(shown: DictConfig, cfg: DictConfig) -> str:
    head = shown.head._target_.rsplit(".", 1)[-1]
    of = f"run {cfg.run}, " if cfg.run else ""
    return (
        f"{of}{cfg.stage} {cfg.index}: head {head}, stride {shown.stride}, sigma {shown.sigma:g} px"
    )


def _words(errors: dict[str, float]) -> str:
    shown = "  ".join(f"{name} {error:.3f}" for name, error in errors.items())
    return f"{shown} px off in the mean; points are of {next(iter(errors))}"


if __name__ == "__main__":
    main()
