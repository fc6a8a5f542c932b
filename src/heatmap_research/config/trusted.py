"""Which code a config may name. A config may come from elsewhere, and what it names is executed."""

import inspect
import os
import re
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import hydra.utils
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.resolvers import oc

from heatmap_research.types import IncompatibleError

# Modules of which any class may be made: to make one does nothing but to keep its arguments.
CLASSES = (
    *(f"heatmap_research.{room}" for room in ("codec", "data", "metrics", "network", "training")),
    *("heatmap_research.analysis.comparison.contrast", "heatmap_research.types"),
    *("timm.layers", "timm.loss", "timm.optim", "timm.scheduler", "torchmetrics"),
    *("torch.nn", "torch.optim", "torchvision.ops", "torchvision.transforms"),
    *(
        f"{lightning}.{room}"
        for lightning in ("pytorch_lightning", "lightning.pytorch")
        for room in ("Trainer", "trainer.trainer", "callbacks", "loggers", "plugins", "profilers")
    ),
    *("optuna.pruners", "optuna.samplers"),
)
FUNCTIONS = (
    "heatmap_research.data.annotations.first_folder",
    "heatmap_research.data.annotations.schema_of",
    "hydra.utils.get_object",  # whose path is looked at likewise
)
OWN = "HEATMAP_TRUST"  # the environment's list of a user's own modules, and of its variables
ASKED = "HEATMAP_TRUST_VARIABLES"  # those that the command line asks for; never of modules
FOLDERS = ("run=", "resume=", "weights=")  # a name that a stranger gave a folder asks for nothing
OURS = "HEATMAP_"  # how variables begin that are no secrets
KNOWN = "this package, torch, torchvision, timm, torchmetrics and pytorch_lightning"


def without_trust(arguments: Sequence[str]) -> list[str]:
    """The command line without trust=MODULE, which holds for this process and those it starts.

    It trusts, too, the variables of the environment that it asks for itself.
    """
    given = [word.partition("=")[2] for word in arguments if word.startswith("trust=")]
    if given:
        os.environ[OWN] = ",".join([*own(), *(word.strip("[]") for word in given)])
    words = " ".join(word for word in arguments if not word.startswith(FOLDERS))
    if asked := re.findall(r"\$\{\s*oc\.env:\s*[\"']?(\w+)", words):
        os.environ[ASKED] = ",".join([*_listed(ASKED), *asked])
    return [word for word in arguments if not word.startswith("trust=")]


def of_environment(name: str, *default: str | None) -> str | None:
    """What `${oc.env:NAME}` stands for: a secret would be written down wherever the config is."""
    if not name.startswith(OURS) and name not in (*own(), *_listed(ASKED)):
        raise IncompatibleError(
            f"${{oc.env:{name}}}: a config may ask for variables of the environment that begin "
            f"with {OURS}. If this one is no secret, add trust={name}."
        )
    return oc.env(name, *default)


def guard_environment() -> None:
    """In a command; in somebody's own program `oc.env` stays what it is."""
    OmegaConf.register_new_resolver("oc.env", of_environment, replace=True)


if "heatmap_research.commands" in sys.modules:
    guard_environment()


def refuse_unknown(node: Any, path: str) -> None:
    """Refuses a part of a config that, at any depth, names code that it may not name."""
    if isinstance(node, (DictConfig, dict)):
        for key, value in node.items():
            if key == "_target_":
                _refuse_unknown_target(node, path)
            refuse_unknown(value, f"{path}.{key!s}")
    elif isinstance(node, (ListConfig, list, tuple)):
        for place, value in enumerate(node):
            refuse_unknown(value, f"{path}[{place}]")


def located(target: Any, path: str) -> Any:
    """What a config names, imported only if it may be named."""
    mine = own()
    if not (
        isinstance(target, str) and (target in FUNCTIONS or _within(target, (*CLASSES, *mine)))
    ):
        raise _refusal(target, path)
    try:
        found = _object(target)
    except (ImportError, AttributeError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1]
        lacks = error.__cause__.name if isinstance(error.__cause__, ModuleNotFoundError) else None
        if lacks and not _within(target, (lacks,)):  # but what it imports
            reason = f"it needs the package {lacks}, which is not installed."
        raise IncompatibleError(f"{path}={target} cannot be had: {reason}") from error
    home = str(getattr(found, "__module__", ""))  # else a path through modules leads anywhere
    of_class = inspect.isclass(getattr(found, "__self__", found))
    known = target in FUNCTIONS or _within(home, mine) or (of_class and _within(home, CLASSES))
    if callable(found) and not known:
        raise _refusal(target, path)
    return found


_object = cache(hydra.utils.get_object)


def _refuse_unknown_target(node: Any, path: str) -> None:
    found = located(node["_target_"], f"{path}._target_")
    if found is hydra.utils.get_object:
        located(node.get("path"), f"{path}.path")


def own() -> list[str]:
    return _listed(OWN)


def _listed(variable: str) -> list[str]:
    return [name for name in os.environ.get(variable, "").split(",") if name]


def _within(name: str, modules: Iterable[str]) -> bool:
    return any(f"{name}.".startswith(f"{module}.") for module in modules)


def _refusal(target: Any, path: str) -> IncompatibleError:
    return IncompatibleError(
        f"{path}={target}: a config may name classes of {KNOWN}, as far as they are options. If "
        f"this is your own, or you know what it does, add trust={str(target).partition('.')[0]}."
    )
