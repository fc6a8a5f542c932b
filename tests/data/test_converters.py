"""Files as the data sets' owners lay them out, made by hand, and what becomes of them."""

import json
import math
import os
import signal

import numpy as np
import pytest
from scipy.io import savemat

from heatmap_research.data.annotations import read
from heatmap_research.data.converters import aic, mpii, mpii_matlab
from heatmap_research.runs import bounded_file

AIC = {
    "image_id": "d8eeddddcc042544a2570d4c452778b912726720",
    "keypoint_annotations": {
        "human2": [0, 0, 3] * 13 + [67, 279, 1],
        "human1": [n for joint in range(14) for n in (10 * joint, 5 * joint, 1 + joint % 3)],
    },
    "human_annotations": {"human2": [44, 200, 187, 720], "human1": [20, 10, 0, 30]},
}


def test_ai_challengers_people_become_cocos(tmp_path):
    (tmp_path / "theirs.json").write_text(json.dumps([AIC | {"url": "http://"}]))
    assert aic.convert(tmp_path / "theirs.json", tmp_path / "new" / "ours.json") == 2
    found = read(tmp_path / "new" / "ours.json")
    assert found.image_files == (f"{AIC['image_id']}.jpg",)
    assert found.image_sizes.tolist() == [[0, 0]]
    assert found.boxes.tolist() == [[44, 200, 143, 520], [0, 10, 20, 20]]
    assert found.areas.tolist() == [143 * 520, 400]
    assert found.labelled.tolist() == [1, 10]
    assert found.keypoints[0, 13].tolist() == [67, 279, 2]
    assert found.keypoints[1, :4].tolist() == [[0, 0, 2], [10, 5, 1], [0, 0, 0], [30, 15, 2]]
    assert found.schema.flip == (3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8, 12, 13)
    assert found.schema.names[12:] == ("head_top", "neck")
    assert found.schema.sigmas[2] == 0.01057665
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["ours.json"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"images": []}, "not AI Challenger's format"),
        ([{"image_id": "a"}], "not AI Challenger's format"),
        ([7], "not AI Challenger's format"),
        ([AIC | {"human_annotations": {}}], "image d8eed.*, human2: its box is None"),
        ([AIC | {"keypoint_annotations": {"human1": [1, 2, 3]}}], "human1: 3 numbers, not 42"),
        ([AIC | {"keypoint_annotations": {"human1": [1, 2, 4] * 14}}], "human1: visibility 4"),
        ([], "not written, as there are no people"),
    ],
)
def test_another_kind_of_file_is_refused_and_nothing_written(tmp_path, content, words):
    source = tmp_path / "theirs.json"
    source.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=words):
        aic.convert(source, tmp_path / "ours.json")
    assert list(tmp_path.iterdir()) == [source]


def structs(*records):
    """A struct array, as MATLAB has it: every struct has every field, empty where not given."""
    names = list(dict.fromkeys(name for record in records for name in record))
    rows = [tuple(record.get(name, np.array([])) for name in names) for record in records]
    return np.array(rows, dtype=[(name, object) for name in names])


def cells(*values):
    several = np.empty(len(values), dtype=object)
    several[:] = values
    return several


HEAD = {"x1": 100.0, "y1": 200.0, "x2": 130.0, "y2": 240.0}  # its diagonal is 50
RUNNER = dict(
    **HEAD,
    annopoints=dict(
        point=structs(
            dict(x=110.0, y=210.0, id=9),
            dict(x=120.5, y=230.0, id=8, is_visible=np.array([])),
            dict(x=300.0, y=500.0, id=0, is_visible=1),
            dict(x=310.0, y=490.0, id=1, is_visible="0"),
        )
    ),
    scale=2.0,
    objpos=dict(x=201.0, y=301.0),
)
ONE_POINT = dict(
    **HEAD,
    annopoints=dict(point=dict(x=50.0, y=60.0, id=5, is_visible=0)),
    scale=1.5,
    objpos=dict(x=51.0, y=61.0),
)
UNLABELLED = dict(**HEAD, scale=1.0, objpos=dict(x=5.0, y=6.0))


@pytest.fixture
def official(tmp_path):
    annolist = structs(
        dict(image=dict(name="015601864.jpg"), annorect=structs(RUNNER, UNLABELLED)),
        dict(image=dict(name="000000007.jpg"), annorect=ONE_POINT),
        dict(image=dict(name="000000008.jpg"), annorect=np.array([])),
        dict(image=dict(name="000000009.jpg"), annorect=dict(scale=1.0)),  # of the test set
    )
    release = dict(
        annolist=annolist,
        img_train=np.array([1, 1, 1, 0]),
        single_person=cells(np.array([]), np.array([1]), np.array([]), np.array([])),
    )
    file = tmp_path / "mpii_human_pose_v1_u12_1.mat"
    savemat(file, {"RELEASE": release})
    return file


def test_mpiis_official_file_becomes_cocos_counted_from_0(official, tmp_path):
    assert mpii.convert(official, tmp_path / "ours.json") == 2
    found = read(tmp_path / "ours.json")
    assert found.image_files == ("015601864.jpg", "000000007.jpg")
    assert found.image_ids.tolist() == [15601864, 7]
    runner, other = found.keypoints
    assert runner[9].tolist() == [109, 209, 2]  # of the head's visibility nothing is said
    assert runner[8].tolist() == [119.5, 229, 2]
    assert runner[0].tolist() == [299, 499, 2]
    assert runner[1].tolist() == [309, 489, 1]
    assert other[5].tolist() == [49, 59, 1]
    assert found.labelled.tolist() == [4, 1]
    assert found.heads.tolist() == pytest.approx([30, 30])  # 0.6 of the diagonal
    assert found.boxes[0].tolist() == [0, 130, 400, 400]  # 200 x 2, moved down by 15 x 2
    people = json.loads((tmp_path / "ours.json").read_text())["annotations"]
    assert [person["single_person"] for person in people] == [False, True]
    assert found.schema.flip == (5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 15, 14, 13, 12, 11, 10)


HRNET = {
    "image": "015601864.jpg",
    "center": [201.0, 301.0],
    "scale": 2.0,
    "joints": [[300.0, 500.0], [310.0, 490.0]] + [[-1.0, -1.0]] * 14,
    "joints_vis": [1, 1] + [0] * 14,
}


def test_the_usual_split_has_no_heads(tmp_path):
    (tmp_path / "valid.json").write_text(json.dumps([HRNET]))
    assert mpii.convert(tmp_path / "valid.json", tmp_path / "ours.json") == 1
    found = read(tmp_path / "ours.json")
    assert found.keypoints[0, :3].tolist() == [[299, 499, 2], [309, 489, 2], [0, 0, 0]]
    assert found.boxes.tolist() == [[0, 130, 400, 400]]
    assert np.isnan(found.heads).all()


def test_the_official_file_brings_the_usual_split_its_heads(official, tmp_path):
    (tmp_path / "valid.json").write_text(json.dumps([HRNET]))
    mpii.convert(tmp_path / "valid.json", tmp_path / "ours.json", matlab=official)
    found = read(tmp_path / "ours.json")
    assert found.heads.tolist() == pytest.approx([0.6 * math.hypot(30, 40)])
    assert found.keypoints[0, :2, 2].tolist() == [2, 1]
    (tmp_path / "valid.json").write_text(json.dumps([HRNET | {"image": "1.jpg"}]))
    with pytest.raises(ValueError, match=r"mpii_human.*\.mat has no person 0 of 1.jpg"):
        mpii.convert(tmp_path / "valid.json", tmp_path / "ours.json", matlab=official)


def test_a_file_that_is_not_mpiis_is_refused(tmp_path, monkeypatch):
    other, target = tmp_path / "other.mat", tmp_path / "ours.json"
    savemat(other, {"RELEASE": np.zeros(2**18)}, do_compression=True)
    with monkeypatch.context() as patch:
        patch.setattr(bounded_file, "LABELS", 2**20)
        refused(other, target, "unpacked it has at least 2097")
    with monkeypatch.context() as patch:
        patch.setattr(mpii_matlab, "_content", lambda _: os.kill(os.getpid(), signal.SIGSEGV))
        refused(other, target, "its structs lie deeper in each other than can be read")
    savemat(other, {"x": 1})
    refused(other, target, "not MPII's, it has no RELEASE")
    other.write_bytes(b"no matlab")
    refused(other, target, "damaged, or no MATLAB file")
    refused(tmp_path / "typo.mat", target, "cannot be read: No such file")
    other = tmp_path / "other.json"
    other.write_text(json.dumps([HRNET | {"joints": [[1, 2]]}]))
    refused(other, target, "person 0 of 015601864.jpg has 1 joints and 16 of joints_vis, not 16")
    other.write_text('[{"image"')
    refused(other, target, "no whole JSON")
    refused(tmp_path / "typo.json", target, "cannot be read: No such file")
    other.write_text("[{}]")
    refused(other, target, "not a list of center, image")


def refused(source, target, words):
    with pytest.raises(ValueError, match=words) as refusal:
        mpii.convert(source, target)
    assert str(refusal.value).startswith(f"{source}: ")
    assert "\n" not in str(refusal.value)
    assert not target.exists()
