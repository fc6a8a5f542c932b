"""Spare a command Python's search for garbage among what its imports made, which all stays.

The search takes a fifth of the time of the imports, and at the end of the process as much again.
"""

import atexit
import gc

ENOUGH = 1_000_000  # objects, which is twice what imports make
_usual = gc.get_threshold()


def later() -> None:
    """Puts the search off until `now`, or until there are many objects, and leaves it out at the
    end of the process, which gives everything back as it is."""
    gc.set_threshold(ENOUGH, *_usual[1:])
    gc.callbacks.append(_found_many)
    atexit.register(gc.freeze)


def now() -> None:
    """Searches as usual from now on, but not among what there is by now."""
    if _found_many in gc.callbacks:
        gc.callbacks.remove(_found_many)
        gc.freeze()
        gc.set_threshold(*_usual)


def _found_many(phase: str, _: object) -> None:
    if phase == "stop":
        now()
