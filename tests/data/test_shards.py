"""Images in shards: the bytes, the crops and the runs are those of a folder of files."""

import json
import os
import signal
import tarfile

import cv2
import numpy as np
import people
import pytest
import running

from heatmap_research.data import images, shards
from heatmap_research.data.converters.shards import convert
from heatmap_research.runs.store import RunStore

LONG = "day 1/" + "x" * 120 + "/ä.png"  # longer than the field of a tar's header


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "files"
    draws = np.random.default_rng(0)
    for name in ("0.png", "inner/1.jpg", LONG):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), draws.integers(0, 256, (9, 7, 3), dtype=np.uint8))
    np.save(folder / "2.npy", draws.integers(0, 256, (9, 7, 3), dtype=np.uint8))
    (folder / "whole blocks").write_bytes(bytes(1024))
    (folder / "empty").write_bytes(b"")
    return folder


def names_in(folder):
    return sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file())


def test_members_have_the_bytes_of_the_files_and_tar_reads_them_too(folder, tmp_path):
    for most in (1, 4000, 10**6):
        packed_as_files(folder, tmp_path / f"packed {most}", most)


def packed_as_files(folder, out, most):
    names = names_in(folder)
    count = convert(names, folder, out, most)
    tars = sorted(out.glob("*.tar"))
    assert len(tars) == count
    assert (count == 1) == (most == 10**6)
    members = {}
    for tar in tars:
        with tarfile.open(tar) as stream:
            members |= {each.name: stream.extractfile(each).read() for each in stream}
    for name in names:
        wanted = (folder / name).read_bytes()
        assert shards.content(str(out / name), 10**6) == wanted == members[name]
        assert shards.is_there(str(out / name))
        if name.endswith(("png", "jpg", "npy")):
            one, other = (images.read(str(f / name), 3)[0] for f in (folder, out))
            assert np.array_equal(one[..., :3], other[..., :3])
    for name in ("3.png", "x" * 5000 + "/3.png", "\0/3.png"):
        assert not shards.is_there(str(out / name))
    with pytest.raises(ValueError, match=r"3\.png is missing"):
        images.read(str(out / "3.png"), 3)
    with pytest.raises(ValueError, match="no more than 10 are read"):
        shards.content(str(out / "0.png"), 10)


WRONG_INDEX = {
    "and had 7": lambda node, out: node["shards"][0].update(bytes=7),
    "no name of a file": lambda node, out: node["shards"][0].update(name="../files/0.png"),
    "is missing": lambda node, out: (out / "images-000000.tar").unlink(),
    "beyond the end": lambda node, out: node["images"].append(["9.png", 0, 0, 10**12]),
    "are no place": lambda node, out: node["images"].append(["9.png", 0, -512, 10]),
    "out of range": lambda node, out: node["images"].append(["9.png", 5, 0, 10]),
    "not enough values": lambda node, out: node["images"].append(["9.png"]),
    "'images'": lambda node, out: node.pop("images"),
}


def test_an_index_that_is_not_of_its_shards_is_refused(folder, tmp_path):
    for number, (said, change) in enumerate(WRONG_INDEX.items()):
        out = tmp_path / f"packed {number}"
        convert(["0.png"], folder, out, 10**6)
        index = json.loads((out / shards.INDEX).read_text())
        change(index, out)
        (out / shards.INDEX).write_text(json.dumps(index))
        with pytest.raises(ValueError, match=said) as refused:
            images.read(str(out / "0.png"), 3)
        assert "heatmap-data shard" in str(refused.value)


def test_what_cannot_be_packed_is_refused_and_leaves_nothing(folder, tmp_path):
    for names, said in (
        (["0.png", "9.png"], r"9\.png is missing"),
        (["../files/0.png"], "outside"),
        ([str(folder / "0.png")], "outside"),
        ([], "no image"),
    ):
        with pytest.raises(ValueError, match=said):
            convert(names, folder, tmp_path / "packed", 10**6)
    os.mkfifo(folder / "pipe")
    with pytest.raises(ValueError, match="pipe is missing"):
        convert(["0.png", "pipe"], folder, tmp_path / "packed", 10**6)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["files"]
    with pytest.raises(ValueError, match="there already"):
        convert(["0.png"], folder, folder, 10**6)
    (tmp_path / "packed.partial").mkdir()
    with pytest.raises(ValueError, match="was killed"):
        convert(["0.png"], folder, tmp_path / "packed", 10**6)


@pytest.fixture
def packed(tmp_path):
    """The options of a set whose images are files, and of the same set in shards."""
    file = people.write(tmp_path / "set", images=16)
    words = ("shard", str(file), "--images", str(file.parent), "--out", "packed")
    done = running.succeed("data", *words, cwd=tmp_path)
    assert done.out == "packed: 16 images in 1 shard\n"
    options = people.options(file)
    of_shards = [word.replace(f"images={file.parent}", "images=packed") for word in options]
    return options, tuple(of_shards)


def test_a_run_from_shards_is_the_run_from_files_to_the_last_bit(packed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = [running.train(tmp_path / f"run_{n}", *options) for n, options in enumerate(packed)]
    running.assert_same_weights(*runs)
    one, other = (running.predictions(run) for run in runs)
    assert one == other
    assert one
    file = tmp_path / "set" / "people.json"
    done = running.command("data", "check", str(file), "--images", "packed", cwd=tmp_path)
    assert done.status == 0
    assert "is not on disk" not in done.out


@pytest.mark.slow
def test_a_killed_run_from_shards_goes_on_in_the_middle_of_an_epoch(packed, tmp_path):
    """With workers; sixteen people are four batches, and the eleventh is the third of an epoch."""
    line = (
        *packed[1],
        "trainer.max_steps=16",
        "data.workers=2",
        "callback.last.every_n_train_steps=1",
    )
    running.succeed("train", *line, "hydra.run.dir=whole", cwd=tmp_path)
    config = tmp_path / "conf" / "callback" / "told.yaml"
    config.parent.mkdir(parents=True)
    config.write_text(
        "told:\n  _target_: running.SignalIn\n  hook: on_train_batch_start\n  call: 11\n"
        f"  number: {int(signal.SIGKILL)}\n"
    )
    own = {"HEATMAP_TRUST": "running", "PYTHONPATH": str(running.ROOT / "tests")}
    told = (*line, "--config-dir", str(tmp_path / "conf"), "callback=[last,told]")
    killed = running.script(
        "train", *told, "hydra.run.dir=killed", cwd=tmp_path, environment=own, timeout=240
    )
    assert killed.status == -signal.SIGKILL
    (tmp_path / "untold").touch()
    done = running.script("train", "resume=killed", cwd=tmp_path, environment=own, timeout=240)
    assert done.status == 0, done.err
    running.assert_same_weights(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.slow
def test_two_processes_count_each_person_in_shards_once(packed, tmp_path):
    running.succeed("train", *packed[1], "hydra.run.dir=run", cwd=tmp_path)
    ddp = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")
    found = {}
    for name, trainer in (("one", ("trainer=cpu",)), ("two", (*ddp, "trainer.precision=32-true"))):
        words = ("run=run", f"name={name}", *trainer)
        done = running.script("evaluate", *words, cwd=tmp_path, timeout=240)
        assert done.status == 0, done.err
        rows = running.predictions(tmp_path / "run" / "evaluate" / name)
        found[name] = sorted(
            (row["stage"], row["decoder"], row["instance"], row["joint"]) for row in rows
        )
        store = RunStore(tmp_path / "run" / "evaluate" / name)
        found[name, "metrics"] = running.without_ellipses(store.read()["metrics"])["test"]
    assert found["one"] == found["two"]
    assert len(set(found["two"])) == len(found["two"])
    for decoder, figures in found["one", "metrics"].items():
        assert found["two", "metrics"][decoder] == pytest.approx(figures, abs=1e-6, nan_ok=True)
