"""A trained network written to a file that needs none of this code, and checked at once."""

import logging
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile

from omegaconf import DictConfig

from heatmap_research.config import of_run
from heatmap_research.config.instantiate import with_values
from heatmap_research.inference import calibrated
from heatmap_research.types import IncompatibleError

log = logging.getLogger(__name__)

SUFFIXES = {"onnx": ".onnx", "torch_export": ".pt2", "safetensors": ""}
EXACT = "float32"
PRECISIONS = (EXACT, "fp16", "int8", "int8_float_head")
PACKAGES = ("onnx", "onnxruntime", "onnxscript")


def export(cfg: DictConfig) -> None:
    _refuse(cfg)
    folder = Path(cfg.run)
    job = of_run.read_by_one(folder, cfg.decoder or None, cfg.flip_test)
    out = _out(cfg, folder, next(iter(job.codec.decoders)))
    weights = of_run.weights_of(folder, cfg.checkpoint)
    widening = calibrated.factor(job, folder, weights, cfg.covariance)
    # torch: after the config has been looked at
    from heatmap_research.jobs import export_steps as steps

    task = steps.task(job, weights)
    if cfg.maps and not task.codec.grid.ndim:
        raise IncompatibleError("maps=true: this run answers with coordinates; it has no maps.")
    if cfg.format != "safetensors" and not steps.has_graph(task):
        every = with_values(of_run.stored(folder), decoder={"all": True})
        steps.refuse_decoder(task, of_run.job_of(every, folder).codec.decoders)
    about = steps.facts(job, task, folder) | {"precision": cfg.precision, "widening": widening}
    crops = steps.crops(job, cfg.crops)
    model = steps.Answering(task, cfg.maps, widening or 1.0)
    if cfg.precision != EXACT:
        # onnx, which nothing else needs
        from heatmap_research.jobs import export_quantised as quantised

        ranges = quantised.calibration(job, cfg.precision, cfg.calibrate)
        said = quantised.to_graph(model, about, out, crops, ranges)
    elif cfg.format == "safetensors":
        said = steps.said(steps.to_hub(job, task, about, out, crops.image), crops)
    else:
        found = steps.to_graph(model, cfg.format, about, out, crops.image)
        said = steps.said(found, crops)
    of_covariances = calibrated.words(job, widening, cfg.covariance)
    decoder = next(iter(job.codec.decoders))
    log.info(f"{out}: decoder={decoder}, {steps.megabytes(out)} MB{of_covariances}")
    log.info(said)


def _refuse(cfg: DictConfig) -> None:
    if cfg.format not in SUFFIXES:
        raise IncompatibleError(f"format={cfg.format}: choose {', '.join(SUFFIXES)}.")
    if cfg.maps not in (True, False):
        raise IncompatibleError(f"maps={cfg.maps}: choose true or false.")
    if cfg.flip_test not in (True, False, None):
        raise IncompatibleError(f"flip_test={cfg.flip_test}: choose true, false or null.")
    if not isinstance(cfg.crops, int) or cfg.crops < 2:
        raise IncompatibleError(f"crops={cfg.crops}: give a whole number, at least 2.")
    if not isinstance(cfg.calibrate, int) or cfg.calibrate < 1:
        raise IncompatibleError(f"calibrate={cfg.calibrate}: give a whole number, at least 1.")
    if cfg.precision not in PRECISIONS:
        raise IncompatibleError(f"precision={cfg.precision}: choose {', '.join(PRECISIONS)}.")
    if cfg.precision != EXACT and cfg.format != "onnx":
        raise IncompatibleError(
            f"precision={cfg.precision}: format={cfg.format} is written in float32; choose "
            "format=onnx."
        )
    if cfg.maps and cfg.format == "safetensors":
        raise IncompatibleError("maps=true: safetensors holds weights; choose another format.")
    if cfg.format == "onnx" and (missing := [p for p in PACKAGES if find_spec(p) is None]):
        raise IncompatibleError(
            f"format=onnx needs {', '.join(missing)}: pip install 'heatmap-research[export]', or "
            "choose format=torch_export or safetensors."
        )


def _out(cfg: DictConfig, folder: Path, decoder: str) -> Path:
    if cfg.out:
        out = Path(cfg.out).expanduser()
    else:
        bits = "" if cfg.precision == EXACT else f".{cfg.precision}"
        out = folder / "export" / (decoder + bits + SUFFIXES[cfg.format])
    if out.exists():
        raise IncompatibleError(f"out={out}: it is there already; choose another.")
    if cfg.out and out.suffix != SUFFIXES[cfg.format]:
        ending = SUFFIXES[cfg.format]
        what = f"a file that ends in {ending}" if ending else "a new folder"
        raise IncompatibleError(f"out={out}: with format={cfg.format} give {what}.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out.parent):
            return out
    except OSError as error:
        raise IncompatibleError(
            f"out={out}: nothing can be written there ({error.strerror}); choose another place."
        ) from error
