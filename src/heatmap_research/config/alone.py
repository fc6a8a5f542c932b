"""A codec by itself, without a network, data or a run."""

from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException

from heatmap_research.codec.coordinate_codec import AnyCodec
from heatmap_research.config import instantiate
from heatmap_research.config.conf import conf_folder
from heatmap_research.config.error_words import in_words
from heatmap_research.config.job import prepare
from heatmap_research.types import IncompatibleError


def make_codec(**choices: Any) -> AnyCodec:
    """Builds what encodes and decodes, from the choices that heatmap-train takes.

    As in `make_codec(arm="simcc", image_size=[256, 192], stride=0.5, sigma=6)`.
    """
    asked = [f"{key}={_typed(value)}" for key, value in choices.items()]
    try:
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            job = prepare(compose("train", [*asked, "output_dir=."]), {})
            return job.codec_of(instantiate.make(job.config.head, "head"))
    except HydraException as error:
        raise IncompatibleError(in_words(error)) from error


def _typed(value: Any) -> str:
    """A value as it is typed on the command line."""
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_typed, value))}]"
    return "null" if value is None else str(value)
