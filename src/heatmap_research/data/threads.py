"""Work in whole pieces: threads that share one operation wait for each other."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_each() -> Iterator[int]:
    """Operations take one thread; yields how many pieces may be worked at side by side."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)
