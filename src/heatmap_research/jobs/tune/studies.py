"""Where studies are kept: an SQLite file or an Optuna journal, used by one process at a time."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalStorage

from heatmap_research.runs import whole_file
from heatmap_research.types import IncompatibleError, first_line

SQLITE, JOURNAL = (".db", ".sqlite"), (".journal", ".log")
ROW = b'{"op_code"'  # so each row of a journal begins
LATER = ("tune.looks",)  # not kept at first: what it decides on is compared too


@contextmanager
def opened(place: str) -> Iterator[BaseStorage]:
    """Opens the storage in a file; a process that was killed does not keep others away."""
    file = Path(place)
    if file.suffix not in SQLITE + JOURNAL:
        raise _refusal(f"{place}: give FILE.db (SQLite) or FILE.journal")
    file.parent.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with file.with_name(f".{file.name}.busy").open("w") as busy:
        try:
            fcntl.flock(busy, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _refusal(f"{place}: another heatmap-tune is at work on it") from error
        with whole_file.naming({file: file}):  # SQLite has words of its own for a full disk
            yield _storage(file)


def study(
    storage: BaseStorage, name: str, maximise: bool, asked: Mapping[str, Any]
) -> optuna.Study:
    """The study of this name, new or to go on with; what was asked of it must stay the same."""
    kept = optuna.create_study(
        study_name=name,
        storage=storage,
        direction="maximize" if maximise else "minimize",
        load_if_exists=True,
    )
    known = kept.user_attrs.get("asked")
    if known is None:
        kept.set_user_attr("asked", dict(asked))
        return kept
    known = {key: asked.get(key) for key in LATER} | known
    if differing := [key for key in asked | known if known.get(key) != asked.get(key)]:
        key = differing[0]
        more = f", and {len(differing) - 1} more differ" if len(differing) > 1 else ""
        raise _refusal(
            f"holds a study of {name} with {key}={known.get(key)}, now {asked.get(key)}{more}"
        )
    return kept


def _storage(file: Path) -> BaseStorage:
    """Deletes a journal's lock, which a killed process may leave; ours says nobody holds it."""
    Path(f"{file}.lock").unlink(missing_ok=True)
    if file.suffix in JOURNAL and file.exists():
        _cut_half_a_row(file)
    try:
        if file.suffix in SQLITE:
            return RDBStorage(f"sqlite:///{file}")
        return JournalStorage(JournalFileBackend(str(file), JournalFileOpenLock(str(file))))
    except Exception as error:  # SQLAlchemy's, Alembic's or Optuna's
        raise _refusal(f"{file}: this is no study's file ({first_line(error)})") from error


def _cut_half_a_row(journal: Path) -> None:
    """Takes away what a full disk left of the last row, which the next one would be written behind.

    Optuna passes over it where it is the last, and can read no row behind it.
    """
    content = journal.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content) and content.startswith(ROW):
        os.truncate(journal, whole)


def _refusal(why: str) -> IncompatibleError:
    return IncompatibleError(f"tune.storage: {why}.")
