"""Where a trained run's error comes from: evaluated anew, then accounted for, part by part."""

from pathlib import Path

from omegaconf import DictConfig, open_dict

from heatmap_research.config import additions, of_run
from heatmap_research.config.codec import is_option
from heatmap_research.config.job import Job
from heatmap_research.runs import record, table
from heatmap_research.runs.find import Run
from heatmap_research.types import IncompatibleError


def budget(cfg: DictConfig) -> None:
    folder = Path(cfg.run)
    merged = _merged(cfg, folder)
    additions.refuse(merged)
    job = of_run.job_of(merged, folder)
    _refuse(cfg, job)
    checkpoint = of_run.weights_of(folder, cfg.checkpoint)
    from heatmap_research.jobs import budget_steps  # torch: after the config has been looked at

    out = folder / "evaluate" / str(cfg.name)  # which may be a number
    flip = job.config.flip_test if cfg.base.flip_test is None else cfg.base.flip_test
    with budget_steps.made(out):
        budget_steps.evaluate(job, folder, out, checkpoint)
        limits = {name: cfg[name] for name in ("good", "near", "oks")}
        decoder = cfg.base.decoder or _chosen(folder, job)
        account, schema = budget_steps.load(out, cfg.stage, decoder, flip, **limits)
        facts = {"run": cfg.run, **limits, "checkpoint": cfg.checkpoint}
        budget_steps.write(account, schema.names, out, cfg.stage, **facts)
    budget_steps.report(account, schema.names, cfg.stage, out)


def _chosen(folder: Path, job: Job) -> str | None:
    """The decoder that this run is read by, the best on val; None if it was not evaluated there."""
    known = record.read_or_empty(folder)
    chosen = table.chosen([Run(folder, known)]) if "config" in known else None
    return chosen if chosen in job.config.decoder else None


def _merged(cfg: DictConfig, folder: Path) -> DictConfig:
    """The run's own config, read by its own decoders and every other that can; on one device."""
    merged = of_run.changed(cfg, folder)
    own = {k: v for k, v in of_run.stored(folder).decoder.items() if is_option(v)}
    with open_dict(merged):
        merged.decoder = {**cfg.decoder, **own}
        merged.trainer.update(devices=1, num_nodes=1, strategy="auto")
    return merged


def _refuse(cfg: DictConfig, job: Job) -> None:
    if job.config.data.get("boxes") == "detections":
        raise IncompatibleError(
            "data.boxes=detections: nothing is known of the joints in detected boxes; add "
            "data.boxes=gt."
        )
    if cfg.stage not in ("val", "test"):
        raise IncompatibleError(f"stage={cfg.stage}: choose test or val.")
    if cfg.base.decoder not in (None, *job.config.decoder):
        known = ", ".join(job.config.decoder)
        raise IncompatibleError(
            f"decoder={cfg.base.decoder}: choose one that reads this run's answers: {known}."
        )
    if cfg.base.flip_test not in (None, False, True):
        raise IncompatibleError(f"flip_test={cfg.base.flip_test}: choose true or false.")
    for name in ("good", "near", "oks"):
        value = cfg[name]
        if not isinstance(value, (int, float)) or not 0 < value < 1:
            raise IncompatibleError(f"{name}={value}: give a similarity above 0 and below 1.")
    if cfg.near >= cfg.good:
        raise IncompatibleError(f"near={cfg.near}: give less than good={cfg.good}.")
