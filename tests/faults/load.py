"""Much of what a run does once: jobs of a sweep, records, steps; and what is left of each.

    python tests/faults/load.py [jobs] [records] [steps]

200 small jobs by two processes, a page over them, 5,000 records read, and a training of 100,000
steps whose memory is looked at on the way. About 30 minutes of two cores; all three if none is
named. A line each: done, expected, seen. Status 1 if one did not hold.
"""

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ["OMP_NUM_THREADS"] = "1"

import running
from pytorch_lightning import Callback

from heatmap_research.runs.find import find
from heatmap_research.runs.store import RunStore

JOBS, RECORDS, STEPS = 200, 5000, 100_000
SIZE = ("image_size=[32,32]", "data.pool=64", "data.val.pool=32", "data.test.pool=32")
SMALL = (*SIZE, "data.batch_size=2", "decoder=[argmax]", "logger=[]")
GROWTH = 1.02  # of memory from the first tenth of the steps to the end
PAGE_SECONDS, PAGE_BYTES, LIST_SECONDS = 60, 2 * 2**30, 3
Seen = Iterator[tuple[str, str, bool]]  # what was expected, what was seen, whether it held


class Memory(Callback):
    """Writes down, every thousand steps, the memory that the process holds."""

    def __init__(self, file: str) -> None:
        self.file = file

    def on_train_batch_end(self, trainer, *_) -> None:
        if trainer.global_step % 1000 == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            with open(self.file, "a") as out:
                out.write(f"{trainer.global_step} {pages * resource.getpagesize()}\n")


def jobs(root: Path) -> Seen:
    """A sweep in two processes, as study=NAME has it, and the page over its runs."""
    before, handles = left_over(), _handles()
    seeds = ",".join(map(str, range(JOBS // 2)))
    sweep = ("-m", "arm=ce_2d,simcc", f"seed={seeds}", "study=load", "trainer.max_steps=2", *SMALL)
    began = time.monotonic()
    done = _script("train", *sweep, cwd=root)
    seconds = time.monotonic() - began
    study = root / "outputs/studies/load"
    statuses = [run.status for run in find(study)]
    whole = done.returncode == 0 and statuses == ["finished"] * JOBS
    yield f"{JOBS} runs", f"{statuses.count('finished')} in {seconds:.0f} s", whole
    yield "no process or file left behind", f"{left_over() - before}", left_over() <= before
    yield "no handle left", f"{_handles() - handles} more", _handles() == handles
    began = time.monotonic()
    page = ("report", str(study), "--out", "page.html")
    line = [sys.executable, "-c", MEASURED.format(name=page[0]), *page[1:]]
    done = subprocess.run(line, cwd=root, capture_output=True, text=True)
    seconds, peak = time.monotonic() - began, int(re.findall(r"peak (\d+)", done.stderr)[-1])
    held = done.returncode == 0 and seconds < PAGE_SECONDS and peak < PAGE_BYTES
    yield "a page in 60 s and 2 GiB", f"{seconds:.0f} s, {peak / 2**30:.1f} GiB", held


def records(root: Path) -> Seen:
    """A run's record, copied."""
    one = running.train(root / "one", *SMALL, "trainer.max_steps=2")
    many = root / "many"
    for number in range(RECORDS):
        folder = many / f"{number:05d}"
        folder.mkdir(parents=True)
        shutil.copy(one / "run.json", folder)
        shutil.copytree(one / ".hydra", folder / ".hydra")
    began = time.monotonic()
    done = _script("runs", str(many), cwd=root)
    seconds = time.monotonic() - began
    seen = f"{seconds:.1f} s, status {done.returncode}, {len(done.stdout.splitlines())} lines"
    yield f"{RECORDS} records in 3 s", seen, done.returncode == 0 and seconds < LIST_SECONDS


def steps(root: Path) -> Seen:
    options = root / "options" / "callback"
    options.mkdir(parents=True)
    memory = root / "memory.txt"
    (options / "memory.yaml").write_text(f"memory:\n  _target_: load.Memory\n  file: {memory}\n")
    line = ("--config-dir", str(options.parent), "callback=[last,memory]", "trust=load", *SMALL)
    many = (f"trainer.max_steps={STEPS}", "backbone=local", "backbone.field=7", "evaluate=[]")
    began = time.monotonic()
    run = f"hydra.run.dir={root / 'run'}"
    done = _script("train", run, *line, *many, "trainer.limit_val_batches=0", cwd=root)
    seconds = time.monotonic() - began
    taken = RunStore(root / "run").read().get("steps") if done.returncode == 0 else done.stderr
    yield f"{STEPS} steps", f"{taken} in {seconds:.0f} s", taken == STEPS
    bytes_by_step = {int(a): int(b) for a, b in map(str.split, memory.read_text().splitlines())}
    first, last = bytes_by_step[STEPS // 10], bytes_by_step[STEPS]
    seen = f"{first / 2**20:.0f} MiB after a tenth, {last / 2**20:.0f} in the end"
    yield "memory is flat (2 %)", seen, last < GROWTH * first


MEASURED = """
import resource, sys
from heatmap_research.commands import {name}
sys.argv[0] = "heatmap-{name}"
try:
    {name}.main()
finally:
    print("peak", 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def left_over() -> set[str]:
    """Processes of ours, files in shared memory and in the folder of temporary ones."""
    ours = {f"process {p.parent.name}" for p in Path("/proc").glob("[0-9]*/cmdline") if _is_ours(p)}
    places = (Path("/dev/shm"), Path(tempfile.gettempdir()))
    return ours | {str(each) for place in places for each in place.iterdir()}


def _is_ours(cmdline: Path) -> bool:
    try:
        return b"study=load" in cmdline.read_bytes()
    except OSError:
        return False


def _handles() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _script(name: str, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    line = [str(running.SCRIPTS / f"heatmap-{name}"), *words]
    return subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True)


def main() -> int:
    parts = {"jobs": jobs, "records": records, "steps": steps}
    held = True
    for name in sys.argv[1:] or parts:
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            for expected, seen, ok in parts[name](Path(folder)):
                print(f"{'held' if ok else 'DID NOT HOLD'}: {name}: {expected}: {seen}", flush=True)
                held &= ok
    return int(not held)


if __name__ == "__main__":
    sys.exit(main())
