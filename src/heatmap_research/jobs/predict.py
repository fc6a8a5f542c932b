"""What a trained run sees in pictures, written as COCO results, as CSV, and into the pictures."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig

from heatmap_research.config import of_run
from heatmap_research.config.instantiate import is_number
from heatmap_research.config.job import Job
from heatmap_research.types import IncompatibleError

if TYPE_CHECKING:
    from heatmap_research.inference.pictures import Picture
    from heatmap_research.inference.predictor import Predictor, Seen
    from heatmap_research.inference.sources import Files
    from heatmap_research.inference.video import Video
    from heatmap_research.inference.writing import Writer

    Boxed = Callable[[Picture], Picture]

log = logging.getLogger(__name__)


def predict(cfg: DictConfig) -> None:
    _refuse(cfg)
    folder = Path(cfg.run)
    job = of_run.read_by_one(folder, cfg.decoder or None, cfg.flip_test)
    weights = of_run.weights_of(folder, cfg.checkpoint)
    if cfg.show == "maps" and not job.codec.grid.ndim:
        raise IncompatibleError(
            f"show=maps: run={folder} answers with coordinates, which have no maps: choose "
            "show=true."
        )
    joints = _shown_joints(cfg, job)
    from heatmap_research.inference import calibrated, loading  # torch: after a look at the config

    widening = calibrated.factor(job, folder, weights, cfg.covariance)
    source = _source(cfg, job)
    boxed = _boxed(cfg, job, source)
    given = (cfg.device, cfg.half, cfg.batch_size, cfg.nms, widening)
    predictor = replace(loading.predictor(job, weights, *given), keeps_maps=cfg.show == "maps")
    try:
        Path(cfg.out).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IncompatibleError(
            f"out={cfg.out}: {error.strerror}; choose another folder."
        ) from error
    words = calibrated.words(job, widening, cfg.covariance)
    _run(cfg, predictor, source, boxed, joints, words)


def _shown_joints(cfg: DictConfig, job: Job) -> Sequence[str] | None:
    if cfg.joints is None:
        return None
    if not cfg.show:
        raise IncompatibleError(f"joints={cfg.joints}: they are for drawing; give show=true, too.")
    names = list(cfg.joints) if isinstance(cfg.joints, ListConfig) else [cfg.joints]
    try:
        return job.schema.only(list(map(str, names))).names
    except ValueError as error:
        raise IncompatibleError(f"joints={cfg.joints}: {error}") from error


def _source(cfg: DictConfig, job: Job) -> "Files | Video":
    from heatmap_research.inference import sources, video

    channels = job.config.backbone.in_chans
    source: Any = list(cfg.source) if isinstance(cfg.source, ListConfig) else str(cfg.source)
    if isinstance(source, str) and sources.is_video(source):
        if cfg.show:
            video.refuse_without_writer()
        return video.Video(source, channels, cfg.frames)
    files = sources.files(source, channels)
    if cfg.on_error == "stop":
        files.refuse_unreadable()
    return files


def _run(
    cfg: DictConfig,
    predictor: "Predictor",
    source: "Files | Video",
    boxed: "Boxed | None",
    joints: Sequence[str] | None,
    of_covariances: str,
) -> None:
    from heatmap_research.data.threads import announced
    from heatmap_research.inference import shown, writing

    out, schema = Path(cfg.out), predictor.task.schema
    pictures = iter(source)
    if boxed is not None:
        pictures = map(boxed, pictures)
    drawing = shown.drawing(source, schema, out, joints) if cfg.show else nullcontext()
    with writing.writer(out, schema.names) as writer, drawing as draw:
        seen = announced(predictor(pictures), len(source), f"{len(source)} pictures")
        done = _written(seen, writer, draw)
    log.info(f"{done.words(writer.people)}{of_covariances}; written to {out}")
    if done.problems:
        words = "\n  ".join(done.problems)
        log.warning(f"{len(done.problems)} of {done.count} pictures could not be read:\n  {words}")
    if done.alone and not writer.people:
        log.warning(f"boxes={cfg.boxes}: it has nobody in these pictures; is it by their names?")
    if done.stopped:
        raise KeyboardInterrupt
    if done.problems and len(done.problems) == done.count:
        sys.exit(1)


@dataclass
class _Done:
    """How far a prediction came."""

    began: float
    count: int = 0
    alone: int = 0  # pictures without anyone
    problems: list[str] = field(default_factory=list)
    stopped: bool = False

    def words(self, people: int) -> str:
        empty = f", {self.alone} pictures without anyone" if self.alone else ""
        rate = self.count / (time.perf_counter() - self.began)
        return f"{people} people in {self.count} pictures{empty}, {rate:.1f} pictures a second"


def _written(
    pictures: "Iterable[Seen]", writer: "Writer", draw: "Callable[[Seen], None] | None"
) -> _Done:
    """Writes one picture after another; what is stopped by Ctrl-C keeps what was done."""
    done = _Done(time.perf_counter())
    try:
        for seen in pictures:
            writer.add(seen)
            done.count += 1
            if seen.problem:
                done.problems.append(str(seen.problem))
            elif draw:
                draw(seen)
            done.alone += not seen.people and not seen.problem
    except KeyboardInterrupt:
        done.stopped = True
    return done


def _boxed(cfg: DictConfig, job: Job, source: "Files | Video") -> "Boxed | None":
    """What gives a picture its people; None where each picture is one."""
    if cfg.boxes == "whole":
        return None
    from heatmap_research.inference import boxes, detector

    file = Path(str(cfg.boxes)).expanduser()
    if file.suffix == ".onnx":
        return detector.opened(file, **cfg.detector)
    annotations = Path(cfg.annotations).expanduser() if cfg.annotations else None
    category = job.config.data.get("category")
    try:
        listing = boxes.read(file, annotations, category)
        boxes.refuse_shared(file, getattr(source, "names", ()), listing)
    except ValueError as error:
        words = str(error)
        raise IncompatibleError(f"boxes={words.removeprefix('boxes=')}") from error
    return partial(boxes.placed, listing=listing)


def _refuse(cfg: DictConfig) -> None:
    for key, others in (("flip_test", (None,)), ("half", ()), ("show", ("maps",))):
        if not isinstance(cfg[key], bool) and cfg[key] not in others:
            choices = " or ".join(["true", "false", *filter(None, others)])
            raise IncompatibleError(f"{key}={cfg[key]}: choose {choices}.")
    if not isinstance(cfg.batch_size, int) or cfg.batch_size < 1:
        raise IncompatibleError(f"batch_size={cfg.batch_size}: give a whole number above 0.")
    if cfg.frames is not None and not (isinstance(cfg.frames, int) and cfg.frames > 0):
        raise IncompatibleError(f"frames={cfg.frames}: give a whole number above 0, or null.")
    if cfg.nms is not None and not (is_number(cfg.nms) and 0 <= cfg.nms <= 1):
        raise IncompatibleError(f"nms={cfg.nms}: give an OKS from 0 to 1, or null.")
    if not isinstance(cfg.detector.person, int) or cfg.detector.person < 0:
        raise IncompatibleError(
            f"detector.person={cfg.detector.person}: give the number of a class, from 0 on."
        )
    for key in ("least", "overlap"):
        if not is_number(cfg.detector[key]) or not 0 <= cfg.detector[key] <= 1:
            raise IncompatibleError(
                f"detector.{key}={cfg.detector[key]}: give a number from 0 to 1."
            )
    if cfg.on_error not in ("skip", "stop"):
        raise IncompatibleError(f"on_error={cfg.on_error}: choose skip or stop.")
    if _is_there(Path(cfg.out)):
        raise IncompatibleError(f"out={cfg.out}: it is there already; choose another folder.")


def _is_there(out: Path) -> bool:
    """Whether a prediction lies there; one killed as its two files got their names is none."""
    results, table = out / "results.json", out / "keypoints.csv"
    cut_off = table.with_name(f"{table.name}.partial").exists()
    return out.is_file() or table.exists() or (results.exists() and not cut_off)
