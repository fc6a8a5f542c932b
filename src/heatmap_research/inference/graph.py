"""A network traced into a graph, written to a file, and run from that file again."""

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from heatmap_research.codec.grid import Grid
from heatmap_research.codec.protocols import Decoder
from heatmap_research.inference.parity import Answerer
from heatmap_research.types import Heatmap, IncompatibleError, Position, Tensor, first_line

OPSET = 18  # the least that the exporter writes


class TracingError(IncompatibleError):
    """Something that no graph for batches of any size can say."""


def traced(model: nn.Module, *inputs: Tensor) -> ExportedProgram:
    """A graph for batches of any size; the inputs are examples, of at least two."""
    any_size = tuple({0: Dim("batch")} for _ in inputs)
    try:
        with _quiet(), torch.no_grad():
            return torch.export.export(model, inputs, dynamic_shapes=any_size, strict=False)
    except Exception as error:  # what a model does that cannot be traced raises anything
        raise TracingError(first_line(error)) from error


def traceable(decoder: Decoder, grid: Grid, joints: int) -> bool:
    """Whether a decoder by itself has a graph for maps of any number of people."""
    maps = [torch.rand(2, joints, *shape) for shape in grid.shapes]
    try:
        return all(traced(_Alone(decoder, grid.stride), heatmap) for heatmap in maps)
    except TracingError:
        return False


def write_onnx(
    program: ExportedProgram, names: list[str], facts: Mapping[str, Any], file: Path
) -> None:
    with _quiet(), torch.no_grad():
        made = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=OPSET,
            input_names=["image"],
            output_names=names,
            verbose=False,
        )
    assert made is not None
    made.model.metadata_props.update(_as_json(facts))
    made.save(file, external_data=False)


def say(facts: Mapping[str, Any], file: Path) -> None:
    """Puts these facts into a file, in place of what a tool has left there."""
    import onnx

    model = onnx.load(file)
    onnx.helper.set_model_props(model, _as_json(facts))
    onnx.save(model, file)


def _as_json(facts: Mapping[str, Any]) -> dict[str, str]:
    return {key: json.dumps(value) for key, value in facts.items()}


def write_torch(
    program: ExportedProgram, names: list[str], facts: Mapping[str, Any], file: Path
) -> None:
    with _quiet(), file.open("wb") as stream:
        torch.export.save(program, stream, extra_files={"metadata.json": json.dumps(facts)})


def run_onnx(file: Path) -> Answerer:
    """What the graph in a file answers, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors alone
    session = onnxruntime.InferenceSession(file, options, ["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(image: Tensor) -> dict[str, Tensor]:
        answers = session.run(None, {"image": image.numpy()})
        return dict(zip(names, map(torch.from_numpy, answers), strict=True))

    return run


def run_torch(file: Path) -> Answerer:
    with file.open("rb") as stream:
        return torch.export.load(stream).module()


class _Alone(nn.Module):
    def __init__(self, decoder: Decoder, stride: float) -> None:
        super().__init__()
        self.decode = partial(decoder, stride=stride)

    def forward(self, heatmap: Heatmap) -> Position:
        return self.decode(heatmap)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps to itself what the exporter says of its own inside."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
