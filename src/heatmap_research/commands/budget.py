"""heatmap-budget run=DIR: where a trained run's error comes from, cause by cause."""

import re
import sys
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, open_dict

from heatmap_research.commands import evaluate
from heatmap_research.config import cli
from heatmap_research.config.values import check_values
from heatmap_research.runs.store import RunStore
from heatmap_research.types import IncompatibleError

OWN = ("run", "name", "checkpoint", "stage", "data", "trainer", "good", "near", "oks")
BASE = ("decoder", "flip_test")


def main() -> None:
    sys.argv[1:] = [_for_the_run(argument) for argument in sys.argv[1:]]
    cli.run("budget", budget)


def budget(cfg: DictConfig) -> None:
    folder = Path(cfg.run)
    merged = _merged(cfg, folder)
    RunStore(folder).read("choices")  # damaged, it is refused before anything is made
    unread = cli.complete(merged)
    _check(cfg, merged)
    checkpoint = evaluate.weights_of(folder, cfg.checkpoint)
    from heatmap_research.jobs import budget

    out = folder / "evaluate" / cfg.name
    flip = merged.flip_test if cfg.base.flip_test is None else cfg.base.flip_test
    with budget.made(out):
        budget.evaluate(merged, folder, out, checkpoint, unread)
        limits = (cfg.good, cfg.near, cfg.oks)
        taken, schema = budget.load(out, cfg.stage, cfg.base.decoder, flip, *limits)
        facts = {name: cfg[name] for name in ("good", "near", "oks", "checkpoint")}
        budget.write(taken, schema.names, out, cfg.stage, run=cfg.run, **facts)
    budget.report(taken, schema.names, cfg.stage, out)


def _merged(cfg: DictConfig, folder: Path) -> DictConfig:
    """Of the run's own decoders those that are changed stay so; one device is enough."""
    merged = evaluate.asked_of(cfg, folder)
    stored = OmegaConf.load(folder / ".hydra" / "config.yaml")
    with open_dict(merged):
        own = {k: v for k, v in stored.decoder.items() if OmegaConf.is_dict(v) and "_target_" in v}
        merged.decoder = {**cfg.decoder, **own}
        merged.trainer.update(devices=1, num_nodes=1, strategy="auto")
    return merged


def _check(cfg: DictConfig, merged: DictConfig) -> None:
    check_values(merged)
    if merged.data.get("boxes") == "detections":
        raise IncompatibleError(
            "data.boxes=detections: nothing is known of the joints in detected boxes; add "
            "data.boxes=gt."
        )
    if cfg.stage not in ("val", "test"):
        raise IncompatibleError(f"stage={cfg.stage}: choose test or val.")
    if cfg.base.decoder not in (None, *merged.decoder):
        known = ", ".join(merged.decoder)
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


def _for_the_run(argument: str) -> str:
    """Any other key=value changes the run's own config."""
    key = re.match(r"\+*([\w.]+)=", argument)
    if key is None or key[1] in OWN or key[1].startswith("hydra"):
        return argument
    return f"base.{argument}" if key[1] in BASE else f"+change.{argument.lstrip('+')}"


if __name__ == "__main__":
    main()
