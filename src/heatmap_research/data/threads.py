"""How work is spread over processors: each thread does whole pieces, with torch on one thread."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_each() -> Iterator[int]:
    """Makes each torch operation use one thread; yields how many pieces to work on side by side.

    Threads that share one operation would wait for each other.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


def available() -> int:
    """Processors this process may run on, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0))
