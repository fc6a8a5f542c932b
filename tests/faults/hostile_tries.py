"""Runs a command on what a stranger has sent, and says what it did that it should not."""

import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import people
import running

Seen = tuple[str, str]  # what was injected, and what did not hold
MOST = 2 << 30  # bytes of memory that a command may fill
SECONDS = 30
TINY = (*running.SMOKE, "decoder=[argmax]")


@cache
def scratch() -> Path:
    return Path(tempfile.mkdtemp(prefix="strangers-"))


def mark() -> Path:
    """The folder that is there if anything was executed."""
    return scratch() / "RAN"


@cache
def run() -> Path:
    return running.train(scratch() / "plain" / "run", *TINY)


@cache
def pictures() -> Path:
    return people.write(scratch() / "set")


def copied(name: str, status: str = "interrupted") -> Path:
    """A run of a stranger's, to be spoilt."""
    place = scratch() / "theirs" / name
    shutil.copytree(run(), place)
    changed(place, status=status)
    return place


def changed(place: Path, **values: object) -> None:
    file = place / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def refused(*line: str, says: str = "") -> str:
    """What did not hold of a command line that is to be refused, in a line with these words."""
    return "; ".join(_tried(line, says, refuses=True))


def taken(*line: str) -> str:
    """What did not hold of one that is to work all the same."""
    return "; ".join(_tried(line, "", refuses=False))


def _tried(line: tuple[str, ...], says: str, refuses: bool) -> Iterator[str]:
    name, *words = line
    started, most = running.start(name, *words, cwd=scratch() / "cwd"), 0
    end = time.monotonic() + SECONDS
    while started.process.is_alive() and time.monotonic() < end and most <= MOST:
        most = max(most, _filled(started.process.pid))
        started.process.join(0.02)
    if mark().exists():
        mark().rmdir()
        yield "EXECUTED"
    if started.process.is_alive():
        started.process.kill()
        yield f"went on to {most / 2**30:.1f} GiB after {SECONDS - end + time.monotonic():.0f} s"
    done = started.wait()
    said = [each for each in done.err.splitlines() if each.strip()]
    if "Traceback" in done.out + done.err:
        yield f"a traceback: {' / '.join(said[-2:])[-300:]}"
    elif bool(done.status) != refuses:
        yield f"status {done.status}: {' / '.join(said)[-300:]}"
    elif refuses and not re.match(f"heatmap-{name}.*{re.escape(says)}", last := ["", *said][-1]):
        yield f"said otherwise: {last[-300:]}"


def _filled(process: int) -> int:
    """The most bytes of memory that a process has had, or 0 where it has just ended."""
    with suppress(OSError, TypeError):
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
        return int(found[1]) << 10
    return 0
