"""Files that are there as a whole or not at all."""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile

PROBE = 1 << 16  # bytes


@contextmanager
def written(file: Path, suffix: str = "partial") -> Iterator[Path]:
    """Yields a second path to write to, and renames it, so that no reader sees half of the file.

    Writers of the same file at the same time need a suffix each; then the last one wins.
    """
    with together(file, suffix=suffix) as (partial,):
        yield partial


@contextmanager
def together(*files: Path, suffix: str = "partial") -> Iterator[list[Path]]:
    """The same for files that tell of each other: none is renamed before all are on the disk."""
    files = tuple(file.resolve() if file.is_symlink() else file for file in files)
    partials = [file.with_name(f"{file.name}.{suffix}") for file in files]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with naming(dict(zip(partials, files, strict=True))):
            yield partials
            for partial in partials:
                with partial.open("rb") as content:
                    os.fsync(content.fileno())
            for partial, file in zip(partials, files, strict=True):
                os.replace(partial, file)
    finally:
        for partial in partials:
            with suppress(OSError):  # it is not there, or its disk is only read
                partial.unlink()


def write(file: Path, text: str) -> None:
    if file.exists() and not file.is_file():  # a device or a pipe: nothing may take its place
        file.write_text(text, encoding="utf-8")
        return
    with written(file) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def made(folder: Path, anew: bool = False) -> Iterator[Path]:
    """Yields a new folder to fill, which gets its name when all is in it.

    Refuses to share its part with another process, or `anew` takes away that of one killed.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    if anew:
        shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        with naming({partial: folder}):
            yield partial
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def naming(places: Mapping[Path, Path]) -> Iterator[None]:
    """Has an error of the disk name the place that was asked for, and not its part.

    Libraries that write by themselves say of a full disk what they like; so the disk is asked.
    """
    try:
        yield
    except Exception as error:
        known = error if isinstance(error, OSError) and error.errno else None
        first = next(iter(places.values()))
        if not (refusal := known or _refusal(error, first.parent)):
            raise
        name = str((known and known.filename) or first)
        for partial, place in places.items():
            name = name.replace(str(partial), str(place))
        raise OSError(refusal.errno, os.strerror(refusal.errno or 0), name) from error


@contextmanager
def among(*folders: Path) -> Iterator[None]:
    """Has an error of a disk that names no file name that of these folders which takes no more."""
    try:
        yield
    except OSError as error:
        full = next((folder for folder in folders if _refusal(Exception(), folder)), None)
        if error.filename or not error.errno or full is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(full)) from error


def _refusal(error: Exception, folder: Path) -> OSError | None:
    """What a disk says to a few bytes more, unless the error has its number."""
    if number := re.search(r"os error (\d+)", str(error)):  # as Rust says it, of what it took away
        return OSError(int(number[1]), os.strerror(int(number[1])))
    try:
        with TemporaryFile(dir=folder) as file:
            file.write(bytes(PROBE))
            file.flush()
            os.fsync(file.fileno())
    except OSError as refusal:
        return refusal
    return None


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[bool]:
    """Lets in one after the other, so that what the first writes there the next can read.

    Where the folder, or its file system, takes no lock, all come in at once, and False is yielded.
    """
    alone = False
    with ExitStack() as stack:
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            place = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, place)
            fcntl.flock(place, fcntl.LOCK_EX)
            alone = True
        yield alone
