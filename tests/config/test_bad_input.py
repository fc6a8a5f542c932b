"""Data that are wrong, given to heatmap-train: one line with file and record, and nothing kept."""

import copy
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import running
from PIL import Image

from heatmap_research.runs.store import RunStore

PEOPLE = 8
CONTENT: dict[str, Any] = {
    "images": [
        {"id": number, "file_name": f"{number}.jpg", "width": 40, "height": 30}
        for number in range(1, PEOPLE + 1)
    ],
    "annotations": [
        {
            "id": 10 + number,
            "image_id": number,
            "category_id": 1,
            "iscrowd": 0,
            "keypoints": [20, 10, 2, 24, 8, 2, 16, 8, 1],
            "num_keypoints": 3,
            "bbox": [10, 5, 20, 15],
            "area": 200,
        }
        for number in range(1, PEOPLE + 1)
    ],
    "categories": [{"id": 1, "name": "face", "keypoints": ["nose", "left_eye", "right_eye"]}],
}
BAD = 3  # number of the person, and of its image
Spoil = Callable[[Path], None]


def data_set(folder: Path, suffix: str = ".jpg", channels: int = 3) -> Path:
    """Noise, in pictures or arrays, with a person in each."""
    (folder / "images").mkdir(parents=True)
    content, draw = copy.deepcopy(CONTENT), np.random.default_rng(0)
    for image in content["images"]:
        image["file_name"] = f"{image['id']}{suffix}"
        pixels = draw.integers(0, 256, (30, 40, channels), dtype=np.uint8)
        file = folder / "images" / image["file_name"]
        np.save(file, pixels) if suffix == ".npy" else Image.fromarray(pixels).save(file)
    (folder / "people.json").write_text(json.dumps(content))
    return folder


def file_with(change: Callable[[dict[str, Any]], Any]) -> Spoil:
    def spoil(folder: Path) -> None:
        content = copy.deepcopy(CONTENT)
        change(content)
        (folder / "people.json").write_text(json.dumps(content))

    return spoil


def person_with(**facts: Any) -> Spoil:
    return file_with(lambda content: content["annotations"][BAD - 1].update(facts))


def category_with(**facts: Any) -> Spoil:
    return file_with(lambda content: content["categories"][0].update(facts))


def cut(share: float, name: str = "people.json") -> Spoil:
    def spoil(folder: Path) -> None:
        file = folder / name
        file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])

    return spoil


def packed_and_cut(folder: Path) -> None:
    file = folder / "people.json"
    file.write_bytes(gzip.compress(file.read_bytes())[:200])


def gone(name: str) -> Spoil:
    return lambda folder: (folder / name).unlink()


NAN = float("nan")
# What is wrong, and words of the line beside the file's name.
ANNOTATIONS: dict[str, tuple[Spoil, tuple[str, ...]]] = {
    "truncated": (cut(0.5), ("line 1, column",)),
    "truncated at its end": (cut(0.999), ("breaks off",)),
    "truncated gzip": (packed_and_cut, ("gzip",)),
    "empty": (cut(0), ("line 1, column 1",)),
    "missing": (gone("people.json"), ("there is no such file",)),
    "NaN point": (
        person_with(keypoints=[20, NAN, 2, 24, 8, 2, 16, 8, 1]),
        ("annotation 13", "nan"),
    ),
    "infinite point": (
        person_with(keypoints=[20, 10, 2, float("inf"), 8, 2, 16, 8, 1]),
        ("annotation 13", "inf"),
    ),
    "text point": (person_with(keypoints=["20", 10, 2] * 3), ("annotation 13", "'20'")),
    "negative box": (person_with(bbox=[30, 5, -20, 15]), ("annotation 13", "-20")),
    "NaN box": (person_with(bbox=[30, 5, NAN, 15]), ("annotation 13", "bbox", "nan")),
    "wrong K": (person_with(keypoints=[20, 10, 2] * 2), ("annotation 13", "6 numbers, not 9")),
    "wrong K everywhere": (
        category_with(keypoints=["nose", "left_eye"]),
        ("annotation 11", "9 numbers, not 6"),
    ),
    "visibility": (person_with(keypoints=[20, 10, 5] * 3), ("annotation 13", "visibility is 5")),
    "no keypoints": (category_with(keypoints=[]), ("no category has names of keypoints", "face")),
    "image not listed": (person_with(image_id=99), ("annotation 13", "no image 99")),
    "id twice": (person_with(id=11), ("annotation 11", "2 times")),
    "sigmas": (category_with(sigmas=[0.1]), ("sigmas", "1 values for 3 joints")),
    "flip pairs": (category_with(flip_pairs=[[1, 3]]), ("flip_pairs", "[1, 3]")),
    "names": (category_with(keypoints=["a", "b", "a"]), ("two joints are called a",)),
    "nobody": (file_with(lambda content: content["annotations"].clear()), ("nobody in it",)),
    "list": (lambda folder: (folder / "people.json").write_text("[]") and None, ("list",)),
}
PICTURES: dict[str, tuple[Spoil, tuple[str, ...]]] = {
    "missing": (gone(f"images/{BAD}.jpg"), ("missing",)),
    "cut": (cut(0.5, f"images/{BAD}.jpg"), ("cannot be read",)),
    "empty": (cut(0, f"images/{BAD}.jpg"), ("cannot be read",)),
    "text": (
        lambda folder: (folder / f"images/{BAD}.jpg").write_text("<html>404</html>") and None,
        ("cannot be read",),
    ),
    "another size": (
        lambda folder: Image.new("RGB", (33, 30)).save(folder / f"images/{BAD}.jpg"),
        ("33x30", "40x30"),
    ),
}
ARRAYS: dict[str, tuple[Spoil, tuple[str, ...]]] = {
    "missing": (gone(f"images/{BAD}.npy"), ("missing",)),
    "cut": (cut(0.5, f"images/{BAD}.npy"), ("cannot be read",)),
    "header cut": (cut(0.02, f"images/{BAD}.npy"), ("cannot be read",)),
    "objects": (
        lambda folder: np.save(folder / f"images/{BAD}.npy", np.array([{}]), allow_pickle=True),
        ("cannot be read",),
    ),
    "NaN": (
        lambda folder: np.save(folder / f"images/{BAD}.npy", np.full((30, 40, 2), NAN)),
        ("outside [0, 1]",),
    ),
}


def arguments(train: Path, val: Path, run: Path, *more: str) -> list[str]:
    return [
        "data=custom",
        *(f"data.train.annotations={train}/people.json", f"data.train.images={train}/images"),
        *(f"data.val.annotations={val}/people.json", f"data.val.images={val}/images"),
        *("trainer=smoke", "backbone=test_resnet", "image_size=[32,32]", "decoder=[argmax]"),
        *("data.batch_size=4", "data.workers=0", f"hydra.run.dir={run}", *more),
    ]


def refused(done: running.Finished, run: Path, *words: str) -> None:
    """In one line with these words, and without a trace of a result."""
    assert done.status not in (0, None), done.out
    assert "Traceback" not in done.out + done.err
    lines = done.err.splitlines()
    assert len(lines) == 1, done.err
    assert all(word in lines[0] for word in words), lines[0]
    left_nothing(run)


def left_nothing(run: Path) -> None:
    store = RunStore(run)
    assert not store.record.exists() or store.read()["status"] != "finished"
    kept = {file.name for file in run.rglob("*") if file.is_file()}
    assert not {name for name in kept if "prediction" in name or name.endswith(".partial")}
    assert not list(run.glob("results/*"))


@pytest.fixture(scope="session")
def sound(folder: Path) -> Path:
    return data_set(folder / "sound")


def in_turn(cases):
    """Every case in one of two stages, which are read alike."""
    return [(case, ("train", "val")[number % 2]) for number, case in enumerate(cases)]


@pytest.mark.parametrize(("case", "stage"), in_turn(ANNOTATIONS))
def test_a_wrong_file_is_refused_in_a_line(case, stage, sound, tmp_path):
    spoil, words = ANNOTATIONS[case]
    spoil(bad := data_set(tmp_path / "bad"))
    train, val = (bad, sound) if stage == "train" else (sound, bad)
    done = running.command("train", *arguments(train, val, tmp_path / "run"), cwd=tmp_path)
    refused(done, tmp_path / "run", f"{bad}/people.json", *words)


@pytest.mark.parametrize(("case", "stage"), in_turn(PICTURES))
def test_a_wrong_picture_is_refused_in_a_line(case, stage, sound, tmp_path):
    spoil, words = PICTURES[case]
    spoil(bad := data_set(tmp_path / "bad"))
    train, val = (bad, sound) if stage == "train" else (sound, bad)
    done = running.command("train", *arguments(train, val, tmp_path / "run"), cwd=tmp_path)
    refused(done, tmp_path / "run", f"{bad}/images/{BAD}.jpg", "annotation 13", *words)


def test_a_wrong_picture_is_refused_in_a_line_by_workers(sound, tmp_path):
    cut(0.5, f"images/{BAD}.jpg")(bad := data_set(tmp_path / "bad"))
    line = arguments(bad, sound, tmp_path / "run", "data.workers=1")
    done = running.command("train", *line, cwd=tmp_path)
    refused(done, tmp_path / "run", f"{bad}/images/{BAD}.jpg", "annotation 13", "cannot be read")


@pytest.mark.parametrize("case", ARRAYS)
def test_a_wrong_array_is_refused_in_a_line(case, tmp_path):
    spoil, words = ARRAYS[case]
    good = data_set(tmp_path / "good", ".npy", channels=2)
    spoil(bad := data_set(tmp_path / "bad", ".npy", channels=2))
    line = arguments(bad, good, tmp_path / "run", "backbone.in_chans=2")
    done = running.command("train", *line, cwd=tmp_path)
    refused(done, tmp_path / "run", f"{bad}/images/{BAD}.npy", "annotation 13", *words)


@pytest.mark.parametrize(
    ("suffix", "channels", "asked"), [(".npy", 2, 3), (".jpg", 3, 2)], ids=["array", "picture"]
)
def test_channels_the_network_does_not_take_are_refused_in_a_line(
    suffix, channels, asked, tmp_path
):
    data = data_set(tmp_path / "data", suffix, channels)
    line = arguments(data, data, tmp_path / "run", f"backbone.in_chans={asked}")
    done = running.command("train", *line, cwd=tmp_path)
    refused(done, tmp_path / "run", f"backbone.in_chans={asked}", f"{data}/images/", suffix)


@pytest.mark.parametrize("stage", ["train", "val"])
def test_another_schema_in_another_file_is_refused_in_a_line(stage, sound, tmp_path):
    other = data_set(tmp_path / "other")
    content = copy.deepcopy(CONTENT)
    content["categories"][0]["keypoints"] = ["nose", "left_ear", "right_ear"]
    (other / "people.json").write_text(json.dumps(content))
    train, val = (other, sound) if stage == "train" else (sound, other)
    done = running.command("train", *arguments(train, val, tmp_path / "run"), cwd=tmp_path)
    refused(done, tmp_path / "run", "data.train", "data.val", "left_ear", "left_eye")


@pytest.mark.parametrize(
    ("case", "workers"),
    [*((case, 0) for case in PICTURES), pytest.param("cut", 1, marks=pytest.mark.slow)],
    ids=str,
)
def test_a_wrong_picture_is_skipped_counted_and_listed_where_that_is_asked(case, workers, tmp_path):
    spoil, _ = PICTURES[case]
    spoil(bad := data_set(tmp_path / "bad"))
    more = ("data.on_error=skip", f"data.workers={workers}")
    line = arguments(bad, bad, tmp_path / "run", *more)
    done = running.succeed("train", *line, cwd=tmp_path)
    told = done.out + done.err
    assert f"1 of {PEOPLE} images are skipped" in told
    assert f"{bad}/images/{BAD}.jpg" in told
    assert "annotation 13" in told
    assert RunStore(tmp_path / "run").read()["status"] == "finished"
    people = {row["instance"] for row in running.predictions(tmp_path / "run")}
    assert people == {10 + number for number in range(1, PEOPLE + 1) if number != BAD}


def test_a_wrong_array_is_skipped_where_that_is_asked(tmp_path):
    cut(0.5, f"images/{BAD}.npy")(bad := data_set(tmp_path / "bad", ".npy", channels=2))
    more = ("data.on_error=skip", "backbone.in_chans=2")
    done = running.succeed("train", *arguments(bad, bad, tmp_path / "run", *more), cwd=tmp_path)
    assert f"{bad}/images/{BAD}.npy" in done.out + done.err
    assert {row["instance"] for row in running.predictions(tmp_path / "run")} == set(
        range(11, 11 + PEOPLE)
    ) - {10 + BAD}


def test_where_no_picture_can_be_read_there_is_nothing_to_skip(sound, tmp_path):
    bad = data_set(tmp_path / "bad")
    for file in (bad / "images").iterdir():
        file.write_bytes(b"")
    line = arguments(bad, sound, tmp_path / "run", "data.on_error=skip")
    done = running.command("train", *line, cwd=tmp_path)
    refused(done, tmp_path / "run", f"none of {PEOPLE} images", ".jpg")
