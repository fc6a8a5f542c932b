"""Whom a file says to look at, and in which picture."""

import json
import os

import numpy as np
import people
import pytest
import running
import torch

from heatmap_research.inference import boxes, pictures, sources
from heatmap_research.types import IncompatibleError

BOX = [1, 2, 3, 4]


@pytest.fixture
def written(tmp_path):
    def write(content, name="boxes.json"):
        (tmp_path / name).write_text(json.dumps(content))
        return tmp_path / name

    return write


def picture(name, number=0):
    return pictures.of_pixels(np.zeros((8, 8, 4), np.uint8), name, number)


def detections(*pairs):
    return [
        {"image_id": image, "category_id": category, "bbox": BOX, "score": 0.5}
        for image, category in pairs
    ]


def test_numbers_are_those_that_files_and_frames_are_named_by_not_places_in_a_folder(written):
    listing = boxes.read(written(detections((0, 1), (1, 1), (12, 1))), None, None)
    for name, number, count in (("a.png", 0, 0), ("000012.jpg", 7, 1), ("v.avi:1", 1, 1)):
        assert len(boxes.placed(picture(name, number), listing).boxes) == count


def test_a_detectors_other_categories_are_not_cut_as_people(written):
    file = written(detections((12, 1), (12, 7), (13, 7)))
    with pytest.raises(ValueError, match="2 categories: give annotations=FILE"):
        boxes.read(file, None, None)
    kinds = [{"id": 7, "name": "car"}, {"id": 1, "name": "person", "keypoints": ["nose"]}]
    images = [{"id": 12, "file_name": "a.png"}, {"id": 13, "file_name": "b.png"}]
    truth = written({"images": images, "annotations": [], "categories": kinds}, "truth.json")
    for category, counts in ((None, (1, 0)), ("car", (1, 1))):
        listing = boxes.read(file, truth, category)
        found = [len(boxes.placed(picture(name), listing).boxes) for name in ("a.png", "b.png")]
        assert tuple(found) == counts
    with pytest.raises(ValueError, match=r"truth\.json has no image 14"):
        boxes.read(written(detections((14, 1))), truth, None)


def test_boxes_that_two_pictures_would_have_are_refused(written):
    file = written({"a.png": [BOX], "s2/b.png": [BOX]})
    listing = boxes.read(file, None, None)
    boxes.refuse_shared(file, ["s1/a.png", "s1/b.png", "s2/b.png"], listing)
    with pytest.raises(ValueError, match=r"a\.png may be s1/a\.png or s2/a\.png"):
        boxes.refuse_shared(file, ["s1/a.png", "s2/a.png"], listing)


def test_a_broken_picture_without_anyone_is_told_of(tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    cutter = pictures.Cutter((8, 8), 3, running.job().codec.grid.geometry, 1.25)
    nobody = np.zeros((0, 4))
    assert cutter(pictures.of_file(tmp_path / "bad.jpg", 3).with_boxes(nobody)).problem
    assert cutter(picture("a.png").with_boxes(nobody)).problem is None


def test_files_may_be_named_by_relative_and_absolute_paths_together(tmp_path, monkeypatch):
    people.write(tmp_path / "set", images=2)
    monkeypatch.chdir(tmp_path)
    found = sources.files(["set/0.png", str(tmp_path / "set" / "1.png")], 3)
    assert found.names == ["0.png", "1.png"]
    assert os.path.samefile(found.folder, tmp_path / "set")


def test_tensors_of_bfloat16_are_read_and_what_has_no_pixels_is_refused():
    half = torch.full((8, 8, 3), 0.5, dtype=torch.bfloat16)
    assert (
        pictures.of_memory(half, 3).read(1)[0][..., :3].tolist() == np.full((8, 8, 3), 128).tolist()
    )
    with pytest.raises(IncompatibleError, match="no pixels"):
        pictures.of_memory(np.zeros((0, 8, 3), np.uint8), 3)
