"""Whether timm has a model, told from its source: to ask timm itself takes the import of torch."""

import re
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

from omegaconf import DictConfig

from heatmap_research.config import trusted
from heatmap_research.types import IncompatibleError

OURS = "heatmap_research.network.backbone.TimmBackbone"
REGISTERED = re.compile(r"^@register_model\ndef (\w+)\(", re.MULTILINE)


def refuse_unknown(backbone: DictConfig) -> None:
    """A name that occurs nowhere in timm's models; code of a user's own may have added to them."""
    name = backbone.get("name")
    if backbone.get("_target_") != OURS or not isinstance(name, str) or trusted.own():
        return
    model = name.partition(".")[0]
    elsewhere = ":" in name or "/" in name  # of a hub or a folder
    if elsewhere or not model.isidentifier() or any(_has(text, model) for text in _sources()):
        return
    known = [word for text in _sources() for word in REGISTERED.findall(text)]
    if not known:  # a timm that writes them otherwise
        return
    like = ", ".join(get_close_matches(model, known, n=3)) or "those of timm.list_models()"
    raise IncompatibleError(f"backbone.name={name} is not a timm model: choose {like}.")


def _sources() -> list[str]:
    spec = find_spec("timm")
    folders = (spec and spec.submodule_search_locations) or ()
    files = [file for folder in folders for file in Path(folder, "models").glob("*.py")]
    return [file.read_text(encoding="utf-8", errors="replace") for file in files]


def _has(text: str, model: str) -> bool:
    """As a function that makes it, or as an older name of one."""
    return f"def {model}(" in text or f"'{model}'" in text
