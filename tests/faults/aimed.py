"""Kills commands that write, each as it calls one thing for the n-th time; run by `kills.py`.

What lay there before has to be whole, no half of a file may have a final name, and the same command
has to give, afterwards, what it gives where nothing happened, with no part left.
"""

import json
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM

sys.path.insert(0, str(Path(__file__).parents[1]))

import cv2
import numpy as np
import optuna
import people
import running

from heatmap_research.jobs.tune import search, studies
from heatmap_research.runs.store import RunStore
from heatmap_research.training.checkpoints import checkpoint_of

SECONDS = 240  # within which a command has to end
STUDY = " ".join((*running.SMOKE, "decoder=[argmax]", "~tune.space.sigma", "tune.trials=4"))
STUDY += " tune.startup=2 tune.looks=2 trainer.max_steps=6 tune.pruner=null"
WRITER, TUNING = "heatmap_research.inference.writing.Writer", "heatmap_research.jobs.tune"
LOCK = "optuna.storages.journal.JournalFileOpenLock.release"  # while a row is new
STEP = f"{TUNING}.tuning.ReportValidation.on_train_batch_end"


@dataclass(frozen=True)
class Aimed:
    """A command line in which {out} is a folder of its own, and others' folders are filled in."""

    command: str
    name: str
    number: signal.Signals
    line: str
    what: str
    call: int = 1
    earlier: str = ""  # a command line that has written there before
    keeps: bool = False  # told to stop, it keeps what it has done, and says another folder then

    def __str__(self) -> str:
        return f"{self.number.name} in heatmap-{self.command}, {self.name}"

    def run(self, root: Path) -> Iterator[str]:
        """Yields what did not hold."""
        out = root / "out"
        out.mkdir()
        if self.earlier:
            running.succeed(self.command, *filled(self.earlier, out), cwd=root)
        before = bytes_in(out)
        told = running.Told(self.what, int(self.number), self.call)
        started = running.start(self.command, *filled(self.line, out), cwd=root, told=told)
        done = started.wait(SECONDS)
        yield from self.ended(done, before, out)
        if self.keeps:
            out = root / "other"
            out.mkdir()
        again = running.command(self.command, *filled(self.line, out), cwd=root)
        if again.status:
            yield f"does not work again: {again.err[-300:]}"
            return
        if changed := differing(given(out), given(whole(self.command, self.line, self.earlier))):
            yield f"gives another {', '.join(changed)}"
        if left := [file.name for file in out.rglob("*.partial*")]:
            yield f"left behind: {left}"

    def ended(self, done: running.Finished, before: dict[str, bytes], out: Path) -> Iterator[str]:
        wanted = -SIGKILL if self.number == SIGKILL else 130
        if done.status != wanted:
            yield f"status {done.status}, not {wanted}: {done.err[-300:]}"
        if "Traceback" in done.out + done.err or "Exception ignored" in done.err:
            yield f"a traceback: {done.err[-300:]}"
        now = bytes_in(out)
        if lost := before.keys() - now.keys():
            yield f"gone: {lost}"
        parts = [name for name in now if ".partial" in name]
        if parts and self.number != SIGKILL:
            yield f"parts are left: {parts}"
        new = given(out, [name for name in now if now[name] != before.get(name)])
        good = given(whole(self.command, self.line, self.earlier))
        if self.keeps and not is_beginning(out, whole(self.command, self.line, self.earlier)):
            yield "what it keeps is not the beginning of a whole"
        half = [name for name in differing(new, good) if name in new and ".partial" not in name]
        if half and not self.keeps and self.command != "tune":
            yield f"neither as before nor whole: {half}"


def filled(line: str, out: Path) -> list[str]:
    places = {"out": out, "run": plain(), "study": study(), "set": pictures().parent}
    return [word.format(**places) for word in line.split()]


def bytes_in(folder: Path) -> dict[str, bytes]:
    files = (f for f in folder.rglob("*") if f.is_file() and f.suffix not in (".lock", ".busy"))
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def given(folder: Path, names: list[str] | None = None) -> dict[str, object]:
    """What a command has given, without the times and the places that it says."""
    files = [folder / name for name in (bytes_in(folder) if names is None else names)]
    read = {str(f.relative_to(folder)): READ.get(f.suffix, Path.read_bytes)(f) for f in files}
    return {name: content for name, content in read.items() if content is not None}


def is_beginning(out: Path, other: Path) -> bool:
    """Whether a prediction has some of the people of another, all that it has whole."""
    few, many = (json.loads((folder / "results.json").read_text()) for folder in (out, other))
    rows, all_rows = ((f / "keypoints.csv").read_text().splitlines() for f in (out, other))
    return 0 < len(few) < len(many) and many[: len(few)] == few and all_rows[: len(rows)] == rows


def trials(file: Path) -> list[object]:
    with studies.opened(str(file)) as storage:
        (kept,) = storage.get_all_studies()
        study = optuna.load_study(study_name=kept.study_name, storage=storage)
        return [vars(trial) for trial in search.trials(study)]


def without_times(file: Path) -> str:
    """A page of a report, but for what was measured as it was made, and drawings, which have it."""
    text = re.sub(r"(?s)<svg.*?</svg>", "", file.read_text())
    return re.sub(r'(data-value="[^"]*" )?data-measured>[^<]*', "", text)


def differing(one: dict[str, object], other: dict[str, object]) -> list[str]:
    return [n for n in sorted(one.keys() | other.keys()) if one.get(n) != other.get(n)]


def weights(file: Path) -> object:
    stored = checkpoint_of(file)["state_dict"]
    return {name: tensor.tolist() for name, tensor in stored.items()}


def figures(file: Path) -> object:
    record = RunStore(file.parent).read()
    return {name: record.get(name) for name in ("status", "steps", "metrics")}


def without_places(file: Path) -> object:
    """Nothing of a run's config, in which its folder stands; a tuned arm's as it is."""
    return file.read_bytes() if file.parent.name == "tuned" else None


READ: dict[str, Callable[[Path], object]] = {
    ".html": without_times,
    ".db": trials,
    ".journal": trials,
    ".yaml": without_places,
    ".ckpt": weights,
    ".csv": lambda file: (
        running.metrics(file.parent) if file.stem == "metrics" else file.read_bytes()
    ),
    ".json": lambda file: figures(file) if file.stem == "run" else file.read_bytes(),
}


@cache
def scratch() -> Path:
    return Path(tempfile.mkdtemp(prefix="aimed-"))


@cache
def whole(command: str, line: str, earlier: str) -> Path:
    """What a command gives that nothing happened to."""
    out = Path(tempfile.mkdtemp(dir=scratch())) / "out"
    out.mkdir()
    for each in filter(None, (earlier, line)):
        running.succeed(command, *filled(each, out), cwd=out.parent)
    return out


@cache
def plain() -> Path:
    return running.train(scratch() / "run", *running.SMOKE, "decoder=[argmax]")


@cache
def study() -> Path:
    """Two arms of a seed each."""
    line = (
        *running.SMOKE,
        "decoder=[argmax]",
        "arm=ce_2d,simcc",
        f"hydra.sweep.dir={scratch()}/study",
    )
    running.succeed("train", "-m", *line, cwd=scratch())
    return scratch() / "study"


@cache
def pictures() -> Path:
    """Forty pictures, and a film of them."""
    file = people.write(scratch() / "set", images=40)
    writer = cv2.VideoWriter(
        str(scratch() / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (128, 96)
    )
    draws = np.random.default_rng(0)
    for _ in range(60):
        writer.write(draws.integers(0, 256, (96, 128, 3), dtype=np.uint8))
    writer.release()
    return file


PAGE = "{study} --out {out}/a.html --csv {out}/a.csv --latex {out}/a.tex"
KEEP = "{study} --out {out}/a.html --keep {out}/kept"
OLD = "{run} --out {out}/a.html"
TUNE = f"{STUDY} tune.folder={{out}}"
JOURNAL = f"{TUNE} tune.storage={{out}}/study.journal"
PICTURES = "run={run} source={set} out={out} show=true batch_size=4"
FILM = "run={run} source={set}/../film.avi out={out} show=true batch_size=4"
ONNX = "run={run} out={out}/a.onnx crops=4"
FOLDER = "run={run} format=safetensors out={out}/model crops=4"
INT8 = "run={run} precision=int8 out={out}/a.onnx crops=4 calibrate=8"
CASES = (
    Aimed("report", "its page's rename", SIGKILL, PAGE, "os.replace", 1, OLD),
    Aimed("report", "the table's rename", SIGKILL, PAGE, "os.replace", 2, OLD),
    Aimed("report", "its page's write", SIGTERM, PAGE, "os.fsync", 1, OLD),
    Aimed(
        "report",
        "between the files of --keep",
        SIGKILL,
        KEEP,
        "os.replace",
        2,
        KEEP.replace("{study}", "{run}"),
    ),
    Aimed("report", "a file of --keep", SIGINT, KEEP, "os.fsync", 2),
    Aimed("tune", "a trial", SIGKILL, TUNE, STEP, 9),
    Aimed("tune", "a trial", SIGTERM, TUNE, STEP, 9),
    Aimed("tune", "before a trial is told of", SIGKILL, TUNE, "optuna.study.Study.tell", 2),
    Aimed("tune", "between two trials", SIGTERM, TUNE, "optuna.study.Study.ask", 3),
    Aimed("tune", "a row of its journal", SIGKILL, JOURNAL, LOCK, 25),
    Aimed("predict", "a picture", SIGKILL, PICTURES, f"{WRITER}.add", 21),
    Aimed("predict", "a picture", SIGTERM, PICTURES, f"{WRITER}.add", 21, keeps=True),
    Aimed("predict", "between its two files", SIGKILL, PICTURES, "os.replace", 42),
    Aimed("predict", "a film", SIGKILL, FILM, f"{WRITER}.add", 31),
    Aimed("predict", "a film", SIGTERM, FILM, f"{WRITER}.add", 31, keeps=True),
    Aimed(
        "export", "an onnx file's check", SIGKILL, ONNX, "heatmap_research.inference.parity.apart"
    ),
    Aimed("export", "an onnx file's write", SIGTERM, ONNX, "os.fsync"),
    Aimed("export", "a folder's check", SIGKILL, FOLDER, "heatmap_research.inference.hub.opened"),
    Aimed("export", "a folder's check", SIGTERM, FOLDER, "heatmap_research.inference.hub.opened"),
    Aimed("export", "int8", SIGKILL, INT8, "heatmap_research.inference.quantised.refuse"),
    Aimed("export", "int8", SIGTERM, INT8, "heatmap_research.inference.quantised.refuse"),
)
