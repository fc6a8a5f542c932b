"""Spare a command Python's search for garbage among what its imports made, which all stays.

The search takes a fifth of the time of the imports, and at the end of the process as much again.
"""

import atexit
import gc
from contextlib import suppress
from io import BufferedRandom, BufferedWriter, TextIOWrapper

ENOUGH = 1_000_000  # objects, which is twice what imports make
STREAMS = (TextIOWrapper, BufferedWriter, BufferedRandom)
_usual = gc.get_threshold()


def later() -> None:
    """Puts the search off until `now`, or until there are many objects; at the end of the process
    it is left out for what there was by then."""
    gc.set_threshold(ENOUGH, *_usual[1:])
    gc.callbacks.append(_found_many)
    atexit.register(_end)


def now() -> None:
    """Searches as usual from now on, but not among what there is by now."""
    if _found_many in gc.callbacks:
        gc.callbacks.remove(_found_many)
        gc.freeze()
        gc.set_threshold(*_usual)


def _end() -> None:
    """What was made since is given back as ever; what else is open is at least written."""
    if _found_many not in gc.callbacks:
        gc.collect()
    for each in gc.get_objects():
        if issubclass(type(each), STREAMS) and not each.closed and each.writable():
            with suppress(OSError, ValueError):
                each.flush()
    gc.freeze()


def _found_many(phase: str, _: object) -> None:
    if phase == "stop":
        now()
