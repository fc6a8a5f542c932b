"""Runs the commands as a user does, each in a process of its own.

A process of `script` begins with nothing. One of `command` is forked from a server that has
imported torch, which saves the seconds of its import; nothing else has happened in it before.
"""

import csv
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from pkgutil import resolve_name

import hydra
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from omegaconf import DictConfig
from pytorch_lightning import Callback

from heatmap_research.config.job import Job, prepare
from heatmap_research.data.datamodule import DataModule
from heatmap_research.metrics.ellipses import FIGURES
from heatmap_research.training import build as building
from heatmap_research.training.task import KeypointTask

ROOT = Path(__file__).parents[1]
CONF = ROOT / "conf"
SCRIPTS = Path(sys.executable).parent

# The least that goes through every part, the same on every machine.
DATA = (
    "data.pool=64",
    "data.val.pool=32",
    "data.test.pool=32",
    "data.cache=null",
    "data.device=cpu",
)
TINY = ("image_size=[32,32]", *DATA)
SMOKE = ("trainer=smoke", *TINY)

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(
    ["heatmap_research.commands", "heatmap_research.training.fit", "running"]
)


@dataclass(frozen=True)
class Finished:
    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Started:
    process: ForkServerProcess
    out: Path
    err: Path

    def wait(self, timeout: float = 240) -> Finished:
        self.process.join(timeout)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
            raise TimeoutError(f"still running: {self.out.read_text()} {self.err.read_text()}")
        return Finished(self.process.exitcode, self.out.read_text(), self.err.read_text())

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)


@dataclass(frozen=True)
class Told:
    """A signal that a process sends itself as it calls something for the n-th time."""

    what: str  # by its whole name, as os.replace
    number: int
    call: int = 1

    def patch(self) -> None:
        place, _, name = self.what.rpartition(".")
        owner = resolve_name(place)
        own, calls = getattr(owner, name), count(1)

        def told(*arguments: object, **more: object) -> object:
            if next(calls) == self.call:
                os.kill(os.getpid(), self.number)
            return own(*arguments, **more)

        setattr(owner, name, told)


def start(
    name: str, *arguments: str, cwd: Path, paths: tuple[str, ...] = (), told: Told | None = None
) -> Started:
    """`heatmap-<name>`, in the folder `cwd`; its output goes to files beside it."""
    cwd.mkdir(parents=True, exist_ok=True)
    stem = f"{name}-{time.monotonic_ns()}"
    out, err = cwd / f"{stem}.out", cwd / f"{stem}.err"
    task = (name, arguments, str(cwd), str(out), str(err), paths, told)
    process = _server.Process(target=_command, args=task)
    process.start()
    return Started(process, out, err)


def command(name: str, *arguments: str, cwd: Path, paths: tuple[str, ...] = ()) -> Finished:
    return start(name, *arguments, cwd=cwd, paths=paths).wait()


def succeed(name: str, *arguments: str, cwd: Path, paths: tuple[str, ...] = ()) -> Finished:
    done = command(name, *arguments, cwd=cwd, paths=paths)
    assert done.status == 0, done.out + done.err
    return done


def train(folder: Path, *overrides: str) -> Path:
    """The folder of a finished run."""
    succeed("train", *overrides, f"hydra.run.dir={folder}", cwd=folder.parent)
    return folder


def script(
    name: str,
    *arguments: str,
    cwd: Path,
    python: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
    timeout: float = 240,
) -> Finished:
    """The console script that was installed with the package."""
    line = [sys.executable, *python, str(SCRIPTS / f"heatmap-{name}"), *arguments]
    done = subprocess.run(
        line,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=plain_environment() | (environment or {}),
        timeout=timeout,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def plain_environment() -> dict[str, str]:
    """Compiled modules are kept: torch without them takes twice as long to import."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def wait_for(holds: Callable[[], bool], started: Started, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert started.process.is_alive(), started.out.read_text() + started.err.read_text()
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def compose(*overrides: str, config: str = "train") -> DictConfig:
    """A config as the command has it, but for one decoder that reads every map."""
    return compose_as_is("decoder=[argmax]", *overrides, config=config)


def compose_as_is(*overrides: str, config: str = "train") -> DictConfig:
    with composing():
        return hydra.compose(config, ["output_dir=.", *overrides])


def composing() -> AbstractContextManager:
    """Within it, options of conf/ can be composed, as they can within a command."""
    return hydra.initialize_config_dir(str(CONF), version_base="1.3")


def job(*overrides: str) -> Job:
    return prepare(compose(*overrides), {})


def check(cfg: DictConfig) -> KeypointTask:
    """A dry run, as heatmap-check does it."""
    return building.dry_run(building.wire(prepare(cfg, {})))[0]


def build(cfg: DictConfig) -> KeypointTask:
    return building.build(building.wire(prepare(cfg, {})))


def build_data(cfg: DictConfig) -> DataModule:
    return building.build_data(prepare(cfg, {}))


def options(group: str) -> list[str]:
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))


def decoders() -> list[str]:
    """Without the options that stand for others."""
    return [name for name in options("decoder") if name not in ("all", "main")]


def groups() -> list[str]:
    return sorted(folder.name for folder in CONF.iterdir() if folder.is_dir())


def weights(run: Path, checkpoint: str = "last") -> dict[str, torch.Tensor]:
    stored = torch.load(run / "checkpoints" / f"{checkpoint}.ckpt", weights_only=False)
    return stored["state_dict"]


def assert_same_weights(first: Path, second: Path) -> None:
    one, other = weights(first), weights(second)
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def predictions(run: Path) -> list[dict]:
    table: pa.Table = pq.read_table(run / "predictions.parquet")
    return table.to_pylist()


def metrics(run: Path) -> list[dict[str, str]]:
    """The rows of metrics.csv, without what is counted from the start of the process."""
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    counted = ("train/images_per_second",)
    kept = [{n: v for n, v in row.items() if v and not n.startswith(counted)} for row in rows]
    return [row for row in kept if row.keys() > {"epoch", "step"}]


def logged(run: Path, name: str) -> list[float]:
    return [float(row[name]) for row in metrics(run) if name in row]


def without_ellipses(metrics: Mapping[str, Mapping[str, dict]]) -> dict[str, dict[str, dict]]:
    """What a training counts; an evaluation asks of its covariances, too."""
    return {
        stage: {d: {f: v for f, v in got.items() if f not in FIGURES} for d, got in each.items()}
        for stage, each in metrics.items()
    }


class SignalAt(Callback):
    """Sends this process a signal within a training step, as a user or a scheduler might."""

    def __init__(self, batch: int, number: int) -> None:
        self.batch, self.number = batch, number

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if trainer.fit_loop.epoch_loop.batch_progress.total.ready == self.batch:
            os.kill(os.getpid(), self.number)


class Shown(Callback):
    """Writes down which people each process is shown in each step, in the run's folder."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        step = trainer.fit_loop.epoch_loop.batch_progress.total.ready
        with (Path(trainer.default_root_dir) / f"shown-{trainer.global_rank}").open("a") as file:
            print(step, *batch.instance_id.tolist(), file=file)


def shown(run: Path) -> list[dict[int, list[int]]]:
    """People of each step, by process, as `Shown` wrote them down."""
    files = sorted(run.glob("shown-*"))
    rows = [[list(map(int, line.split())) for line in f.read_text().splitlines()] for f in files]
    steps = [{step: ids for step, *ids in each} for each in rows]
    assert [len(each) for each in steps] == [len(each) for each in rows], "a step twice"
    return steps


class SignalIn(Callback):
    """Sends a signal at a call of one of Lightning's hooks, or of what writes a file to disk.

    A file called `untold` in the working directory keeps it from doing so.
    """

    def __init__(self, hook: str, number: int, call: int = 1, group: bool = False) -> None:
        self.number, self.left, self.group = number, call, group
        if group:  # this process and those that it will start
            os.setpgid(0, 0)
        if hook == "fsync":
            os.fsync = self._before(os.fsync)
        setattr(self, hook, self._send)

    def _before(self, sync: Callable[[int], None]) -> Callable[[int], None]:
        def told(file: int) -> None:
            self._send()
            sync(file)

        return told

    def _send(self, *_: object) -> None:
        self.left -= 1
        if self.left == 0 and not Path("untold").exists():
            os.killpg(0, self.number) if self.group else os.kill(os.getpid(), self.number)


def _command(
    name: str,
    arguments: tuple[str, ...],
    cwd: str,
    out: str,
    err: str,
    paths: tuple[str, ...],
    told: Told | None,
) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(cwd)
    sys.path[:0] = paths
    for stream, file in ((1, out), (2, err)):
        os.dup2(os.open(file, os.O_CREAT | os.O_WRONLY, 0o644), stream)
    sys.stdout = os.fdopen(1, "w", buffering=1)
    sys.stderr = os.fdopen(2, "w", buffering=1)
    torch.set_num_threads(1)
    sys.argv = [f"heatmap-{name}", *arguments]
    if told:
        told.patch()
    import_module(f"heatmap_research.commands.{name}").main()
