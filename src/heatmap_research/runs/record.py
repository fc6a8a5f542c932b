"""run.json: what a run was asked for and what came of it. Written and read here alone."""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heatmap_research.runs import bounded_file, whole_file
from heatmap_research.runs.former_paths import with_current_paths
from heatmap_research.runs.source import PACKAGE, source_hash, source_version
from heatmap_research.types import IncompatibleError, in_a_line

VERSION = 1
NAME = "run.json"
# What every record of a run has, from its first moment on.
ALWAYS = {"version", "status", "config", "config_hash", "choices", "seed", "decoders"}
KINDS = {
    **{"config": dict, "choices": dict, "decoders": list, "metrics": dict, "versions": dict},
    **{"device": dict, "schema": dict, "status": str},
}
# Keys, at any depth, in which two runs of the same experiment may differ.
INCIDENTAL = {
    *("output_dir", "dirpath", "save_dir", "root", "cache", "logger", "launcher", "hydra"),
    *("study", "pictures", "resume", "workers", "accelerator", "devices", "device"),
    *("num_nodes", "strategy", "question", "also"),
}


OF_PLACE = ("name", "overwrite")  # root keys that say where a run is put, and nothing of it


EARLIER = "metrics.earlier.csv"  # while a training goes on, and after one that was killed
# Of a run.
FILES = (NAME, "predictions.parquet", "metrics.csv", EARLIER, "hparams.yaml", "train.log")
FOLDERS = (".hydra", "checkpoints", "results")


class DamagedRecordError(IncompatibleError):
    """A run.json that is missing, cut off, or not one of ours."""


def read(folder: Path, *needed: str) -> dict[str, Any]:
    """Reads run.json; refuses one that is damaged, or that lacks one of the keys needed."""
    try:
        record = json.loads(bounded_file.content(folder / NAME, bounded_file.WORDS))
    except FileNotFoundError as error:
        raise DamagedRecordError(f"run={folder}: there is no {NAME} in it.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(folder, in_a_line(error)) from error
    if not isinstance(record, dict):
        raise _unreadable(folder, "it is no record of a run")
    if odd := [name for name in KINDS if not _is_sound(record, name)]:
        raise _unreadable(folder, f"its {', '.join(odd)} is not what a run writes")
    if lacking := [name for name in needed if name not in record]:
        raise _unreadable(folder, f"it lacks {', '.join(lacking)}")
    return record


def read_or_empty(folder: Path) -> dict[str, Any]:
    """An empty record where there is none that can be read."""
    try:
        return read(folder)
    except DamagedRecordError:
        return {}


def _is_sound(record: Mapping[str, Any], name: str) -> bool:
    """Whether a value is of its kind, or is not there; null is allowed where a run may lack it."""
    value = record.get(name)
    if value is None:
        return name not in record or name not in ALWAYS
    names = value if name == "decoders" and isinstance(value, list) else []
    return isinstance(value, KINDS[name]) and all(isinstance(each, str) for each in names)


def asked(config: Mapping[str, Any], choices: Mapping[str, Any]) -> dict[str, Any]:
    """What a run was asked for and by which code, known before it begins."""
    return {
        "config": config,
        "config_hash": config_hash(config),
        "choices": dict(choices),
        "decoders": list(config["decoder"]),
        "seed": config["seed"],
        "study": config.get("study"),
        **source_version(),
    }


def reads_val_twice(config: Mapping[str, Any]) -> bool:
    """Whether test is val, so that what was chosen on people is also reported on them."""
    data = config.get("data") or {}
    return "test" in data and data["test"] == data.get("val")


def identity(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a record that tells whether the same has been run by the same code."""
    return {"config_hash": config_hash(config), "source_hash": source_hash(PACKAGE)}


def config_hash(config: Mapping[str, Any]) -> str:
    """Names an experiment: what was asked for, without where, how logged and on which device."""
    config = {key: config[key] for key in config if key not in OF_PLACE}
    kept = json.dumps(_essential(with_current_paths(config)), sort_keys=True)
    return hashlib.sha256(kept.encode()).hexdigest()[:16]


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """JSON has no nan: a figure that nothing was counted for is null."""
    whole_file.write(file, json.dumps(_plain(content), indent=1, allow_nan=False) + "\n")


def refuse_to_replace(file: Path) -> None:
    """Keeps what commands are asked to write from the place of a run's own files."""
    folder, above, *_ = file.absolute().parents
    own = (folder, file.name) if file.name in FILES else (above, folder.name)
    if file.exists() and own[1] in (*FILES, *FOLDERS) and (own[0] / NAME).is_file():
        raise ValueError(f"{file}: a run has left it; it is kept. Choose another place.")


def _essential(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _essential(item) for key, item in value.items() if key not in INCIDENTAL}
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _unreadable(folder: Path, why: str) -> DamagedRecordError:
    return DamagedRecordError(f"run={folder}: its {NAME} cannot be read ({why}).")
