"""Put off torch's compiler, whose import takes a second, until something is compiled.

Lightning's modules, torchvision's and the first step of an optimiser import it all the same. What
they ask of it is answered as it would be: there is nothing to keep from being compiled, no graph
to break, and no module of its kind.
"""

import importlib
from collections.abc import Callable
from functools import cache, wraps
from inspect import isfunction
from typing import Any

from heatmap_research.config.lazy import imported, lazily

DYNAMO = "torch._dynamo"


def compiler_lazily() -> None:
    """Has `import torch._dynamo` cost nothing until something is compiled."""
    known: Any = {
        "graph_break": _no_graph,
        "disable": _kept_from_compiling,
        "OptimizedModule": _Optimized,
    }
    lazily(DYNAMO, **known)
    lazily(f"{DYNAMO}.utils", ["is_compile_supported"])


def _no_graph(*args: Any, **kwargs: Any) -> None:
    if dynamo := imported(DYNAMO):
        dynamo.graph_break(*args, **kwargs)


def _kept_from_compiling(
    function: Callable[..., Any] | None = None, *args: Any, **kwargs: Any
) -> Callable[..., Any]:
    """What `torch._dynamo.disable` is: what is compiled later does not look into the function."""
    if not isfunction(function):
        return importlib.import_module(f"{DYNAMO}.decorators").disable(function, *args, **kwargs)

    @cache
    def kept(dynamo: Any) -> Callable[..., Any]:
        return dynamo.disable(function, *args, **kwargs) if dynamo else function

    @wraps(function)
    def inner(*given: Any, **named: Any) -> Any:
        return kept(imported(DYNAMO))(*given, **named)

    inner._torchdynamo_disable = True  # type: ignore[attr-defined]  # by which it knows one
    return inner


class _Compiled(type):
    def __instancecheck__(cls, instance: object) -> bool:
        dynamo = imported(DYNAMO)
        return dynamo is not None and isinstance(instance, dynamo.OptimizedModule)

    def __subclasscheck__(cls, kind: type) -> bool:
        dynamo = imported(DYNAMO)
        return dynamo is not None and issubclass(kind, dynamo.OptimizedModule)


class _Optimized(metaclass=_Compiled):
    """Stands for the class of what torch has compiled."""
