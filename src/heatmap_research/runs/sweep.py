"""Jobs of a sweep: where each is kept, which were done before, and how all of them ended."""

import fcntl
import json
import logging
import re
import shutil
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from heatmap_research.runs import store
from heatmap_research.runs.store import RunStore
from heatmap_research.types import IncompatibleError

log = logging.getLogger(__name__)

OURS = (IncompatibleError, HydraException, OmegaConfBaseException)  # refusals, no crashes
LONGEST = 80  # characters of a folder's readable part
OLDER = ".older"  # what changed code did anew; not looked into when runs are searched
AROUND = {".hydra", ".lock", "train.log"}  # in a job's folder before it has begun


@dataclass(frozen=True)
class Sweep:
    folder: Path
    began: float

    def unfinished(self, record: Mapping[str, Any], folder: Path) -> str | None:
        """What became of a job of this sweep that did not come to its end."""
        status = record.get("status")
        if status == "finished" or (folder / "run.json").stat().st_mtime < self.began:
            return None
        if status == "running":
            return "killed" if _is_free(folder) else None
        return f"{status}: {_first_line(record.get('error'))}" if record.get("error") else status


_begun: list[Sweep] = []  # by this process


class Begun(Callback):
    """Hydra's hook: tells the command, which composes no config itself, where its sweep is."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        with suppress(OmegaConfBaseException):  # a wrong name: the sweep itself says so
            _begun.append(Sweep(Path(config.hydra.sweep.dir).absolute(), time.time() - 1))


def begun() -> bool:
    return bool(_begun)


def folder_of_study(study: str | None, otherwise: str) -> str:
    if not study:
        return f"outputs/{otherwise}"
    if study in (".", "..") or Path(study).name != study:
        raise IncompatibleError(f"study={study}: give a name, not a path; outputs/studies has it.")
    return f"outputs/studies/{study}"


def folder_of_job(_root_: DictConfig) -> str:
    """What was asked for, to be read by people, and a hash of the config, to be its alone."""
    config: Any = OmegaConf.to_container(_root_, resolve=False)
    digest = store.config_hash(config)[:8]
    job = HydraConfig.get()
    if known := sorted(Path(job.sweep.dir).glob(f"*-{digest}")):  # named when other keys varied
        return known[0].name
    same = job.job.config.override_dirname.exclude_keys
    asked = [text for text in job.overrides.task if _key(text) not in same]
    words = sorted(_word(text, job.runtime.choices) for text in asked)
    readable = "-".join(dict.fromkeys(word for *_, word in words if word))[:LONGEST].strip("-_.")
    return f"{readable or 'job'}-{digest}"


OmegaConf.register_new_resolver("folder_of_study", folder_of_study, replace=True)
OmegaConf.register_new_resolver("folder_of_job", folder_of_job, replace=True)


@contextmanager
def claimed(folder: Path) -> Iterator[bool]:
    """Whether no other process is at this job. The lock goes with its process, even if killed."""
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            yield False
            return
        except OSError:  # a file system without locks
            pass
        yield True


def finished(folder: Path, identity: Mapping[str, Any]) -> Path | None:
    """Where, in this sweep's folder, the same config has been run by the same code."""
    for place in (folder, *sorted(file.parent for file in folder.parent.glob("*/run.json"))):
        record = _record(place)
        if record.get("status") == "finished" and _same(record, identity):
            return place
    return None


def identity(config: Mapping[str, Any]) -> dict[str, Any]:
    source = store.source_version()["source_hash"]
    return {"config_hash": store.config_hash(config), "source_hash": source}


def goes_on(store: RunStore, identity: Mapping[str, Any]) -> bool:
    """Whether there is a checkpoint of the same; if not, the folder is made as new."""
    if _same(_record(store.folder), identity) and (store.checkpoints / "last.ckpt").exists():
        return True
    shelve(store.folder)
    if store.record.exists() and not _record(store.folder):
        log.warning(f"  {store.record} cannot be read: this job is trained anew")
    store.clear()
    return False


def shelve(folder: Path) -> None:
    """Keeps what another version of the code finished here, out of the way of those who read."""
    if _record(folder).get("status") != "finished":
        return
    shelf = folder.parent / OLDER
    number = len(list(shelf.glob(f"{folder.name}-*")))
    place = shelf / f"{folder.name}-{number}"
    place.mkdir(parents=True)
    shutil.copytree(folder / ".hydra", place / ".hydra", dirs_exist_ok=True)
    for item in folder.iterdir():
        if item.name not in AROUND:
            item.rename(place / item.name)
    log.info(f"  finished before by other code, kept in {place}")


def leave(folder: Path) -> None:
    """Takes away the folder that Hydra made for a job that was done elsewhere."""
    if {item.name for item in folder.iterdir()} <= AROUND:
        shutil.rmtree(folder)


@contextmanager
def failures_recorded(store: RunStore, cfg: DictConfig, choices: dict[str, Any]) -> Iterator[None]:
    """Also of a job that came to nothing before its run began to keep a record."""
    before = _stamp(store)
    try:
        yield
    except Exception as error:
        recorded = _stamp(store) != before and _record(store.folder).get("status") == "failed"
        shelve(store.folder)
        if not isinstance(error, OURS):
            lines = traceback.format_exception(error)
            (store.folder / "traceback.txt").write_text("".join(lines))
        if not recorded:
            known = bool(_record(store.folder))  # an earlier try, which may be gone on with
            if not known:
                store.record.unlink(missing_ok=True)  # damaged
            store.update(**_ending(error), **({} if known else _early(cfg, choices)))
        raise


def _ending(error: Exception) -> dict[str, str]:
    if isinstance(error, OURS):
        return {"status": "refused", "error": str(error)}
    return {"status": "failed", "error": f"{type(error).__name__}: {error}"}


def _early(cfg: DictConfig, choices: dict[str, Any]) -> dict[str, Any]:
    """What can be said of a config that may not resolve."""
    config: Any = OmegaConf.to_container(cfg, resolve=False)
    return {
        "config": config,
        "config_hash": store.config_hash(config),
        "choices": choices,
        "decoders": list(config["decoder"]),
        **{name: config[name] for name in ("seed", "study")},
        **store.source_version(),
    }


def _stamp(store: RunStore) -> int:
    return store.record.stat().st_mtime_ns if store.record.exists() else 0


def conclude() -> list[str]:
    """Says what this process's sweep has come to, by the records of its folder.

    Returns a line for each job that it leaves unfinished.
    """
    if not _begun:
        return []
    sweep = _begun[-1]
    folders = sorted(file.parent for file in sweep.folder.glob("*/run.json"))
    records = {folder: _record(folder) for folder in folders}
    tally = Counter(str(record.get("status", "unreadable")) for record in records.values())
    if records:
        counted = ", ".join(f"{number} {status}" for status, number in sorted(tally.items()))
        print(f"{sweep.folder}: {counted}")
    found = {folder: sweep.unfinished(record, folder) for folder, record in records.items()}
    return [f"{folder.name}: {what}" for folder, what in found.items() if what]


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def _word(override: str, groups: Any) -> tuple[bool, bool, bool, str]:
    """In order: groups, values of the root, the seed, values within groups."""
    key, value = _key(override), override.partition("=")[2]
    path = key.partition("@")[0].split(".")
    incidental = set(path) & store.INCIDENTAL or (key == "experiment" and "/" not in value)
    named = value if key in groups else f"{path[-1]}_{value}"
    word = "" if incidental else re.sub(r"(?:[^\w.]|_)+", "_", named).strip("_")
    return len(path) > 1, key == "seed", key not in groups, word


def _record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / "run.json").read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _same(record: Mapping[str, Any], identity: Mapping[str, Any]) -> bool:
    return all(record.get(key) == value for key, value in identity.items())


def _is_free(folder: Path) -> bool:
    with claimed(folder) as free:
        return free


def _first_line(text: Any) -> str:
    return next(iter(str(text).strip().splitlines()), "")
