"""Files that are there as a whole or not at all."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path


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
    partials = [file.with_name(f"{file.name}.{suffix}") for file in files]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield partials
        for partial in partials:
            with partial.open("rb") as content:
                os.fsync(content.fileno())
        for partial, file in zip(partials, files, strict=True):
            os.replace(partial, file)
    except OSError as error:
        named = dict(zip(map(str, partials), map(str, files), strict=True))
        error.filename = named.get(error.filename, error.filename or str(files[0]))
        raise
    finally:
        for partial in partials:
            with suppress(OSError):  # it is not there, or its disk is only read
                partial.unlink()


def write(file: Path, text: str) -> None:
    with written(file) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def made(folder: Path) -> Iterator[Path]:
    """Yields a new folder to fill, which gets its name when all is in it."""
    partial = folder.with_name(f"{folder.name}.partial")
    partial.mkdir(parents=True)
    try:
        yield partial
        partial.rename(folder)
    except OSError as error:
        error.filename = error.filename or str(folder)
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


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
