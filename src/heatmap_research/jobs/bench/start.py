"""The rows of starting: whole processes from command to answer, beside what importing takes."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from heatmap_research.jobs.bench.timing import Row

FLOOR = "import of torch and Lightning alone"
SMALL = ("data.pool=64", "data.val.pool=32", "data.test.pool=32", "data.cache=null")
LINES = {  # a command's line, and how many times it answers
    "heatmap-train --help": (("train", "--help"), 1),
    "heatmap-train --cfg job": (("train", "--cfg", "job"), 1),
    "heatmap-check of one job": (("check",), 1),
    "heatmap-check of a grid of 100, a job": (("check", "-m", "seed=range(100)"), 100),
    "heatmap-train, one step": (("train", "trainer.max_steps=1", "evaluate=[]", *SMALL), 1),
}


@contextmanager
def rows() -> Iterator[list[Row]]:
    with tempfile.TemporaryDirectory() as folder:
        yield [
            Row(FLOOR, lambda: _run("-c", "import torch, pytorch_lightning", cwd=folder), FLOOR),
            *(_row(name, *line, folder=folder) for name, line in LINES.items()),
        ]


def _row(name: str, words: tuple[str, ...], count: int, folder: str) -> Row:
    command, *rest = words
    line = ("-m", f"heatmap_research.commands.{command}", *rest)
    return Row(name, lambda: _run(*line, cwd=folder), FLOOR, count=count)


def _run(*line: str, cwd: str) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *line], cwd=cwd, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise ValueError(f"start: {' '.join(line)} ended with {done.returncode}: {done.stderr}")
