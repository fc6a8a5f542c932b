"""Stops and kills runs in the middle of what they do, and says what was left of each.

    python tests/faults/kills.py [PART OF A NAME ...]

Each is told to end at one call of one hook, goes on, and has to end with the weights and the
predictions, to the last bit, of a run that nothing happened to; commands that write, each as it
calls one thing, are in `aimed.py`. About 8 minutes of one core.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ["HEATMAP_TRUST"] = "running"
os.environ["OMP_NUM_THREADS"] = "1"

import running
from faults import aimed

from heatmap_research.runs.find import find
from heatmap_research.runs.store import RunStore
from heatmap_research.training.checkpoints import checkpoint_of

SECONDS = 240  # within which a run has to end that was told to
ALONE = 60  # within which processes have to end that one of theirs has left
COMMON = (
    *running.TINY,
    *("trainer.max_steps=30", "trainer.log_every_n_steps=5", "data.batch_size=8"),
    *("decoder=[argmax]", "callback.last.every_n_train_steps=5"),
)
HABITS = {
    "plain": (),
    "workers": ("data.workers=2",),
    "averaged": ("ema=0.9", "trainer.accumulate_grad_batches=3", "trainer.max_steps=20"),
}
PLACES = {  # a hook, and its call
    "a step": ("on_train_batch_start", 14),
    "a logged step": ("on_train_batch_start", 15),
    "a late step": ("on_train_batch_start", 32),  # where three batches make a step
    "a validation": ("on_validation_batch_start", 6),
    "a checkpoint": ("on_save_checkpoint", 3),
    "a checkpoint's write": ("fsync", 4),  # once run.json and two checkpoints are written
    "a later write": ("fsync", 12),  # of the evaluation
    "the last step": ("on_train_end", 1),
    "the evaluation": ("on_test_batch_start", 2),
}
LAST = ("a late step", "the last step")
OF_KILLS = ("a checkpoint's write", "a later write", "a late step")


@dataclass(frozen=True)
class Case:
    habit: str
    place: str
    number: signal.Signals
    group: bool = False
    tmpdir: str | None = None

    @property
    def name(self) -> str:
        to = " to all processes" if self.group else ""
        where = f", TMPDIR={self.tmpdir}" if self.tmpdir else ""
        return f"{self.number.name}{to} in {self.place}, {self.habit}{where}"

    def run(self, root: Path) -> Iterator[str]:
        """Yields what did not hold."""
        run, (hook, call) = root / "run", PLACES[self.place]
        told = (f"callback.told.number={int(self.number)}", f"callback.told.group={self.group}")
        line = ("--config-dir", str(config_dir()), "callback=[last,told]", *told)
        where = (f"callback.told.hook={hook}", f"callback.told.call={call}", f"hydra.run.dir={run}")
        line = (*COMMON, *HABITS[self.habit], *line, *where)
        yield from ended(self.command(*line, cwd=root), self.number, RunStore(run))
        again = (f"resume={run}", "callback.told.hook=none", "callback.told.group=false")
        other = whole("plain" if self.habit == "workers" else self.habit)
        yield from went_on(self.command(*again, cwd=root), run, other)

    def command(self, *line: str, cwd: Path) -> running.Finished:
        """A process that was forked would start others by its server, and keep its TMPDIR."""
        if self.habit != "workers" and not self.tmpdir:
            return running.start("train", *line, cwd=cwd).wait(SECONDS)
        path = os.pathsep.join([str(running.ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
        own = {"PYTHONPATH": path} | ({"TMPDIR": self.tmpdir} if self.tmpdir else {})
        return running.script("train", *line, cwd=cwd, environment=own, timeout=SECONDS)


def ended(done: running.Finished, number: signal.Signals, store: RunStore) -> Iterator[str]:
    wanted = -SIGKILL if number == SIGKILL else 130
    if done.status != wanted:
        yield f"status {done.status}, not {wanted}: {done.err[-300:]}"
    if "Traceback" in done.out + done.err:
        yield f"a traceback: {done.err[-300:]}"
    known, wanted_status = store.read()["status"], "running" if wanted < 0 else "interrupted"
    if known != wanted_status:
        yield f"run.json says {known}"
    checkpoint_of(store.checkpoints / "last.ckpt")


def went_on(done: running.Finished, run: Path, other: Path) -> Iterator[str]:
    if done.status != 0:
        yield f"does not go on: {done.err[-300:]}"
        return
    running.assert_same_weights(run, other)
    if running.predictions(run) != running.predictions(other):
        yield "other predictions"
    if running.metrics(run) != running.metrics(other):
        yield "other curves"
    if left := [file.name for file in run.rglob("*.partial")]:
        yield f"left behind: {left}"


@cache
def scratch() -> Path:
    return Path(tempfile.mkdtemp(prefix="kills-"))


@cache
def config_dir() -> Path:
    """A folder with callback=told."""
    file = scratch() / "conf" / "callback" / "told.yaml"
    file.parent.mkdir(parents=True)
    keys = "".join(f"  {key}: ???\n" for key in ("hook", "number", "call", "group"))
    file.write_text(f"told:\n  _target_: running.SignalIn\n{keys}")
    return scratch() / "conf"


@cache
def whole(habit: str) -> Path:
    """A run that nothing happened to."""
    return running.train(scratch() / habit, *COMMON, *HABITS[habit])


def evaluation(root: Path, number: signal.Signals) -> Iterator[str]:
    """A plain heatmap-evaluate; the run it reads keeps every byte."""
    run, before = whole("plain"), (whole("plain") / "run.json").read_bytes()
    name = f"stopped_by_{number.name}"
    many = ("data.test.pool=60000", "trainer.limit_test_batches=1.0", f"name={name}")
    started = running.start("evaluate", f"run={run}", *many, cwd=root)
    store = RunStore(run / "evaluate" / name)
    running.wait_for(store.record.exists, started)
    time.sleep(2)
    started.signal(number)
    done = started.wait(SECONDS)
    wanted, status = (130, "interrupted") if number != SIGKILL else (-SIGKILL, "running")
    if (done.status, store.read()["status"]) != (wanted, status):
        yield f"status {done.status}, run.json says {store.read()['status']}: {done.err[-300:]}"
    if (run / "run.json").read_bytes() != before:
        yield "the run was changed"
    running.command("evaluate", f"run={run}", f"name=after_{name}", cwd=root)
    again = RunStore(run / "evaluate" / f"after_{name}").read()["metrics"]
    if running.without_ellipses(again) != RunStore(run).read()["metrics"]:
        yield "other figures afterwards"


def sweep(root: Path, place: str) -> Iterator[str]:
    """A sweep of two is stopped in its first job, and done by the same command."""
    hook, call = PLACES[place]
    line = ("-m", "study=mine", "seed=0,1", *COMMON, "--config-dir", str(config_dir()))
    told = ("callback=[last,told]", f"callback.told.number={int(SIGTERM)}")
    rest = (f"callback.told.hook={hook}", f"callback.told.call={call}", "callback.told.group=false")
    done = running.command("train", *line, *told, *rest, cwd=root)
    statuses = [run.status for run in find(root / "outputs" / "studies" / "mine")]
    if done.status != 130 or statuses != ["interrupted"]:
        yield f"status {done.status}, jobs {statuses}: {done.err[-300:]}"
    (root / "untold").touch()
    done = running.command("train", *line, *told, *rest, cwd=root)
    statuses = [run.status for run in find(root / "outputs" / "studies" / "mine")]
    if statuses != ["finished"] * 2:
        yield f"jobs {statuses}: {done.err[-300:]}"


def processes(root: Path, number: signal.Signals, ranks: Sequence[int]) -> Iterator[str]:
    """Two gloo processes; the signal goes to those of these ranks once training goes on."""
    run = root / "run"
    ddp = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")
    line = (*COMMON, *ddp, "trainer.precision=32-true", "trainer.max_steps=100000")
    script = [sys.executable, str(running.SCRIPTS / "heatmap-train"), *line, f"hydra.run.dir={run}"]
    with (root / "out").open("w") as out, subprocess.Popen(script, stdout=out, stderr=out) as first:
        try:
            until(lambda: (run / "checkpoints" / "last.ckpt").exists())
        except TimeoutError:
            first.kill()
            raise
        children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
        pids = [first.pid, *map(int, children)]
        for rank in ranks:
            os.kill(pids[rank], number)
        began = time.monotonic()
        until(lambda: first.poll() is not None)
        until(lambda: not any(map(is_alive, pids[1:])))
        seconds = time.monotonic() - began
        print(f"    ended after {seconds:.0f} s with {first.returncode}")
    if seconds > ALONE:
        yield f"the others went on for {seconds:.0f} s"
    status = RunStore(run).read()["status"]
    if number == SIGTERM and (first.returncode, status) != (130, "interrupted"):
        yield f"status {first.returncode}, run.json says {status}: {(root / 'out').read_text()}"
    if first.returncode == 0:
        yield "status 0"
    checkpoint_of(run / "checkpoints" / "last.ckpt")


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())  # a dead one has none
    return False


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"nothing happened in {SECONDS} s")
        time.sleep(0.1)


CASES = (
    *(Case("plain", place, SIGTERM) for place in PLACES if place not in OF_KILLS),
    *(Case("plain", place, SIGKILL) for place in PLACES if place not in LAST),
    *(Case("plain", place, SIGINT) for place in ("a logged step", "the evaluation")),
    *(Case("workers", place, SIGTERM, group=True) for place in ("a step", "a validation")),
    Case("workers", "a step", SIGKILL),
    *(Case("averaged", place, SIGTERM) for place in ("a step", "a validation", "the last step")),
    *(Case("averaged", place, SIGKILL) for place in ("a late step", "a checkpoint's write")),
    Case("plain", "a checkpoint's write", SIGKILL, tmpdir="/dev/shm"),
)
OTHERS: dict[str, Callable[[Path], Iterator[str]]] = {
    "SIGTERM in heatmap-evaluate": lambda root: evaluation(root, SIGTERM),
    "SIGKILL in heatmap-evaluate": lambda root: evaluation(root, SIGKILL),
    "SIGTERM in a step of a sweep": lambda root: sweep(root, "a step"),
    "SIGTERM in an evaluation of a sweep": lambda root: sweep(root, "the evaluation"),
    "SIGTERM to the first of two processes": lambda root: processes(root, SIGTERM, [0]),
    "SIGTERM to the second of two processes": lambda root: processes(root, SIGTERM, [1]),
    "SIGTERM to both of two processes": lambda root: processes(root, SIGTERM, [0, 1]),
    "SIGKILL to the first of two processes": lambda root: processes(root, SIGKILL, [0]),
    "SIGKILL to the second of two processes": lambda root: processes(root, SIGKILL, [1]),
}


def main() -> None:
    cases = {case.name: case.run for case in CASES} | OTHERS
    cases |= {str(case): case.run for case in aimed.CASES}
    lost = 0
    for number, (name, run) in enumerate(cases.items()):
        if sys.argv[1:] and not any(part in name for part in sys.argv[1:]):
            continue
        root, began = scratch() / str(number), time.monotonic()
        root.mkdir()
        try:
            found = list(run(root))
        except Exception as error:
            found = [f"{type(error).__name__}: {error}"]
        lost += bool(found)
        said = "; ".join(found) or "held"
        print(f"{name:60} {time.monotonic() - began:4.0f} s  {said}", flush=True)
    sys.exit(f"{lost} did not hold" if lost else 0)


if __name__ == "__main__":
    main()
