"""What a trained run sees in pictures, written as COCO results, as CSV, and into the pictures."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig

from heatmap_research.config import of_run
from heatmap_research.config.instantiate import is_number
from heatmap_research.config.job import Job
from heatmap_research.types import IncompatibleError

if TYPE_CHECKING:
    from heatmap_research.inference.predictor import Predictor, Seen
    from heatmap_research.inference.sources import Files

log = logging.getLogger(__name__)


def predict(cfg: DictConfig) -> None:
    _refuse(cfg)
    folder, out = Path(cfg.run), Path(cfg.out)
    job = of_run.read_by_one(folder, cfg.decoder or None, cfg.flip_test)
    weights = of_run.weights_of(folder, cfg.checkpoint)
    from heatmap_research.inference import loading, sources  # torch: after the config is checked

    channels = job.config.backbone.in_chans
    source: Any = list(cfg.source) if isinstance(cfg.source, ListConfig) else str(cfg.source)
    files = sources.files(source, channels)
    listing = _listing(cfg, job)
    if cfg.on_error == "stop":
        files.refuse_unreadable()
    given = (cfg.device, cfg.half, cfg.batch_size, cfg.nms)
    predictor = loading.predictor(job, weights, *given)
    _run(cfg, predictor, files, listing, out)


def _run(cfg: DictConfig, predictor: "Predictor", files: "Files", listing: Any, out: Path) -> None:
    from heatmap_research.data.threads import announced
    from heatmap_research.inference import boxes, writing

    pictures = iter(files)
    if listing is not None:
        pictures = (boxes.placed(picture, listing) for picture in pictures)
    schema = predictor.task.schema
    began, problems, alone = time.perf_counter(), list[str](), 0
    with writing.writer(out, schema.names) as writer:
        for seen in announced(predictor(pictures), len(files), f"{len(files)} pictures"):
            writer.add(seen)
            if seen.problem:
                problems.append(str(seen.problem))
            alone += not seen.people and not seen.problem
            if cfg.show:
                _show(seen, predictor, out)
    seconds = time.perf_counter() - began
    _report(out, len(files), writer.people, problems, alone, seconds)


def _show(seen: "Seen", predictor: "Predictor", out: Path) -> None:
    from heatmap_research.inference import shown

    if not seen.problem:
        shown.write(seen, predictor.task.schema, out / "overlays")


def _report(
    out: Path, pictures: int, people: int, problems: Sequence[str], alone: int, seconds: float
) -> None:
    rate = f"{pictures / seconds:.1f} pictures a second"
    empty = f", {alone} pictures without anyone" if alone else ""
    log.info(f"{people} people in {pictures} pictures{empty}, {rate}; written to {out}")
    if problems:
        words = "\n  ".join(problems)
        log.warning(f"{len(problems)} of {pictures} pictures could not be read:\n  {words}")


def _listing(cfg: DictConfig, job: Job) -> Any:
    if cfg.boxes == "whole":
        return None
    from heatmap_research.inference import boxes

    annotations = Path(cfg.annotations).expanduser() if cfg.annotations else None
    category = job.config.data.get("category")
    try:
        return boxes.read(Path(str(cfg.boxes)).expanduser(), annotations, category)
    except ValueError as error:
        raise IncompatibleError(str(error)) from error


def _refuse(cfg: DictConfig) -> None:
    for key in ("flip_test", "half", "show"):
        if not isinstance(cfg[key], bool) and (key != "flip_test" or cfg[key] is not None):
            raise IncompatibleError(f"{key}={cfg[key]}: choose true or false.")
    if not isinstance(cfg.batch_size, int) or cfg.batch_size < 1:
        raise IncompatibleError(f"batch_size={cfg.batch_size}: give a whole number above 0.")
    if cfg.nms is not None and not (is_number(cfg.nms) and 0 <= cfg.nms <= 1):
        raise IncompatibleError(f"nms={cfg.nms}: give an OKS from 0 to 1, or null.")
    if cfg.on_error not in ("skip", "stop"):
        raise IncompatibleError(f"on_error={cfg.on_error}: choose skip or stop.")
    if (Path(cfg.out) / "results.json").exists() or Path(cfg.out).is_file():
        raise IncompatibleError(f"out={cfg.out}: it is there already; choose another folder.")
