"""How long work is spread over processors, and what it says while it lasts."""

import logging
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from rich.console import Console
from rich.progress import track

log = logging.getLogger(__name__)
Step = TypeVar("Step")


@contextmanager
def one_each() -> Iterator[int]:
    """Lets torch use one thread an operation; yields how many pieces to do side by side instead."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


def available() -> int:
    """Processors this process may run on, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0))


def announced(steps: Iterable[Step], count: int, task: str) -> Iterator[Step]:
    """Passes the steps on, with a bar on a terminal, or else with two lines in the log."""
    console = Console(stderr=True)
    if console.is_terminal:
        yield from track(steps, task, total=count, console=console)
        return
    start = time.perf_counter()
    log.info("%s ...", task)
    yield from steps
    log.info("%s ... done in %.1f s", task, time.perf_counter() - start)
