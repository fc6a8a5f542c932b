"""What a long preparation of data says while it lasts."""

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track

log = logging.getLogger(__name__)
Step = TypeVar("Step")


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
