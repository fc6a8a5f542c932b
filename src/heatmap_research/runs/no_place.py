"""What a disk that is full, or only read, makes of a command: a line that says what to do."""

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile, gettempdir
from typing import NoReturn

from heatmap_research.types import in_a_line

FULL = (errno.ENOSPC, errno.EDQUOT)  # a disk, or somebody's share of it
NO_PLACE = (*FULL, errno.EROFS, errno.EACCES, errno.EPERM)  # or one that is only read
NO_TEMPORARY = "No usable temporary directory"  # as Python says it
PROBE = 1 << 16  # bytes


def is_lack_of_place(error: BaseException) -> bool:
    return isinstance(error, OSError) and (error.errno in NO_PLACE or NO_TEMPORARY in str(error))


def in_words(error: OSError) -> str:
    if NO_TEMPORARY in str(error):
        return f"{error.strerror}: set TMPDIR to a folder that takes files."
    place = error.filename2 or error.filename or _temporary()  # of a copy: where it was to be
    where = f"{place}: " if place else ""
    room = "make room, or " if error.errno in FULL else ""
    return f"{where}{error.strerror}; {room}choose another folder."


def recorded(error: BaseException) -> str:
    """An error that was not foreseen, as a record keeps it."""
    words = str(error)
    if isinstance(error, OSError) and is_lack_of_place(error):
        words = in_words(error)
    return f"{type(error).__name__}: {words}"


@contextmanager
def ending_in_a_line(command: str = "") -> Iterator[None]:
    """Ends a command that takes flags with what went wrong; `config/cli.py` ends Hydra's.

    A scheduler's SIGTERM is a Ctrl-C: what is being written is taken away before the process ends.
    """
    name = f"heatmap-{command}" if command else "heatmap"
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        print(f"{name}: stopped.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        end_unread()
    except OSError as error:
        words = in_words(error) if is_lack_of_place(error) else in_a_line(error)
        sys.exit(f"{name}: {words}")
    except ValueError as error:
        sys.exit(f"{name}: {in_a_line(error)}")


def end_unread() -> NoReturn:
    """Ends a process where who reads what is printed has read enough, as `head` does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)


def _temporary() -> str | None:
    """The folder of temporary files, by its variable, if it is that which takes no more."""
    try:
        with TemporaryFile() as file:
            file.write(bytes(PROBE))
    except OSError:
        return f"TMPDIR={gettempdir()}"
    return None
