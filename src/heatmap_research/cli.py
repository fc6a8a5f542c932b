"""Runs a command through Hydra: where conf/ lies, and what went wrong in one line."""

import functools
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from heatmap_research.check import check_root, did_you_mean, readable_decoders, watched
from heatmap_research.types import IncompatibleError


def conf_folder() -> Path:
    """In a wheel the package brings its copy; a checkout has it at the top."""
    package = Path(__file__).parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


def run(name: str, job: Callable[[DictConfig], Any], config: str | None = None) -> None:
    """`heatmap-<name>`: composes conf/<config>.yaml with the command line and hands it to a job."""
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come to us instead of Hydra's own report
    errors = () if wants_traceback else (HydraException, OmegaConfBaseException, IncompatibleError)
    refused = []

    @functools.wraps(job)
    def guarded(cfg: DictConfig) -> Any:
        sweep, asked = in_sweep(), HydraConfig.get().overrides.task
        try:
            return job(cfg)
        except errors as error:
            refused.append(line := f"heatmap-{name}: {in_a_line(error)}")
            if sweep:  # the other jobs go on
                print(f"{line}  [{' '.join(asked)}]", file=sys.stderr)
            else:  # inside the job, where Hydra would add lines of its own
                sys.exit(line)

    main = hydra.main(
        version_base="1.3", config_path=str(conf_folder()), config_name=config or name
    )
    try:
        main(guarded)()
    except errors as error:
        sys.exit(f"heatmap-{name}: {in_a_line(error)}")
    except ValueError as error:
        if "group override" not in str(error):
            raise
        nulls = [word for word in sys.argv if re.fullmatch(r"\w+=null", word)]
        sys.exit(f"heatmap-{name}: {' '.join(nulls)}: to leave a group out, write ~GROUP.")
    if refused:
        sys.exit(f"heatmap-{name}: {len(refused)} of the jobs refused, as said above.")


def in_a_line(error: Exception) -> str:
    text = str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _no_such_option(error)
    if isinstance(error, OverrideParseException):
        return f"{error.override}: this cannot be read ({' '.join(text.split())})."
    if match := re.search(r"Could not override '([^']+)'", text):
        return f"{match[1]}: there is no such key.{did_you_mean(match[1], _known_keys())}"
    if match := re.search(r"Key '([^']+)' is not in struct", text):
        key = found[1] if (found := re.search(r"full_key: (\S+)", text)) else match[1]
        return f"{key}: there is no such key.{did_you_mean(key, _known_keys())}"
    if match := re.search(r"Missing mandatory value: (\S+)", text):
        return f"{match[1]}: nothing is given, and what was chosen needs it; add {match[1]}=..."
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if text.startswith("Caught ") and lines:  # in a process that loads data: its last words
        return lines[-1].partition(": ")[2] or lines[-1]
    return lines[0] if lines else type(error).__name__


def complete(cfg: DictConfig) -> list[str]:
    """Refuses keys nobody reads, and puts the decoders in place that `all` or `main` stands for.

    Returns those it leaves out, because they cannot read this codec's maps.
    """
    _refuse_additions(cfg)
    check_root(cfg)
    stood_for = _stood_for(cfg.decoder)
    if not stood_for:
        return []
    options = _decoders(tuple(stood_for))
    able = readable_decoders(cfg, options.decoder)
    named = {name: node for name, node in cfg.decoder.items() if "_target_" in _mapping(node)}
    with open_dict(cfg):
        cfg.decoder = {name: options.decoder[name] for name, reads in able.items() if reads} | named
    if "monitor" in cfg:
        watched(cfg)
    return [name for name, reads in able.items() if not reads and name not in named]


def _stood_for(decoders: DictConfig) -> list[str]:
    """A list stands for the options it names, anything else that is no decoder for every one."""
    names: list[str] = []
    for node in decoders.values():
        if isinstance(node, ListConfig):
            names += node
        elif "_target_" not in _mapping(node):
            names += GlobalHydra.instance().config_loader().get_group_options("decoder")
    return [name for name in dict.fromkeys(names) if name not in ("all", "main")]


def _mapping(node: Any) -> Any:
    return node if isinstance(node, DictConfig) else {}


@functools.cache
def _decoders(names: tuple[str, ...]) -> DictConfig:
    return hydra.compose(overrides=[f"+decoder=[{','.join(names)}]"])


def in_sweep() -> bool:
    return HydraConfig.get().mode == hydra.types.RunMode.MULTIRUN


def _no_such_option(error: MissingConfigException) -> str:
    path = str(error.missing_cfg_file)
    group, _, option = path.rpartition("/")
    known = list(error.options or []) or sorted(f.stem for f in conf_folder().glob(f"{group}/*"))
    return (
        f"{group}={option}: there is no such {group}; choose {', '.join(known)}."
        f"{did_you_mean(option, known)}"
    )


def _known_keys() -> list[str]:
    """Every key and group that conf/ names."""
    files = list(conf_folder().rglob("*.yaml"))
    keys = {key for file in files for key in re.findall(r"(?m)^\s*(\w+):", file.read_text())}
    return sorted(keys | {file.parent.name for file in files})


def _refuse_additions(cfg: DictConfig) -> None:
    """A key added by hand has a reader only where a signature, checked elsewhere, takes it."""
    for text in HydraConfig.get().overrides.task:
        if not text.startswith("+") or text.startswith("+change."):
            continue
        path = text.lstrip("+").partition("=")[0].partition("@")[0]
        parents = path.split(".")[:-1]
        nodes = [OmegaConf.select(cfg, ".".join(parents[: i + 1])) for i in range(len(parents))]
        if any(isinstance(node, DictConfig) and "_target_" in node for node in nodes):
            continue
        if (not parents and _is_group(path)) or (text.startswith("++") and _is_there(path)):
            continue
        raise IncompatibleError(
            f"{text.lstrip('+')}: nothing reads this key.{did_you_mean(path, _known_keys())}"
        )


def _is_there(path: str) -> bool:
    """Without the overrides that add it."""
    job = HydraConfig.get()
    rest = [text for text in job.overrides.task if not text.startswith("+")]
    missing = object()
    base = hydra.compose(job.job.config_name, rest)
    return OmegaConf.select(base, path, default=missing) is not missing


def _is_group(name: str) -> bool:
    return name in GlobalHydra.instance().config_loader().list_groups("")


def choices() -> dict[str, Any]:
    """Which option of each group this config was made of."""
    job = HydraConfig.get()
    chosen = {str(k): v for k, v in job.runtime.choices.items()}
    changes = [text for text in job.overrides.task if re.match("(head|loss|stride)=", text)]
    if changes and chosen.get("arm"):
        chosen["arm"] = " ".join([chosen["arm"], "with", *changes])
    if str(chosen.get("experiment")).startswith("published/"):
        chosen["arm"] = chosen["experiment"]  # it chooses all that an arm does, and more
    return {name: choice for name, choice in chosen.items() if not name.startswith("hydra/")}
