"""Labels as YOLO, DeepLabCut, Lightning Pose and SLEAP write them, made by hand."""

import json
import re

import cv2
import numpy as np
import pytest
from PIL import Image

from heatmap_research.data.annotations import read
from heatmap_research.data.converters import deeplabcut, lightning_pose, sleap, yolo

DATA_YAML = """\
path: .
train: images/train
val: [images/train]
kpt_shape: [3, 3]
flip_idx: [0, 2, 1]
kpt_names: {0: [nose, left_eye, right_eye]}
names: {0: person}
"""


def picture(file, width=40, height=20):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height)).save(file)


@pytest.fixture
def of_yolo(tmp_path):
    picture(tmp_path / "images" / "train" / "a.jpg")
    picture(tmp_path / "images" / "train" / "b.png")
    (tmp_path / "labels" / "train").mkdir(parents=True)
    row = "0 0.5 0.5 0.25 0.5  0.5 0.25 2  0.25 0.75 1  0 0 0\n"
    (tmp_path / "labels" / "train" / "a.txt").write_text(row)
    (tmp_path / "data.yaml").write_text(DATA_YAML)
    return tmp_path / "data.yaml"


def test_yolos_shares_of_the_image_become_pixels(of_yolo, tmp_path):
    done = yolo.convert(of_yolo, tmp_path / "coco.json")
    found = read(tmp_path / "coco.json")
    assert (done.people, done.images, done.note) == (1, tmp_path, "")
    assert found.image_files == ("images/train/a.jpg", "images/train/b.png")
    assert found.image_sizes.tolist() == [[40, 20]] * 2
    assert found.keypoints.tolist() == [[[20, 5, 2], [10, 15, 1], [0, 0, 0]]]
    assert found.boxes.tolist() == [[15, 5, 10, 10]]
    assert found.schema.names == ("nose", "left_eye", "right_eye")
    assert found.schema.flip == (0, 2, 1)


def test_yolo_without_visibility_and_names_says_what_cannot_be_known(of_yolo, tmp_path):
    of_yolo.write_text("train: images/train\nkpt_shape: [2, 2]\n")
    (tmp_path / "labels" / "train" / "a.txt").write_text("0 .5 .5 .25 .5 .5 .25 0 0")
    done = yolo.convert(of_yolo, tmp_path / "coco.json")
    assert "augment.flip=0" in done.note
    found = read(tmp_path / "coco.json")
    assert found.keypoints.tolist() == [[[20, 5, 2], [0, 0, 0]]]
    assert found.schema.names == ("joint_0", "joint_1")


def test_yolos_shares_are_of_the_picture_as_its_exif_turns_it_and_several_classes_are_said(
    of_yolo, tmp_path
):
    place = tmp_path / "images" / "train" / "a.jpg"
    with Image.open(place) as stored:
        exif = stored.getexif()
        exif[0x0112] = 6
        stored.save(place, exif=exif)
    rows = (tmp_path / "labels" / "train" / "a.txt").read_text().splitlines()
    more = [*rows, rows[0].replace("0", "1", 1)]
    (tmp_path / "labels" / "train" / "a.txt").write_text("\n".join(more))
    done = yolo.convert(of_yolo, tmp_path / "coco.json")
    found = read(tmp_path / "coco.json")
    assert found.image_sizes.tolist() == [[20, 40], [40, 20]]
    assert found.keypoints[0].tolist() == [[10, 10, 2], [5, 30, 1], [0, 0, 0]]
    assert "2 classes" in done.note


def test_names_of_yolos_images_start_from_a_folder_that_all_are_in(of_yolo, tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    of_yolo.rename(inside / "data.yaml")
    (inside / "data.yaml").write_text(DATA_YAML.replace("images/train", "../images/train"))
    done = yolo.convert(inside / "data.yaml", tmp_path / "coco.json")
    assert done.images == tmp_path
    assert read(tmp_path / "coco.json").image_files == ("images/train/a.jpg", "images/train/b.png")


YOLO_MISTAKES = {
    "it has no kpt_shape": ("train: images/train\n", None),
    "kpt_shape=[3, 4]: give the joints and 2 or 3": (DATA_YAML.replace("[3, 3]", "[3, 4]"), None),
    "this is no YAML": ("a: [b", None),
    "it has no train": (DATA_YAML.replace("train: images/train", "train:"), None),
    "train is photos, and there is no": (
        DATA_YAML.replace("train: images/train", "train: photos"),
        0,
    ),
    "kpt_names has 2 names for 3": (DATA_YAML.replace("nose, ", ""), None),
    "line 1: 11 numbers, not 14": (DATA_YAML, "0 .5 .5 .2 .2 .5 .5 2 .5 .5 2\n"),
    "line 1: could not convert string to float: 'x'": (DATA_YAML, "x\n"),
    "visibility 3, not 0, 1 or 2": (DATA_YAML, "0 .5 .5 .2 .2 .5 .5 3 .5 .5 2 .5 .5 2"),
    "no people with a keypoint": (DATA_YAML, ""),
}


@pytest.mark.parametrize("words", YOLO_MISTAKES)
def test_a_mistake_in_yolos_files_is_said_in_a_line(of_yolo, tmp_path, words):
    text, labels = YOLO_MISTAKES[words]
    of_yolo.write_text(text)
    if isinstance(labels, str):
        (tmp_path / "labels" / "train" / "a.txt").write_text(labels)
    refused(lambda: yolo.convert(of_yolo, tmp_path / "coco.json"), words)


def refused(convert, words):
    with pytest.raises(ValueError, match=re.escape(words)) as refusal:
        convert()
    assert "\n" not in str(refusal.value)


ONE_ANIMAL = """\
scorer,Ann,Ann,Ann,Ann
bodyparts,snout,snout,leftear,leftear
coords,x,y,x,y
labeled-data/mouse/img1.png,10.5,4,20.5,8
labeled-data/mouse/img2.png,,,12,3
labeled-data/mouse/img3.png,,,,
"""
SEVERAL = """\
scorer,,,Ann,Ann,Ann,Ann,Ann,Ann
individuals,,,m1,m1,m2,m2,single,single
bodyparts,,,snout,snout,snout,snout,corner,corner
coords,,,x,y,x,y,x,y
labeled-data,mouse,img1.png,1,2,3,4,nan,nan
labeled-data,mouse,img2.png,,,5,6,7,8
"""


def table(folder, text):
    file = folder / "labeled-data" / "mouse" / "CollectedData_Ann.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_deeplabcuts_table_of_one_animal(tmp_path):
    picture(tmp_path / "labeled-data" / "mouse" / "img1.png")
    done = deeplabcut.convert([table(tmp_path, ONE_ANIMAL)], tmp_path / "coco.json")
    found = read(tmp_path / "coco.json")
    assert (done.people, done.images) == (2, tmp_path)
    assert done.note == "2 of 3 images are not there."
    assert found.image_files == tuple(f"labeled-data/mouse/img{n}.png" for n in (1, 2, 3))
    assert found.image_sizes.tolist() == [[40, 20], [0, 0], [0, 0]]
    assert found.keypoints.tolist() == [[[10.5, 4, 2], [20.5, 8, 2]], [[0, 0, 0], [12, 3, 2]]]
    assert found.boxes[0].tolist() == [9.5, 3, 12, 6]  # a tenth of 10 px on every side
    assert found.learnable.tolist() == [True, False]  # one point makes no box


def test_deeplabcuts_table_of_several_animals_whose_paths_take_three_columns(tmp_path):
    done = deeplabcut.convert([table(tmp_path, SEVERAL)], tmp_path / "coco.json")
    found = read(tmp_path / "coco.json")
    assert done.people == 4
    assert found.schema.names == ("snout", "corner")
    assert found.image_files[1] == "labeled-data/mouse/img2.png"
    assert found.images.tolist() == [0, 0, 1, 1]
    assert found.keypoints[:, 0].tolist() == [[1, 2, 2], [3, 4, 2], [5, 6, 2], [0, 0, 0]]
    assert found.keypoints[3, 1].tolist() == [7, 8, 2]


def test_lightning_poses_table_lies_beside_its_images(tmp_path):
    picture(tmp_path / "labeled-data" / "mouse" / "img1.png")
    (tmp_path / "CollectedData.csv").write_text(ONE_ANIMAL)
    sources = [tmp_path / "CollectedData.csv"]
    assert lightning_pose.convert(sources, tmp_path / "coco.json").images == tmp_path
    assert read(tmp_path / "coco.json").schema.names == ("snout", "leftear")


TABLE_MISTAKES = {
    "no table of labels, whose first rows are scorer": "image,x,y\na.png,1,2\n",
    "these are predictions": ONE_ANIMAL.replace("x,y,x,y", "x,y,likelihood,x"),
    "its row coords is not x, y": ONE_ANIMAL.replace("x,y,x,y", "x,x,y,y"),
    "row 4, snout: 'ten' is no number": ONE_ANIMAL.replace("10.5", "ten"),
    "no people with a keypoint": "".join(ONE_ANIMAL.splitlines(True)[:3]),
}


@pytest.mark.parametrize("words", TABLE_MISTAKES)
def test_a_mistake_in_a_table_is_said_in_a_line(tmp_path, words):
    file = table(tmp_path, TABLE_MISTAKES[words])
    refused(lambda: deeplabcut.convert([file], tmp_path / "coco.json"), words)


def test_tables_of_other_body_parts_are_not_put_together(tmp_path):
    first, second = table(tmp_path / "a", ONE_ANIMAL), table(tmp_path / "b", SEVERAL)
    refused(lambda: deeplabcut.convert([first, second], tmp_path / "c.json"), "convert them apart")


KIND = [{"py/type": "sleap.skeleton.EdgeType"}]
TOLD = {
    "nodes": [{"name": "tail"}, {"name": "head"}, {"name": "earL"}, {"name": "earR"}],
    "skeletons": [
        {
            "nodes": [{"id": 1}, {"id": 0}, {"id": 2}, {"id": 3}],
            "links": [
                {"source": 1, "target": 0, "type": {"py/reduce": [*KIND, {"py/tuple": [1]}]}},
                {"source": 2, "target": 3, "type": {"py/reduce": [*KIND, {"py/tuple": [2]}]}},
                {"source": 1, "target": 2, "type": {"py/id": 1}},
                {"source": 3, "target": 2, "type": {"py/id": 2}},
            ],
        }
    ],
}
NAN = float("nan")
POINTS = [(10, 5, True), (NAN, NAN, False), (12, 6, False), (14, 7, True)]


def slp(file, videos, format_id=1.2, told=TOLD):
    """One frame, 3 of video 0, with somebody labelled and somebody predicted."""
    h5py = pytest.importorskip("h5py")
    kinds = {
        "frames": "frame_id video frame_idx instance_id_start instance_id_end",
        "instances": "instance_id instance_type frame_id skeleton point_id_start point_id_end",
    }
    rows = {"frames": [(0, 0, 3, 0, 2)], "instances": [(0, 0, 0, 0, 0, 4), (1, 1, 0, 0, 0, 4)]}
    with h5py.File(file, "w") as content:
        about = content.create_group("metadata").attrs
        about["json"], about["format_id"] = json.dumps(told), format_id
        content["videos_json"] = [json.dumps(video).encode() for video in videos]
        for name, columns in kinds.items():
            content[name] = np.array(rows[name], [(column, "i8") for column in columns.split()])
        content["points"] = np.array(POINTS, [("x", "f8"), ("y", "f8"), ("visible", "?")])
    return file


def test_sleaps_user_labels_are_taken_with_bones_and_symmetries(tmp_path):
    names = [f"{n}.png" for n in range(4)]
    picture(tmp_path / "3.png")
    source = slp(tmp_path / "a.slp", [{"filename": "0.png", "backend": {"filenames": names}}])
    done = sleap.convert(source, tmp_path / "out" / "coco.json")
    found = read(tmp_path / "out" / "coco.json")
    assert (done.people, done.images) == (1, tmp_path)
    assert found.image_files == ("3.png",)
    assert found.image_sizes.tolist() == [[40, 20]]
    assert found.schema.names == ("head", "tail", "earL", "earR")
    assert found.keypoints[0].tolist() == [[10, 5, 2], [0, 0, 0], [12, 6, 1], [14, 7, 2]]
    assert found.schema.flip == (0, 1, 3, 2)
    assert found.schema.skeleton == ((0, 1), (0, 2))


def test_before_format_1_1_of_sleap_the_middle_of_the_first_pixel_was_at_a_half(tmp_path):
    picture(tmp_path / "3.png")
    videos = [{"filename": "x", "backend": {"filenames": [f"{n}.png" for n in range(4)]}}]
    sleap.convert(slp(tmp_path / "a.slp", videos, 1.0), tmp_path / "coco.json")
    assert read(tmp_path / "coco.json").keypoints[0, 0].tolist() == [9.5, 4.5, 2]


def test_frames_within_sleaps_file_or_a_video_are_written_beside_the_target(tmp_path):
    h5py = pytest.importorskip("h5py")
    frames = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    source = slp(tmp_path / "a.slp", [{"filename": ".", "backend": {}}])
    with h5py.File(source, "a") as content:
        content["video0/frame_numbers"] = [1, 3]
        content["video0/video"] = frames
    done = sleap.convert(source, tmp_path / "coco.json")
    assert read(tmp_path / "coco.json").image_files == ("video0_000003.png",)
    assert np.array_equal(np.asarray(Image.open(done.images / "video0_000003.png")), frames[1])

    film = cv2.VideoWriter(str(tmp_path / "b.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (32, 16))
    for grey in (0, 60, 120, 180, 240):
        film.write(np.full((16, 32, 3), grey, np.uint8))
    film.release()
    source = slp(tmp_path / "b.slp", [{"filename": "C:\\films\\b.avi", "backend": {}}])
    done = sleap.convert(source, tmp_path / "b.json")
    assert abs(np.asarray(Image.open(done.images / "video0_000003.png")).mean() - 180) < 5


def test_a_mistake_in_sleaps_file_is_said_in_a_line(tmp_path, monkeypatch):
    pytest.importorskip("h5py")
    (tmp_path / "text.slp").write_text("{}")
    refused(lambda: sleap.convert(tmp_path / "text.slp", tmp_path / "c.json"), "no HDF5 file that")
    two = TOLD | {"skeletons": TOLD["skeletons"] * 2}
    source = slp(tmp_path / "two.slp", [], told=two)
    refused(lambda: sleap.convert(source, tmp_path / "c.json"), "it has 2 skeletons, not one")
    source = slp(tmp_path / "film.slp", [{"filename": "away.mp4", "backend": {}}])
    refused(lambda: sleap.convert(source, tmp_path / "c.json"), "is the video there?")
    film = cv2.VideoWriter(
        str(tmp_path / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (32, 16)
    )
    film.write(np.zeros((16, 32, 3), np.uint8))
    film.release()
    (tmp_path / "film.avi").rename(tmp_path / "away.mp4")
    monkeypatch.setattr("heatmap_research.data.film.MOST_PIXELS", 511)
    refused(lambda: sleap.convert(source, tmp_path / "c.json"), "frames of 32 x 16, and no more")


def test_parts_of_sleaps_file_that_are_huge_or_of_another_file_are_not_read(tmp_path):
    h5py = pytest.importorskip("h5py")
    source = slp(tmp_path / "a.slp", [{"filename": ".", "backend": {}}])
    with h5py.File(source, "a") as content:
        kind = content["frames"].dtype
        del content["frames"]
        content.create_dataset("frames", (2**36,), kind, chunks=True)
    refused(lambda: sleap.convert(source, tmp_path / "c.json"), "frames has 2748779069440 bytes")
    with h5py.File(source, "a") as content:
        del content["frames"], content["videos_json"]
        content.create_dataset("videos_json", (2**40,), h5py.string_dtype(), chunks=True)
    refused(lambda: sleap.convert(source, tmp_path / "c.json"), "videos_json has the shape")
    with h5py.File(source, "a") as content:
        del content["videos_json"]
        content["videos_json"] = [b"{}"]
        content["frames"] = h5py.ExternalLink("other.h5", "/frames")
    refused(lambda: sleap.convert(source, tmp_path / "c.json"), "frames is a link, which is not")
    with h5py.File(source, "a") as content:
        del content["frames"]
        content.create_dataset("frames", (4,), kind, external=[("/dev/zero", 0, 160)])
    refused(lambda: sleap.convert(source, tmp_path / "c.json"), "frames lies in another file")
