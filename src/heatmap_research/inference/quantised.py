"""The same network in fewer bits: 16-bit floats, or 8-bit integers by onnxruntime's static rules.

Normalisation, activation and decoder stay in float32; the network between them does not.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx import GraphProto, ModelProto, NodeProto
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxscript.optimizer import fold_constants
from torch import nn

from heatmap_research.training.task import KeypointTask
from heatmap_research.types import IncompatibleError, Tensor, first_line

SCOPES = "pkg.torch.onnx.name_scopes"  # of a node: the modules that it comes of
TRUNK = re.compile(r"task\.net\.(neck|backbone\.\w+)$")  # a backbone itself normalises
NETWORK = re.compile(r"task\.net\.(neck|head|backbone\.\w+)$")
WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")  # where nearly all of the work is
BATCH = 8  # crops that are calibrated on at once


def halved(task: KeypointTask) -> KeypointTask:
    """A copy whose network works in 16 bits, from the normalised image to the scores."""
    copy = deepcopy(task)
    net: Any = copy.net
    trunk = list(net.backbone.children())
    for part in (*trunk, net.neck, net.head):
        part.half()
    for part in trunk:
        part.register_forward_pre_hook(_to_half)
    net.head.register_forward_hook(_to_float)
    return copy


def to_integers(exact: Path, crops: Tensor, file: Path, head: bool) -> None:
    """Writes the graph of `exact` with its network in 8 bits, the head's part only on demand.

    Weights are signed, with a scale for each channel; what flows between them is unsigned, with a
    scale for each tensor, from the lowest to the highest value that these crops give rise to.
    """
    model, part = _folded(exact), NETWORK if head else TRUNK
    names = [node.name for node in model.graph.node if _comes_of(node, part)]
    try:
        with _silent():
            quantize_static(
                model,
                file,
                _Crops(crops),
                quant_format=QuantFormat.QDQ,
                nodes_to_quantize=names,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
    except Exception as error:  # what its tools do not know raises anything
        raise IncompatibleError(
            f"onnxruntime cannot quantise this network ({first_line(error)}): choose "
            "precision=fp16 or float32."
        ) from error
    refuse(set(names), onnx.load(file).graph)


def _to_half(_: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(each.half() for each in given)


def _to_float(_: nn.Module, __: Any, scores: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(each.float() for each in scores)


def _folded(exact: Path) -> ModelProto:
    """A graph whose weights lie as they are used, also those that a flip test uses twice."""
    model = ir.load(exact)
    with _silent():
        fold_constants(model, should_fold=lambda node: node.op_type == "Transpose" or None)
    return ir.to_proto(model)


def _comes_of(node: NodeProto, part: re.Pattern[str]) -> bool:
    scopes = next((each.value for each in node.metadata_props if each.key == SCOPES), "")
    modules = scopes.split("'")[1::2][:-1]  # the last is the node itself
    return any(map(part.match, modules))


def refuse(names: set[str], graph: GraphProto) -> None:
    """Refuses a graph in which an operation with weights has kept them in float32."""
    weights = {each.name for each in graph.initializer}
    ours = [node for node in graph.node if node.name in names and node.op_type in WEIGHTED]
    left = [node for node in ours if weights & set(node.input)]
    if left or not ours:
        what = ", ".join(sorted({node.op_type for node in left})) or "no operation with weights"
        raise IncompatibleError(
            f"onnxruntime cannot quantise this network ({what}): choose precision=fp16 or float32."
        )


class _Crops(CalibrationDataReader):
    def __init__(self, crops: Tensor) -> None:
        self.batches = iter(crops.split(BATCH))

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self.batches, None)
        return None if batch is None else {"image": batch.numpy()}


@contextmanager
def _silent() -> Iterator[None]:
    """Keeps to itself what onnxruntime's tools say, which goes to the root of all loggers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
