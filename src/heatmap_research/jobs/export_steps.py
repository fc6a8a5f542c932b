"""From a job and its weights to a file, and from that file to what it answers."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from heatmap_research.codec.protocols import Decoder
from heatmap_research.config.job import Job
from heatmap_research.data.rendering.figures import Figures
from heatmap_research.inference import graph, hub, parity
from heatmap_research.inference.answering import Answering
from heatmap_research.inference.facts import of_job
from heatmap_research.inference.parity import Answerer, Difference
from heatmap_research.runs.store import RunStore
from heatmap_research.runs.whole_file import made, written
from heatmap_research.training import build
from heatmap_research.training.task import KeypointTask
from heatmap_research.types import IncompatibleError, Sample, Tensor, first_line

FORMATS = {
    "onnx": (graph.write_onnx, graph.run_onnx),
    "torch_export": (graph.write_torch, graph.run_torch),
}
DRAWN: dict[str, Any] = {  # crops to check on where there are no data: as data=synthetic has them
    **{"seed": 0, "marker": 1.0, "palette_cue": True, "occlusion": 0.0, "distractor": 0.0},
    **{"placement": "uniform", "margin": 0.06, "padding": 1.25, "scale_jitter": 0.25},
    **{"shift_jitter": 0.1, "point_spread": 0.5, "noise": 0.04, "downsample": 1, "edge": 1.25},
}


def task(job: Job, weights: Path) -> KeypointTask:
    made = build.build(build.wire(job), **build.without_weights(job.config))
    build.load_weights(made, weights)
    return made.eval()


class Crops(NamedTuple):
    """What a file is checked on."""

    image: Tensor
    whose: str
    labelled: Sample | None  # the same crops with their joints; none of those that were drawn


def crops(job: Job, count: int) -> Crops:
    """The first crops of val and whose they are; drawn ones where val cannot be read."""
    try:
        sample = of_val(job, slice(count))
        return Crops(sample.image.cpu(), f"{len(sample.image)} crops of val", sample)
    except (IncompatibleError, OSError) as error:
        figures = Figures(list(job.config.image_size), job.config.backbone.in_chans, **DRAWN)
        whose = f"{count} drawn figures (the run's data cannot be read: {first_line(error)})"
        return Crops(figures(torch.arange(count)), whose, None)


def of_val(job: Job, rows: slice) -> Sample:
    module = build.build_data(job)
    data = module.dataset("val")
    return module.collate([data[row] for row in range(len(data))[rows]])


def facts(job: Job, task: KeypointTask, folder: Path) -> dict[str, Any]:
    return of_job(job, task) | {"config_hash": RunStore(folder).read("config_hash")["config_hash"]}


def to_graph(
    model: Answering,
    kind: str,  # of FORMATS
    about: dict[str, Any],
    out: Path,
    crops: Tensor,
) -> list[Difference]:
    """Writes a graph; leaves no file where it answers otherwise than the network."""
    write, run = FORMATS[kind]
    example = crops[:1].repeat(2, 1, 1, 1)  # of one crop a graph would be for one
    with torch.inference_mode():
        names = list(model(example))
    try:
        program = graph.traced(model, example)
    except graph.TracingError as error:
        raise IncompatibleError(
            f"this network cannot be written as a graph ({error}): choose format=safetensors, or "
            "train with another backbone or head."
        ) from error
    return checked(out, partial(write, program, names, about), run, model, crops)


def checked(
    out: Path,
    write: Callable[[Path], None],
    run: Callable[[Path], Answerer],
    model: Answering,
    crops: Tensor,
) -> list[Difference]:
    """Writes a file, and keeps it only where it answers as the model does."""
    with written(out) as unsure:
        write(unsure)
        return _compared(model, run(unsure), crops)


def to_hub(
    job: Job, task: KeypointTask, about: dict[str, Any], out: Path, crops: Tensor
) -> list[Difference]:
    """Writes a folder, opens it as its user would, and removes it where that answers otherwise."""
    model = hub.model_of(job, about)
    model.load_state_dict(task.state_dict())
    with made(out, anew=True) as unsure:
        model.save_pretrained(unsure)
        (unsure / "README.md").unlink(missing_ok=True)  # says that it has been pushed to a hub
        opened = hub.opened(unsure).eval()
        whole = Answering(task, maps=False, widening=about["widening"] or 1.0)
        return _compared(whole, opened, crops)


def said(found: list[Difference], crops: Crops) -> str:
    return f"largest differences from the run on {crops.whose}: {', '.join(map(str, found))}"


def megabytes(out: Path) -> str:
    files = [out] if out.is_file() else [file for file in out.rglob("*") if file.is_file()]
    return f"{sum(file.stat().st_size for file in files) / 1e6:.1f}"


def _compared(model: Answering, run: Answerer, crops: Tensor) -> list[Difference]:
    found = parity.largest(parity.apart(model, run, crops))
    (decoder,) = model.task.codec.decoders
    parity.refuse(found, decoder, model.task.schema.names)
    return found


def has_graph(task: KeypointTask) -> bool:
    """Whether the decoder has a graph for any number of crops: it is traced by itself."""
    (decoder,), grid = task.codec.decoders.values(), task.codec.grid
    return not grid.ndim or graph.traceable(decoder, grid, task.schema.joints)


def refuse_decoder(task: KeypointTask, others: Mapping[str, Decoder]) -> None:
    """Names those of the others that have one; any of the same kind is not tried."""
    (name,), grid, joints = task.codec.decoders, task.codec.grid, task.schema.joints
    kind = type(task.codec.decoders[name])
    rest = {other: each for other, each in others.items() if type(each) is not kind}
    able = [other for other, each in rest.items() if graph.traceable(each, grid, joints)]
    raise IncompatibleError(
        f"decoder={name} cannot be written as a graph for any number of crops: choose "
        f"{', '.join(able)}, or format=safetensors."
    )
