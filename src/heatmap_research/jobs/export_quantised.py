"""A graph in fewer bits, and what these cost: said at once, and kept in the file."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from heatmap_research.config.job import Job
from heatmap_research.inference import graph, parity, quantised
from heatmap_research.inference.answering import Answering
from heatmap_research.inference.parity import Answerer
from heatmap_research.jobs import export_steps as steps
from heatmap_research.jobs.export_steps import Crops
from heatmap_research.metrics.pixel_error import is_counted, length
from heatmap_research.runs.whole_file import written
from heatmap_research.types import IncompatibleError, Sample, Tensor, first_line


def calibration(job: Job, precision: str, count: int) -> Tensor | None:
    """The last crops of val, of which integers take their ranges; none for 16-bit floats."""
    if precision == "fp16":
        return None
    try:
        return steps.of_val(job, slice(-count, None)).image.cpu()
    except (IncompatibleError, OSError) as error:
        raise IncompatibleError(
            f"precision={precision}: the ranges of integers are those of the run's val images, "
            f"which cannot be read ({first_line(error)}): bring them, or choose precision=fp16."
        ) from error


def to_graph(
    model: Answering, about: dict[str, Any], out: Path, crops: Crops, ranges: Tensor | None
) -> str:
    """Writes one in float32 first, which has to answer as the run does; says what bits cost."""
    precision = about["precision"]
    with TemporaryDirectory() as folder, written(out) as unsure:
        exact = Path(folder) / "exact.onnx"
        steps.to_graph(model, "onnx", about, exact, crops.image)
        if ranges is None:
            _write_half(model, unsure, crops.image)
        else:
            quantised.to_integers(exact, ranges, unsure, head=precision == "int8")
        cost = cost_of(graph.run_onnx(exact), _opened(precision, unsure), crops)
        counted = {} if ranges is None else {"calibrated_on": len(ranges)}
        graph.say(about | {"cost": cost | counted}, unsure)
    return said(precision, cost)


def _write_half(model: Answering, file: Path, crops: Tensor) -> None:
    half = Answering(quantised.halved(model.task), model.maps, model.widening)
    example = crops[:1].repeat(2, 1, 1, 1)
    try:
        program = graph.traced(half, example)
    except graph.TracingError as error:
        raise IncompatibleError(
            f"precision=fp16: this network cannot be written in 16 bits ({error}): choose "
            "precision=float32."
        ) from error
    with torch.inference_mode():
        graph.write_onnx(program, list(model(example)), {}, file)


def _opened(precision: str, file: Path) -> Answerer:
    try:
        return graph.run_onnx(file)
    except Exception as error:  # onnxruntime has classes of its own for what it lacks
        raise IncompatibleError(
            f"precision={precision}: onnxruntime cannot run the graph ({first_line(error)}): "
            "choose another precision."
        ) from error


def cost_of(exact: Answerer, fewer: Answerer, crops: Crops) -> dict[str, Any]:
    """How far answers move, and how far from the truth they were and are, where it is known."""
    apart = parity.apart(exact, fewer, crops.image)
    if not all(each.isfinite().all() for each in apart.values()):
        raise IncompatibleError(
            "in this precision some answers are no numbers, as where the network's are greater "
            "than 65504: no file is left; choose another precision."
        )
    moved = {
        each.name: {"mean": float(apart[each.name].mean()), "largest": each.value}
        for each in parity.largest(apart)
    }
    cost: dict[str, Any] = {"crops": crops.whose, "moved": moved}
    if crops.labelled is not None:
        runs = {"float32": exact, "fewer_bits": fewer}
        cost["error"] = {name: _error(run, crops.labelled) for name, run in runs.items()}
    return cost


def _error(run: Answerer, sample: Sample) -> float:
    """The mean distance from labelled joints, crop pixels."""
    found = [run(part)["keypoints"] for part in sample.image.cpu().split(parity.BATCH)]
    away = length(torch.cat(found) - sample.keypoints.cpu())
    return float(away[is_counted(sample.visible.cpu(), "labelled")].mean())


def said(precision: str, cost: Mapping[str, Any]) -> str:
    moved = [
        f"{name} {each['mean']:.2g} (at most {each['largest']:.2g}){parity.unit(name)}"
        for name, each in cost["moved"].items()
    ]
    line = f"{precision} moves answers on {cost['crops']}, in the mean: {', '.join(moved)}"
    if "error" not in cost:
        return line
    before, after = cost["error"].values()
    return (
        f"{line}\nmean error on {cost['crops']}: {before:.4f} px in float32, {after:.4f} px in "
        f"{precision} ({after - before:+.4f} px)"
    )
