"""Files that are there as a whole or not at all."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path


@contextmanager
def written(file: Path, suffix: str = "partial") -> Iterator[Path]:
    """Yields a second path to write to, and renames it, so that no reader sees half of the file.

    Writers of the same file at the same time need a suffix each; then the last one wins.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.{suffix}")
    try:
        yield partial
        with partial.open("rb") as content:
            os.fsync(content.fileno())
        os.replace(partial, file)
    except OSError as error:
        error.filename = error.filename or str(file)  # a full disk does not say
        raise
    finally:
        partial.unlink(missing_ok=True)


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
