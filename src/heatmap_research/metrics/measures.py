"""Metrics as means over joints, by which runs are compared.

The module of such a metric has FIGURES, the names it answers to, and a function `measure`, which
returns the Measure of one of these names and None of others. It is found by being in this folder.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

import torch
from jaxtyping import Float, Shaped

from heatmap_research import metrics
from heatmap_research.types import Tensor

Columns = Mapping[str, Shaped[Tensor, " row"]]  # of predictions.parquet
PerRow = Float[Tensor, " row"]

CROP = ("x", "y", "x_true", "y_true", "visible")
SOURCE = (
    *("x_source", "y_source", "x_true_source", "y_true_source", "visible"),
    *("scale", "joint", "instance"),
)


@dataclass(frozen=True)
class Measure:
    """A weighted mean over the rows of predictions, of which each is a joint."""

    unit: str
    higher_is_better: bool
    columns: tuple[str, ...]  # those that `rows` reads
    rows: Callable[[Columns, Sequence[float]], tuple[PerRow, PerRow]]
    # from columns and OKS sigmas: each joint's value and weight


def named(figure: str) -> Measure:
    for module in _modules():
        if (measure := module.measure(figure)) is not None:
            return measure
    known = ", ".join(name for module in _modules() for name in module.FIGURES)
    raise ValueError(f"metric={figure}: choose one that rows of predictions give: {known}, AP.")


def away(columns: Columns, frame: str = "") -> Float[Tensor, "row 2"]:
    """The step from the true joint to the predicted one, in pixels of crop or source image."""
    offsets = [columns[f"{a}{frame}"].double() - columns[f"{a}_true{frame}"] for a in ("x", "y")]
    return torch.stack(offsets, dim=-1)


def _modules() -> list[ModuleType]:
    names = sorted(module.name for module in pkgutil.iter_modules(metrics.__path__))
    modules = [importlib.import_module(f"{metrics.__name__}.{name}") for name in names]
    return [module for module in modules if hasattr(module, "measure")]
