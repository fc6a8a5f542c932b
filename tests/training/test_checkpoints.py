"""A checkpoint is whole or not there, and nothing that one holds is ever executed."""

import os
import pickle
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import running
import torch

from heatmap_research.runs import record
from heatmap_research.runs.store import RunStore
from heatmap_research.training.checkpoints import PARTS, WholeFiles, checkpoint_of
from heatmap_research.training.tensors import tensors_of
from heatmap_research.types import IncompatibleError

GOOD = {
    **{part: {} for part in PARTS},
    "global_step": 1,
    "state_dict": {"weight": torch.arange(5000.0)},
}


class Runs:
    """As it is unpickled, makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def in_the_middle(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 255
    file.write_bytes(content)


Spoil = Callable[[Path, Path], object]
SPOILT: dict[str, tuple[Spoil, str]] = {
    "cut": (lambda f, _: f.write_bytes(f.read_bytes()[:9000]), "no weights can be read"),
    "empty": (lambda f, _: f.write_bytes(b""), "no weights can be read"),
    "zeros": (lambda f, _: f.write_bytes(bytes(9000)), "no file of torch.save"),
    "a bit": (lambda f, _: in_the_middle(f), "is damaged"),
    "text": (lambda f, _: f.write_text("404"), "no file of torch.save"),
    "code": (lambda f, ran: torch.save(GOOD | {"loops": Runs(ran)}, f), "names posix.mkdir"),
    "old code": (
        lambda f, ran: torch.save([Runs(ran)], f, _use_new_zipfile_serialization=False),
        "names posix.mkdir",
    ),
    "pickle": (lambda f, ran: f.write_bytes(pickle.dumps(Runs(ran))), "no file of torch.save"),
    "function": (lambda f, _: torch.save(GOOD | {"loops": print}, f), "names print"),
    "weights": (lambda f, _: torch.save({"state_dict": {}}, f), "it lacks callbacks, global_step"),
    "a tensor": (lambda f, _: torch.save(torch.zeros(3), f), "it is no mapping"),
}


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("case", SPOILT)
def test_a_checkpoint_that_is_damaged_or_holds_code_is_refused_in_a_line(case, tmp_path):
    file, ran = tmp_path / "last.ckpt", tmp_path / "ran"
    torch.save(GOOD, file)
    spoil, words = SPOILT[case]
    spoil(file, ran)
    for read in (checkpoint_of, *([] if case == "weights" else [tensors_of])):
        with pytest.raises(IncompatibleError) as told:
            read(file)
        assert str(file) in str(told.value)
        assert "\n" not in str(told.value)
        assert words in str(told.value) or read is tensors_of
    assert not ran.exists()


def test_a_checkpoint_is_read_as_it_was_written_and_none_that_unpacks_to_more(tmp_path):
    WholeFiles().save_checkpoint(GOOD, tmp_path / "new" / "last.ckpt")
    stored = WholeFiles().load_checkpoint(tmp_path / "new" / "last.ckpt")
    assert stored.keys() == GOOD.keys()
    assert torch.equal(stored["state_dict"]["weight"], GOOD["state_dict"]["weight"])
    with zipfile.ZipFile(tmp_path / "new" / "last.ckpt") as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(packed := tmp_path / "packed.ckpt", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    for read in (checkpoint_of, tensors_of):
        with pytest.raises(IncompatibleError, match=r"packed\.ckpt: .*unpacked it has \d+ bytes"):
            read(packed)


def test_while_a_checkpoint_is_written_the_last_one_is_whole(tmp_path, monkeypatch):
    """Also where temporary files lie on another file system, over which nothing can be renamed."""
    file, seen, sync = tmp_path / "last.ckpt", [], os.fsync
    WholeFiles().save_checkpoint(GOOD, file)

    def looked_at(number: int) -> None:
        sync(number)
        seen.append(checkpoint_of(file)["global_step"])

    monkeypatch.setattr(os, "fsync", looked_at)
    WholeFiles().save_checkpoint(GOOD | {"global_step": 2}, file)
    assert seen == [1]
    assert checkpoint_of(file)["global_step"] == 2
    assert [each.name for each in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_disk_that_fills_leaves_the_last_checkpoint(tmp_path):
    file = tmp_path / "last.ckpt"
    WholeFiles().save_checkpoint(GOOD, file)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9000, most))
    try:
        with pytest.raises(OSError, match="too large") as told:
            WholeFiles().save_checkpoint(GOOD | {"global_step": 2}, file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert told.value.filename == str(file)
    assert checkpoint_of(file)["global_step"] == 1
    assert [each.name for each in tmp_path.iterdir()] == ["last.ckpt"]


def left_off(smoke: Path, folder: Path) -> Path:
    """A run that stands where a finished one does, but for its status."""
    (folder / "checkpoints").mkdir(parents=True)
    known = record.read(smoke) | {"status": "interrupted"}
    record.write_json(folder / "run.json", known)
    for name in (".hydra/config.yaml", "checkpoints/last.ckpt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((smoke / name).read_bytes())
    return folder


def test_a_run_whose_checkpoint_holds_code_is_not_resumed(smoke, tmp_path):
    run = left_off(smoke, tmp_path / "run")
    ran = tmp_path / "ran"
    torch.save(GOOD | {"callbacks": Runs(ran)}, run / "checkpoints" / "last.ckpt")
    before = record.read(run)
    done = running.command("train", f"resume={run}", cwd=tmp_path)
    assert done.status == 1
    (line,) = done.err.splitlines()
    assert line.startswith(f"heatmap-train: {run}/checkpoints/last.ckpt: no weights can be read")
    assert "names posix.mkdir" in line
    assert not ran.exists()
    assert record.read(run) == before


def test_a_study_trains_a_job_anew_whose_checkpoint_is_damaged(tmp_path):
    line = ("-m", "study=mine", "seed=0", *running.SMOKE, "decoder=[argmax]", "evaluate=[test]")
    running.succeed("train", *line, cwd=tmp_path)
    (file,) = tmp_path.glob("outputs/studies/mine/*/checkpoints/last.ckpt")
    store = RunStore(file.parents[1])
    figures = store.read()["metrics"]
    store.update(status="running", metrics=None)
    in_the_middle(file)
    done = running.succeed("train", *line, cwd=tmp_path)
    assert f"{file}: no weights can be read from it" in done.out + done.err
    assert "This job is trained anew." in done.out + done.err
    assert store.read()["metrics"] == figures
