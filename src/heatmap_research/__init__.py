"""Controlled comparisons of how keypoints are represented.

Importing this imports nothing else: each name of `__all__` brings its module at its first use.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heatmap_research.codec.codec import Codec
    from heatmap_research.config.alone import make_codec
    from heatmap_research.inference.model import Model, load
    from heatmap_research.inference.predictor import Person
    from heatmap_research.runs.frame import read_runs

try:
    __version__ = version("heatmap-research")
except PackageNotFoundError:  # the source is on the path without having been installed
    __version__ = "unknown"

_MODULES = {
    "load": "inference.model",
    "Model": "inference.model",
    "Person": "inference.predictor",
    "Codec": "codec.codec",
    "make_codec": "config.alone",
    "read_runs": "runs.frame",
}
__all__ = ["Codec", "Model", "Person", "load", "make_codec", "read_runs"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
