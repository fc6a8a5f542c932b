"""What a disk that is full, or only read, makes of a command: a line that says what to do."""

import errno
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from heatmap_research.types import in_a_line

FULL = (errno.ENOSPC, errno.EDQUOT)  # a disk, or somebody's share of it
NO_PLACE = (*FULL, errno.EROFS, errno.EACCES, errno.EPERM)  # or one that is only read


def in_words(error: OSError) -> str:
    place = error.filename2 or error.filename  # of a copy: where it was to be
    where = f"{place}: " if place else ""
    room = "make room, or " if error.errno in FULL else ""
    return f"{where}{error.strerror}; {room}choose another folder."


def recorded(error: BaseException) -> str:
    """An error that was not foreseen, as a record keeps it."""
    words = str(error)
    if isinstance(error, OSError) and error.errno in NO_PLACE:
        words = in_words(error)
    return f"{type(error).__name__}: {words}"


@contextmanager
def ending_in_a_line(command: str) -> Iterator[None]:
    """Ends a command that takes flags with what went wrong; `config/cli.py` ends Hydra's.

    A scheduler's SIGTERM is a Ctrl-C: what is being written is taken away before the process ends.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        print(f"heatmap-{command}: stopped.", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        words = in_words(error) if error.errno in NO_PLACE else in_a_line(error)
        sys.exit(f"heatmap-{command}: {words}")
    except ValueError as error:
        sys.exit(f"heatmap-{command}: {in_a_line(error)}")
