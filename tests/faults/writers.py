"""Runs every command that writes, on a disk that is full and on one that is only read.

    python tests/faults/writers.py [PART OF A NAME ...]

Each first writes where there is room, then again with no room, with room for half of it, for all
but a page, and onto a file system that is only read. Each fault has to end in one line that names
the file and says what to do, with what lay there as it was and nothing half written beside it;
and with room the same command has to work. The disk is a tmpfs in a mount namespace of this
program's own. It took 9 minutes beside another.
"""

import gc
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
os.environ["OMP_NUM_THREADS"] = "1"

import cv2
import numpy as np
import onnx
import people
import pyarrow.parquet as pq
import running
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file
from test_own_formats import slp

from heatmap_research.jobs.tune import studies
from heatmap_research.runs.store import RunStore
from heatmap_research.training.checkpoints import checkpoint_of

OWN = "WRITERS_HAS_MOUNTS_OF_ITS_OWN"
PAGE, SIZE = 4096, 256 << 20  # bytes, of memory and of the disk
SHORT = 2 * PAGE  # of what is needed; a report may be 800 bytes shorter the next time it is made
PATIENCE = 10  # seconds for a process to let go of a disk; wandb's own ends a little later
BUSY = (".lock", ".busy", ".log")  # of locks, which are empty, and of logs, which grow
# Lightning's logger writes them as it goes: hparams.yaml, which run.json has too, and rows of
# metrics.csv, of which those of before lie in metrics.earlier.csv meanwhile. SQLite writes whole
# transactions.
MOVED = "The dirpath has changed"  # as Lightning says of the copy of a run
LOGS = ("hparams.yaml", "metrics.csv", "study.db", "study.journal")
TINY = (*running.SMOKE, "decoder=[argmax]")
SPACE = "~tune.space.weight_decay ~tune.space.warmup ~tune.space.sigma"


@dataclass(frozen=True)
class Writer:
    """A command line in which {disk}, {run}, {set} and {try} are filled in."""

    name: str
    line: str
    prepared: Callable[[Path], None] = lambda disk: None
    ready: Callable[[int], None] = lambda number: None  # before each try
    over: bool = False  # what it writes takes the place of what lay there
    leaves: tuple[str, ...] = ()  # names of new files that a failure may leave, each whole
    refuses: bool = True  # False: it does without, and says so
    levels: tuple[float, ...] = (0, 0.5, 1)  # shares of the room it needs

    def run(self, number: int) -> running.Finished:
        places = {"disk": disk(), "run": run(), "set": pictures().parent, "try": number}
        places |= {"more": min(number, 1) + 1}  # trials
        places |= {"local": local()} if "{local}" in self.line else {}
        command, *words = (word.format(**places) for word in self.line.split())
        return running.command(command, *words, cwd=scratch() / "cwd")

    def tried(self) -> Iterator[tuple[str, str]]:
        """Yields each fault and what did not hold, which is empty where all did."""
        new_disk()
        self.prepared(disk())
        self.ready(0)
        empty = used()
        first = self.run(0)
        if first.status:
            yield "no fault", f"status {first.status}: {first.err[-400:]}"
            return
        need = used() - empty
        if self.over:
            need = (
                max(f.stat().st_size for f in files() if f.suffix not in BUSY) // PAGE * PAGE + PAGE
            )
        for number, level in enumerate(self.levels, start=1):
            before = self.readied(number)
            room = max(0, min(int(need * level), need - SHORT)) // PAGE * PAGE
            fill(room)
            done = self.run(number)
            (disk() / "ballast").unlink()
            yield (
                f"full but for {room // 1024} of {need // 1024} kB",
                "; ".join(self.wrong(done, before)),
            )
            self.undo(before)
        before = self.readied(8)
        mount("remount,ro")
        done = self.run(8)
        mount("remount,rw")
        yield "only read", "; ".join(self.wrong(done, before))
        self.undo(before)
        before = self.readied(9)
        stood = {file: (disk() / file).stat() for file in before}
        last = self.run(9)
        wrong = [f"status {last.status}: {last.err[-300:]}"] if last.status else []
        same = [str(file) for file, facts in stood.items() if is_in_place(file, facts)]
        wrong += [f"written in place: {', '.join(same)}"] if same else []
        yield "room again", "; ".join(wrong)

    def readied(self, number: int) -> dict[Path, bytes]:
        self.ready(number)
        return content()

    def wrong(self, done: running.Finished, before: dict[Path, bytes]) -> Iterator[str]:
        yield from told(done, self.refuses)
        now = content()
        for file in before.keys() - now.keys():
            if file.name == "weights.safetensors":
                continue  # of a training that goes on: last.ckpt has them, too
            yield f"{file} is gone"
        for file, held in now.items():
            if before.get(file) == held or is_busy(file) or file.name == "ballast":
                continue
            if file in before and not self.over:
                yield f"{file} is another"
            if file not in before and not any(file.match(name) for name in self.leaves):
                yield f"{file} is left"
            if why := spoilt(disk() / file):
                yield f"{file}: {why}"

    def undo(self, before: dict[Path, bytes]) -> None:
        for file, held in content().items():
            if file not in before:
                (disk() / file).unlink()
            elif before[file] != held:
                (disk() / file).write_bytes(before[file])
        for folder in sorted((f for f in disk().rglob("*") if f.is_dir()), reverse=True):
            with suppress(OSError):
                folder.rmdir()
        for file, held in before.items():
            if not (disk() / file).exists():
                (disk() / file).parent.mkdir(parents=True, exist_ok=True)
                (disk() / file).write_bytes(held)


def is_in_place(file: Path, stood: os.stat_result) -> bool:
    """Whether a file has been written to, and is to the file system the one that it was."""
    now = (disk() / file).stat()
    changed = now.st_mtime_ns != stood.st_mtime_ns
    return not is_busy(file) and file.name not in LOGS and changed and now.st_ino == stood.st_ino


def is_busy(file: Path) -> bool:
    return file.name.endswith(BUSY) or "wandb" in file.parts or "tfevents" in file.name


def told(done: running.Finished, refuses: bool) -> Iterator[str]:
    lines = [line for line in done.err.splitlines() if line and MOVED not in line]
    if "Traceback" in done.out + done.err or "Exception ignored" in done.err:
        yield f"a traceback: {' / '.join(lines[-3:])[-400:]}"
    if bool(done.status) != refuses:
        yield f"status {done.status}"
    said = [line for line in lines if line.startswith("heatmap-")]
    if not refuses:
        said = [line for line in (done.out + done.err).splitlines() if "cannot be written" in line]
    if len(said) != 1 or (refuses and len(lines) > 1):
        yield f"said in {len(lines)} lines: {' / '.join(lines)[-400:]}"
    if said and str(disk()) not in said[-1]:
        yield f"names no file: {said[-1][-300:]}"
    if said and refuses and not {"choose", "room"} & set(said[-1].split()):
        yield f"does not say what to do: {said[-1][-300:]}"


def spoilt(file: Path) -> str:
    """Why a file does not load; empty where it does."""
    if ".partial" in str(file):
        return "a part of a file"
    try:
        LOADERS[file.suffix](file)
        return ""
    except Exception as error:
        return f"does not load ({type(error).__name__}: {str(error)[:100]})"


def ends(file: Path, end: str = "\n") -> None:
    assert file.read_text().endswith(end)


def table(file: Path) -> None:
    ends(file)
    assert len({line.count(",") for line in file.read_text().splitlines()}) == 1


def picture(file: Path) -> None:
    with Image.open(file) as image:
        image.load()


def film(file: Path) -> None:
    assert cv2.VideoCapture(str(file)).read()[0]


def tar(file: Path) -> None:
    with tarfile.open(file) as packed:
        assert packed.getmembers()


def mapping(file: Path) -> None:
    assert yaml.safe_load(file.read_text()) is not None


def journal(file: Path) -> None:
    with studies.opened(str(file)) as storage:
        assert storage.get_all_studies()


def database(file: Path) -> None:
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as opened:
        assert opened.execute("pragma integrity_check").fetchone() == ("ok",)


LOADERS = {
    ".db": database,
    ".json": lambda file: json.loads(file.read_text()),
    ".yaml": mapping,
    ".parquet": pq.read_table,
    ".png": picture,
    ".jpg": picture,
    ".csv": table,
    ".tex": ends,
    ".txt": ends,
    ".html": partial(ends, end="</html>\n"),
    ".onnx": onnx.load,
    ".pt2": torch.export.load,
    ".safetensors": load_file,
    ".ckpt": checkpoint_of,
    ".mp4": film,
    ".tar": tar,
    ".npy": np.load,
    ".db-journal": lambda file: None,
    ".u8": lambda file: None,
    ".journal": journal,
}


@cache
def scratch() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="writers-"))
    (folder / "cwd").mkdir()
    return folder


_disks: list[Path] = []  # the last is in its place


def disk() -> Path:
    return _disks[-1]


def new_disk() -> None:
    """An empty one in a folder of its own, which nothing that was run before knows of."""
    put_away()
    _disks.append(scratch() / f"disk{len(_disks)}")
    disk().mkdir()
    mount(f"size={SIZE}")


def mount(options: str) -> None:
    settled("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk()))


def put_away() -> None:
    if _disks and disk().is_mount():
        settled("umount", str(disk()))


def settled(*line: str) -> None:
    """Mounts or unmounts, once nothing uses the disk; ends this program where that cannot be.

    A verdict on a disk that is another than it should be would be none.
    """
    end = time.monotonic() + PATIENCE
    while (done := subprocess.run(line, capture_output=True, text=True)).returncode:
        if time.monotonic() > end:
            sys.exit(f"{' '.join(line)}: {done.stderr.strip()}; used by {users() or 'nobody seen'}")
        gc.collect()  # a file that this program has read may lie in a cycle
        time.sleep(0.2)


def users() -> str:
    """The processes that have something open on the disk."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            opened = [os.readlink(link) for link in (process / "fd").iterdir()]
            opened += [os.readlink(process / "cwd"), (process / "maps").read_text()]
            if any(str(disk()) in place for place in opened):
                found.append((process / "cmdline").read_text().replace("\0", " ")[:100])
    return "; ".join(found)


def used() -> int:
    space = os.statvfs(disk())
    return (space.f_blocks - space.f_bfree) * space.f_bsize


def fill(room: int) -> None:
    """Leaves so many bytes free."""
    space = os.statvfs(disk())
    with (disk() / "ballast").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(space.f_bfree * space.f_bsize - room, 1))


def files() -> list[Path]:
    return [file for file in disk().rglob("*") if file.is_file()]


def content() -> dict[Path, bytes]:
    return {file.relative_to(disk()): file.read_bytes() for file in files()}


@cache
def run() -> Path:
    return running.train(scratch() / "run", *TINY)


@cache
def local() -> Path:
    """Two runs that a probe reads."""
    for name, *backbone in (("15", "backbone=local", "backbone.field=15"), ("whole",)):
        running.train(scratch() / "local" / name, *TINY, *backbone)
    return scratch() / "local"


@cache
def pictures() -> Path:
    """Eight pictures of people, a film of them, and people in another's format."""
    file = people.write(scratch() / "set")
    writer = cv2.VideoWriter(
        str(scratch() / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (128, 96)
    )
    draws = np.random.default_rng(0)
    for _ in range(30):
        writer.write(draws.integers(0, 256, (96, 128, 3), dtype=np.uint8))
    writer.release()
    person = [n for joint in range(14) for n in (10 * joint, 5 * joint, 1)]
    record = {
        "keypoint_annotations": {"human1": person},
        "human_annotations": {"human1": [20, 10, 150, 90]},
    }
    theirs = [{"image_id": f"{number:040}"} | record for number in range(40)]
    (scratch() / "theirs.json").write_text(json.dumps(theirs))
    slp(scratch() / "labels.slp", [{"filename": "film.avi", "backend": {}}])
    return file


def copied(disk: Path, name: str = "run") -> None:
    shutil.copytree(run(), disk / name)


def unfinished(number: int) -> None:
    copied(disk(), f"run{number}")
    RunStore(disk() / f"run{number}").update(status="interrupted")


TRAIN = " ".join(TINY)
CUSTOM = "data=custom trainer=smoke image_size=[32,32] data.batch_size=4 data.workers=0"
CUSTOM += "".join(
    f" data.{stage}.annotations={{set}}/people.json data.{stage}.images={{set}}"
    for stage in ("train", "val")
)
FEW = "uniform.people=20 image_size=[32,32] stride=[4,2] sigma=[4] uncertainty=[0]"
RUN_FILES = ("*.yaml", "run.json", "*.ckpt", "*.safetensors", "metrics.csv", "*.parquet", "*.json")
RUN_FILES += ("pictures/*.png", "*.txt")
WRITERS = (
    Writer("train", f"train {TRAIN} hydra.run.dir={{disk}}/{{try}}", leaves=RUN_FILES),
    Writer(
        "train resume=",
        "train resume={disk}/run{try}",
        ready=unfinished,
        over=True,
        levels=(0, 0.5),
        leaves=RUN_FILES,
    ),
    Writer(
        "train -m, done before",
        f"train -m {TRAIN} seed=0,1 hydra.sweep.dir={{disk}}/sweep",
        over=True,
        leaves=RUN_FILES,
        levels=(0,),
    ),
    Writer(
        "train, tensorboard",
        f"train {TRAIN} logger=[csv,tensorboard] hydra.run.dir={{disk}}/{{try}}",
        leaves=RUN_FILES,
        levels=(0.5, 0.9, 1),
    ),
    Writer(
        "train, wandb offline",
        f"train {TRAIN} logger=[csv,wandb] hydra.run.dir={{disk}}/{{try}}",
        leaves=RUN_FILES,
        levels=(0.5, 0.9),
    ),
    Writer(
        "tensorboard's own folder",
        f"train {TRAIN} logger=[csv,tensorboard] hydra.run.dir=board{{try}} "
        "logger.tensorboard.save_dir={disk}/{try}",
        leaves=("hparams.yaml",),
        levels=(0, 0.5),
    ),
    Writer(
        "wandb's own folder",
        f"train {TRAIN} logger=[csv,wandb] hydra.run.dir=wandb{{try}} "
        "logger.wandb.save_dir={disk}/{try}",
        levels=(0, 0.5),
    ),
    Writer("evaluate", "evaluate run={disk}/run name=mine{try}", copied, leaves=RUN_FILES),
    Writer("budget", "budget run={disk}/run name=mine{try}", copied),
    Writer(
        "report",
        "report {run} --out {disk}/a.html --csv {disk}/a.csv --latex {disk}/a.tex",
        over=True,
        levels=(0, 0.5),
    ),
    Writer("report run=", "report run={run} --out {disk}/a.html", over=True, levels=(0, 0.5)),
    Writer("report --keep", "report {run} --out {disk}/a.html --keep {disk}/kept", over=True),
    Writer("runs --csv", "runs {run} --csv {disk}/a.csv", over=True, levels=(0,)),
    Writer("runs --json", "runs {run} --json {disk}/a.json", over=True, levels=(0,)),
    Writer("runs --latex", "runs {run} --latex {disk}/a.tex", over=True, levels=(0,)),
    Writer("export onnx", "export run={run} out={disk}/{try}.onnx crops=2", levels=(0.5,)),
    Writer(
        "export onnx fp16",
        "export run={run} out={disk}/{try}.onnx crops=2 precision=fp16",
        levels=(0.5,),
    ),
    Writer(
        "export int8",
        "export run={run} out={disk}/{try}.onnx crops=2 calibrate=4 precision=int8",
        levels=(0, 0.5, 1),
    ),
    Writer(
        "export torch_export",
        "export run={run} format=torch_export out={disk}/{try}.pt2 crops=2",
        levels=(0, 0.5),
    ),
    Writer("export safetensors", "export run={run} format=safetensors out={disk}/{try} crops=2"),
    Writer(
        "predict show=true",
        "predict run={run} source={set} out={disk}/{try} show=true",
        leaves=("*.jpg",),
    ),
    Writer(
        "predict, a film",
        "predict run={run} source={set}/../film.avi out={disk}/{try} show=true",
        leaves=("*.mp4",),
    ),
    Writer("data convert", "data convert aic {set}/../theirs.json --out {disk}/a.json", over=True),
    Writer(
        "data convert sleap",
        "data convert sleap {set}/../labels.slp --out {disk}/{try}.json",
        leaves=("*.png",),
    ),
    Writer("data shard", "data shard {set}/people.json --images {set} --out {disk}/{try}"),
    Writer("data show", "data show {set}/people.json --images {set} --out {disk}/a.png", over=True),
    Writer("ceiling", f"ceiling {FEW} out={{disk}}/ceiling", over=True),
    Writer("show", "show run={run} output={disk}/a.png", over=True, levels=(0, 0.5)),
    Writer("show worst=", "show run={run} worst=4 output={disk}/a.jpg", over=True, levels=(0, 0.5)),
    Writer(
        "probe --keep",
        "probe {run}/../local --keep {disk}/a.json",
        lambda _: local(),
        over=True,
        levels=(0,),
    ),
    Writer(
        "bench --out",
        "bench codec --batch 4 --rounds 1 --out {disk}/a.json",
        over=True,
        levels=(0, 0.5),
    ),
    Writer(
        "tune",
        f"tune {TRAIN} tune.trials={{more}} tune.startup=1 {SPACE} tune.folder={{disk}}/tune",
        over=True,
        leaves=(*RUN_FILES, "*-journal"),
        levels=(0, 0.5),
    ),
    Writer(
        "tune, a journal",
        f"tune {TRAIN} tune.trials={{more}} tune.startup=1 {SPACE} tune.folder={{disk}}/tune "
        "tune.storage={disk}/tune/study.journal",
        over=True,
        leaves=RUN_FILES,
        levels=(0, 0.5),
    ),
    Writer(
        "demo",
        "demo --out {disk}/{try} --seeds 1 --steps 2 --pool 64",
        leaves=RUN_FILES,
        levels=(0.5,),
    ),
    Writer(
        "data.cache, drawn figures",
        f"train {TRAIN} data.cache={{disk}}/{{try}} hydra.run.dir=run{{try}}",
        refuses=False,
        leaves=("*.npy",),
    ),
    Writer(
        "data.cache, pictures",
        f"train {CUSTOM} data.cache={{disk}}/{{try}} hydra.run.dir=own{{try}}",
        leaves=("*.u8",),
    ),
)


def main() -> None:
    lost, held = 0, Counter[str]()
    print(f"{'writer':24} {'injected':30} seen (expected: a line, nothing lost, no part left)")
    for writer in WRITERS:
        if sys.argv[1:] and not any(part in writer.name for part in sys.argv[1:]):
            continue
        began = time.monotonic()
        try:
            for fault, wrong in writer.tried():
                kind = fault.partition(" but")[0]
                held[kind] += not wrong
                lost += bool(wrong)
                print(f"{writer.name:24} {fault:30} {wrong or 'held'}", flush=True)
        except Exception as error:
            lost += 1
            print(f"{writer.name:24} {type(error).__name__}: {str(error)[-300:]}", flush=True)
        print(f"    {time.monotonic() - began:.0f} s", flush=True)
    put_away()
    shutil.rmtree(scratch(), ignore_errors=True)
    print(", ".join(f"{kind}: {count} held" for kind, count in held.items()))
    sys.exit(f"{lost} did not hold" if lost else 0)


def in_own_mounts() -> None:
    """Starts this program anew where it may mount, and no mount outlives it; or says that not."""
    probe = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", tempfile.gettempdir()]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True).returncode:
        print("skipped: a tmpfs cannot be mounted here, which takes root on Linux.")
        sys.exit()
    os.environ[OWN] = "1"
    os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])


if __name__ == "__main__":
    if OWN in os.environ:
        main()
    in_own_mounts()
