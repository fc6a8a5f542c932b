"""Jobs of a sweep: which were done before, which go on, and how all of them ended."""

import fcntl
import logging
import shutil
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heatmap_research.runs import no_place, record, whole_file
from heatmap_research.runs.store import RunStore

log = logging.getLogger(__name__)

OLDER = ".older"  # what changed code did anew; not looked into when runs are searched
BEFORE_A_JOB = {".hydra", ".lock", "train.log"}  # in a job's folder before it has begun


@dataclass(frozen=True)
class Sweep:
    folder: Path
    began: float = field(default_factory=lambda: time.time() - 1)

    def conclude(self) -> list[str]:
        """Prints what this sweep came to; returns a line for each job that it leaves unfinished."""
        records = {folder: record.read_or_empty(folder) for folder in _jobs(self.folder)}
        tally = Counter(str(each.get("status", "unreadable")) for each in records.values())
        if records:
            counted = ", ".join(f"{number} {status}" for status, number in sorted(tally.items()))
            print(f"{self.folder}: {counted}")
        ends = {folder: self._unfinished(each, folder) for folder, each in records.items()}
        return [f"{folder.name}: {end}" for folder, end in ends.items() if end]

    def _unfinished(self, known: Mapping[str, Any], folder: Path) -> str | None:
        """How a job of this sweep ended, if it did not come to its end."""
        status = known.get("status")
        if status == "finished" or (folder / record.NAME).stat().st_mtime < self.began:
            return None
        if status == "running":
            with claimed(folder) as free:
                return "killed" if free else None
        lines = str(known.get("error") or "").strip().splitlines()
        return f"{status}: {lines[0]}" if lines else status


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
    """The folder, in this sweep, where the same config has been run by the same code."""
    done = {"status": "finished", **identity}
    places = (folder, *_jobs(folder.parent))
    return next((place for place in places if _same(record.read_or_empty(place), done)), None)


def goes_on(store: RunStore, identity: Mapping[str, Any]) -> bool:
    """Whether there is a checkpoint of the same job; if not, the folder is made as new."""
    known = record.read_or_empty(store.folder)
    if _same(known, identity) and (store.checkpoints / "last.ckpt").exists():
        return True
    shelve(store.folder)
    if store.record.exists() and not record.read_or_empty(store.folder):
        log.warning(f"  {store.record} cannot be read: this job is trained anew")
    store.clear()
    return False


def shelve(folder: Path) -> None:
    """Keeps what another version of the code finished here, out of the way of those who read."""
    if record.read_or_empty(folder).get("status") != "finished":
        return
    place = _on_the_shelf(folder)
    place.mkdir(parents=True)
    shutil.copytree(folder / ".hydra", place / ".hydra", dirs_exist_ok=True)
    for item in folder.iterdir():
        if item.name not in BEFORE_A_JOB:
            item.rename(place / item.name)
    log.info(f"  finished before by other code, kept in {place}")


def set_aside(folder: Path) -> Path:
    """Moves a run, or a part of one, to where earlier ones are kept; returns its new folder."""
    place = _on_the_shelf(folder)
    place.parent.mkdir(exist_ok=True)
    return folder.rename(place)


def leave(folder: Path) -> None:
    """Takes away the folder that was made for a job which was done elsewhere."""
    if {item.name for item in folder.iterdir()} <= BEFORE_A_JOB:
        shutil.rmtree(folder)


@contextmanager
def failures_recorded(
    store: RunStore, asked: Callable[[], dict[str, Any]], refusals: tuple[type[Exception], ...]
) -> Iterator[None]:
    """Records how a job failed, also one that came to nothing before its run kept a record.

    `asked` gives what was asked of it; `refusals` are errors that say all in their words.
    """
    before = _stamp(store)
    try:
        yield
    except Exception as error:
        known = record.read_or_empty(store.folder)
        recorded = _stamp(store) != before and known.get("status") == "failed"
        shelve(store.folder)
        refused = isinstance(error, refusals)
        if not refused:
            words = "".join(traceback.format_exception(error))
            whole_file.write(store.folder / "traceback.txt", words)
        if not recorded:
            facts = {}
            if not record.read_or_empty(store.folder):  # else an earlier try, to be gone on with
                store.record.unlink(missing_ok=True)  # damaged
                facts = asked()
            words = str(error) if refused else no_place.recorded(error)
            store.update(status="refused" if refused else "failed", error=words, **facts)
        raise


def _on_the_shelf(folder: Path) -> Path:
    shelf = folder.parent / OLDER
    return shelf / f"{folder.name}-{len(list(shelf.glob(f'{folder.name}-*')))}"


def _jobs(folder: Path) -> list[Path]:
    return sorted(file.parent for file in folder.glob(f"*/{record.NAME}"))


def _stamp(store: RunStore) -> int:
    return store.record.stat().st_mtime_ns if store.record.exists() else 0


def _same(known: Mapping[str, Any], identity: Mapping[str, Any]) -> bool:
    return all(known.get(key) == value for key, value in identity.items())
