"""What a representation makes of one image: as its label says, and as a trained run answers."""

import re
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from heatmap_research.config import additions, of_run
from heatmap_research.config.job import Job, prepare
from heatmap_research.types import IncompatibleError

OWN = ("run", "checkpoint", "stage", "index", "output", "worst", "joints")
GROUPS_OF_RUN = ("data", "decoder", "flip_test")
PICTURES = (".png", ".pdf", ".svg", ".jpg")


def show(cfg: DictConfig) -> None:
    _refuse(cfg)
    shown = of_run.shown(cfg, OWN, GROUPS_OF_RUN) if cfg.run else cfg
    if cfg.worst is not None:
        return _worst(cfg, shown)
    checkpoint = of_run.weights_of(Path(cfg.run), cfg.checkpoint) if cfg.run else None
    job = _job(cfg, shown)
    from heatmap_research.drawing import example, style
    from heatmap_research.jobs import sample
    from heatmap_research.training.build import dry_run, wire

    parts = wire(job)
    dry_run(parts)
    batch = sample.batch_of_one(job, cfg.stage, cfg.index)
    label, errors = sample.label(parts, batch)
    lines = [_title(job, cfg), "the label, decoded: " + _words(errors)]
    predicted = None
    if checkpoint:
        predicted, errors = sample.predicted(parts, batch, checkpoint)
        lines.append("predicted: " + _words(errors))
    names = job.schema.names
    joints = sample.wanted(cfg.joints if cfg.run else None, names)
    few = predicted and predicted.only(joints)
    shown_names = [names[joint] for joint in joints]
    figure = example.sheet(label.only(joints), few, shown_names, "\n".join(lines))
    style.save(figure, Path(cfg.output), 110)
    print("\n".join([*lines, f"{cfg.output}: + is the truth, a dot what is decoded"]))


def _worst(cfg: DictConfig, shown: DictConfig) -> None:
    asked = any(re.match(r"decoder[=@]", text) for text in HydraConfig.get().overrides.task)
    job = _job(cfg, shown)
    from heatmap_research.jobs import worst

    worst.show(cfg, job, next(iter(job.config.decoder)) if asked else None)


def _job(cfg: DictConfig, shown: DictConfig) -> Job:
    additions.refuse(shown)
    return of_run.job_of(shown, Path(cfg.run)) if cfg.run else prepare(shown, {})


def _refuse(cfg: DictConfig) -> None:
    if cfg.stage not in ("train", "val", "test"):
        raise IncompatibleError(f"stage={cfg.stage}: choose train, val or test.")
    if cfg.worst is not None and not (isinstance(cfg.worst, int) and cfg.worst > 0):
        raise IncompatibleError(f"worst={cfg.worst}: give a number of people, such as 24.")
    if cfg.worst is not None and not cfg.run:
        raise IncompatibleError(f"worst={cfg.worst}: say of which run, with run=DIR.")
    if not isinstance(cfg.index, int):
        raise IncompatibleError(f"index={cfg.index}: give the number of a sample.")
    if Path(str(cfg.output)).suffix not in PICTURES:
        raise IncompatibleError(
            f"output={cfg.output}: give a file that ends in {', '.join(PICTURES)}."
        )


def _title(job: Job, cfg: DictConfig) -> str:
    shown, of = job.config, f"run {cfg.run}, " if cfg.run else ""
    head = shown.head._target_.rsplit(".", 1)[-1]
    image = f"{of}{cfg.stage} {cfg.index}"
    return f"{image}: head {head}, stride {shown.stride}, sigma {shown.sigma:g} px"


def _words(errors: dict[str, float]) -> str:
    by_decoder = "  ".join(f"{name} {error:.3f}" for name, error in errors.items())
    return f"{by_decoder} px off in the mean; points are of {next(iter(errors))}"
