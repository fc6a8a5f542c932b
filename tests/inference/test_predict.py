"""What was trained is used: pictures in, people out, the same whatever way they come in."""

import csv
import json
import math
import shutil
from pathlib import Path

import cv2
import hydra
import numpy as np
import people
import pytest
import running

import heatmap_research as hr
from heatmap_research.drawing import overlay
from heatmap_research.jobs import predict as jobs
from heatmap_research.types import IncompatibleError


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small set of photographs, two on a folder's other level, and two runs."""
    here = tmp_path_factory.mktemp("predict")
    people.write(here / "set")
    options = people.options(Path("set/people.json"))
    running.succeed("train", *options, "data.padding=1.4", "name=maps", cwd=here)
    running.succeed("train", *options, "arm=rle", "name=rle", cwd=here)
    return here


def predict(run: str, place: Path, *options: str, source: str = "set") -> None:
    """What the command does once Hydra has read its line."""
    line = (f"run={place}/outputs/{run}", f"source={place / source}", *options)
    with running.composing():
        cfg = hydra.compose("predict", list(line))
    jobs.predict(cfg)


def results(folder: Path) -> list[dict]:
    return json.loads((folder / "results.json").read_text())


def joints(result: dict) -> np.ndarray:
    return np.array(result["keypoints"]).reshape(-1, 3)


def test_load_keeps_maps_where_they_are_asked_for_and_there(place):
    model = hr.load(place / "outputs" / "maps", device="cpu", maps=True)
    (person,) = model(next((place / "set").glob("*.png")))
    assert [each.shape[0] for each in person.maps.activated] == [len(model.names)]
    with pytest.raises(IncompatibleError, match=r"maps=True: .* it has no maps"):
        hr.load(place / "outputs" / "rle", maps=True)


@pytest.mark.parametrize(("run", "decoder"), [("maps", "dark"), ("rle", "coordinates")])
def test_true_boxes_give_what_the_evaluation_computed(place, tmp_path, run, decoder):
    options = (f"boxes={place}/set/people.json", f"decoder={decoder}", f"out={tmp_path}/new")
    predict(run, place, *options)
    rows = running.predictions(place / "outputs" / run)
    computed = {
        (row["image"], row["joint"]): (row["x_source"], row["y_source"], row["score"])
        for row in rows
        if row["stage"] == "val" and row["decoder"] == decoder
    }
    found = results(tmp_path / "new")
    assert len(found) == 8
    for person in found:
        wanted = [computed[person["image_id"], joint] for joint in range(3)]
        np.testing.assert_allclose(joints(person), wanted, atol=1e-4)
        assert np.array(person["covariance"]).shape == (3, 3)


def test_the_two_files_say_the_same(place, tmp_path):
    predict("maps", place, f"boxes={place}/set/people.json", f"out={tmp_path}/new")
    with (tmp_path / "new" / "keypoints.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = results(tmp_path / "new")
    points = [[float(row[key]) for key in ("x", "y", "score")] for row in rows]
    np.testing.assert_array_equal(points, np.concatenate([joints(person) for person in found]))
    assert [row["joint"] for row in rows[:3]] == list(people.JOINTS)
    assert {row["file"] for row in rows} == {f"{n}.png" for n in range(8)}


def test_a_run_that_was_moved_predicts_without_its_data(place, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(place / "outputs" / "maps", moved)
    shutil.copy(place / "set" / "3.png", tmp_path / "3.png")
    (place / "set").rename(place / "gone")
    try:
        line = (f"run={moved}", "source=3.png", "out=new", "show=true")
        done = running.command("predict", *line, cwd=tmp_path)
    finally:
        (place / "gone").rename(place / "set")
    assert done.status == 0, done.err
    assert len(results(tmp_path / "new")) == 1
    drawn = cv2.imread(str(tmp_path / "new" / "overlays" / "3.png.jpg"))
    assert drawn.shape == (people.SIDE, people.SIDE, 3)


def test_maps_are_drawn_below_the_joints_of_an_overlay(place, tmp_path, monkeypatch):
    monkeypatch.setattr(overlay, "MIN_SCORE", -1.0)  # of a network that has learnt next to nothing
    pictures = {}
    for show in ("true", "maps"):
        out = tmp_path / show
        predict("maps", place, f"out={out}", f"show={show}", source="set/3.png")
        pictures[show] = cv2.imread(str(out / "overlays" / "3.png.jpg")).astype(int)
    assert pictures["true"].shape == pictures["maps"].shape
    assert np.abs(pictures["true"] - pictures["maps"]).max() > 50


def test_a_table_of_joints_that_is_there_is_not_written_over(place, tmp_path):
    (tmp_path / "keypoints.csv").write_text("mine")
    with pytest.raises(IncompatibleError, match="there already"):
        predict("maps", place, f"out={tmp_path}", source="set/3.png")
    assert (tmp_path / "keypoints.csv").read_text() == "mine"


def test_only_the_joints_that_are_named_are_drawn(place, tmp_path, monkeypatch):
    monkeypatch.setattr(overlay, "MIN_SCORE", -1.0)
    drawn = []
    monkeypatch.setattr(overlay, "draw", lambda *given: drawn.append(given[2]))
    options = (f"out={tmp_path}/out", "show=true", f"joints=[{people.JOINTS[2]}]")
    predict("maps", place, *options, source="set/3.png")
    assert [np.isfinite(scores).nonzero()[0].tolist() for scores in drawn] == [[2]]


def test_covariances_are_as_wide_as_the_truth_of_val_asks_for(place, tmp_path):
    """Mahalanobis' distance is the same in every frame: of the picture here, of the crop there."""
    shutil.copytree(place / "outputs" / "maps", tmp_path / "run")
    options = (f"boxes={place}/set/people.json", "decoder=dark", f"run={tmp_path}/run")
    line = ("run=run", "decoder=dark", "name=ellipses", "evaluate=[val]")
    running.succeed("evaluate", *line, cwd=tmp_path)
    for name, also in (("usual", ()), ("raw", ("covariance=raw",))):
        predict("maps", place, *options, *also, f"out={tmp_path}/{name}")
    truth = {
        (row["image"], row["joint"]): (row["x_true_source"], row["y_true_source"], row["visible"])
        for row in running.predictions(tmp_path / "run")
        if row["stage"] == "val" and row["decoder"] == "dark"
    }
    squares, pairs = (
        [],
        list(zip(results(tmp_path / "raw"), results(tmp_path / "usual"), strict=True)),
    )
    for raw, _ in pairs:
        for joint, (found, (xx, xy, yy)) in enumerate(
            zip(joints(raw), raw["covariance"], strict=True)
        ):
            *true, visible = truth[raw["image_id"], joint]
            away = found[:2] - true
            if visible:
                squares.append(away @ np.linalg.inv([[xx, xy], [xy, yy]]) @ away)
    rank = math.ceil(0.68 * len(squares))
    widening = math.sqrt(sorted(squares)[rank - 1] / (-2 * math.log(0.32)))
    assert widening > 0
    for raw, usual in pairs:
        expected = np.array(raw["covariance"]) * widening**2
        np.testing.assert_allclose(usual["covariance"], expected, rtol=1e-3)
        assert usual["keypoints"] == raw["keypoints"]


@pytest.fixture
def broken(place, tmp_path) -> Path:
    """The set with a picture cut off in the middle."""
    folder = tmp_path / "broken"
    shutil.copytree(place / "set", folder)
    content = (folder / "5.png").read_bytes()
    (folder / "5.png").write_bytes(content[: len(content) // 2])
    return folder


def test_a_broken_picture_is_named_and_the_rest_is_done(place, broken):
    line = ("run=outputs/maps", f"source={broken}", f"out={broken}/new")
    done = running.succeed("predict", *line, cwd=place)
    assert "1 of 8 pictures could not be read" in done.out
    assert "5.png cannot be read" in done.out
    assert [person["file_name"] for person in results(broken / "new")] == [
        f"{n}.png" for n in range(8) if n != 5
    ]


def test_a_broken_picture_is_refused_before_anything_is_predicted(place, broken, caplog):
    with pytest.raises(IncompatibleError, match=r"5\.png cannot be read.*on_error=skip"):
        predict("maps", place, f"out={broken}/new", "on_error=stop", source=str(broken))
    (broken / "words.png").write_text("no picture")
    with pytest.raises(SystemExit, match="1"):  # where nothing at all was done
        predict("maps", place, f"out={broken}/other", source=str(broken / "words.png"))
    assert caplog.messages[-1].endswith("words.png cannot be read: cannot identify image file")
    assert not (broken / "new").exists()


def test_boxes_may_be_results_of_a_detector_or_lists_by_name(place, tmp_path):
    """The same person twice, which is one person; and a picture without anyone."""
    box, near = [8, 8, 32, 32], [8.1, 8, 32, 32]
    detections = [
        {"image_id": 2, "category_id": 1, "bbox": near, "score": 0.5},
        {"image_id": 2, "category_id": 1, "bbox": box, "score": 0.9},
    ]
    (tmp_path / "results.json").write_text(json.dumps(detections))
    (tmp_path / "lists.json").write_text(json.dumps({"2.png": [box], "4.png": []}))
    found = {}
    for name in ("results", "lists"):
        predict("rle", place, f"boxes={tmp_path}/{name}.json", f"out={tmp_path}/{name}")
        (found[name],) = results(tmp_path / name)
    assert joints(found["results"]) == pytest.approx(joints(found["lists"]), abs=1e-4)
    assert found["results"]["score"] == pytest.approx(0.9 * found["lists"]["score"])


REFUSED = {
    ("source=nowhere",): ("nowhere", "no such file"),
    ("source=outputs/rle/results",): ("no pictures",),
    ("boxes=nobody.json",): ("nobody.json", "no such file"),
    ("boxes=set/0.png",): ("0.png", "no text"),
    ("decoder=argmax",): ("decoder=argmax", "coordinates"),
    ("decoder=[dark,argmax]",): ("decoder=[dark,argmax]", "choose one"),
    ("device=tpu9",): ("device=tpu9", "cpu"),
    ("half=often",): ("half=often", "true or false"),
    ("batch_size=0",): ("batch_size=0", "above 0"),
    ("nms=2",): ("nms=2", "null"),
    ("detector.person=dog",): ("detector.person=dog", "number of a class"),
    ("on_error=go_on",): ("on_error=go_on", "skip"),
    ("checkpoint=best",): ("checkpoint=best", "last"),
    ("run=outputs/rle", "show=maps"): ("show=maps", "coordinates", "show=true"),
    ("joints=[nose]",): ("joints=", "show=true"),
    ("show=true", "joints=[tail]"): ("joints=", "no tail", "choose among"),
    ("show=traces",): ("show=traces", "true or false or maps"),
    ("covariance=wide",): ("covariance=wide", "raw or calibrated"),
    ("covariance=calibrated",): ("covariance=calibrated", "heatmap-evaluate run=outputs/maps"),
    ("run=set",): ("run=set", "not the folder of a run"),
    ("out=set/people.json",): ("out=set/people.json", "another folder"),
}


@pytest.mark.parametrize("given", REFUSED, ids=" ".join)
def test_a_mistake_is_answered_in_a_line(place, given, monkeypatch):
    monkeypatch.chdir(place)
    line = {"run": "run=outputs/maps", "source": "source=set", "out": "out=refused"}
    if "decoder=argmax" in given:
        line["run"] = "run=outputs/rle"
    line |= {text.partition("=")[0]: text for text in given}
    with running.composing(), pytest.raises(IncompatibleError) as refusal:
        jobs.predict(hydra.compose("predict", list(line.values())))
    assert len(str(refusal.value).splitlines()) == 1
    for word in REFUSED[given]:
        assert word in str(refusal.value)
    assert not (place / "refused").exists()
