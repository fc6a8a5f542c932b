"""Annotation files, hand-made and real: what is read, assumed and refused."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pairwise import each

from heatmap_research.data.annotations import first_folder, flip_of, read, schema_of, skeleton_of
from heatmap_research.data.annotations.schemas import mirrored, one_sided
from heatmap_research.data.annotations.table import iou, largest_iou
from heatmap_research.runs import bounded_file

NAN, INFINITY = float("nan"), float("inf")
PERSON = {"id": 1, "name": "person", "keypoints": ["nose", "left_eye", "right_eye"]}
POINTS = [10.5, 20.25, 2, 30, 40, 1, 5, 5, 0]


def someone(number: int = 7, **facts) -> dict:
    whole = {"id": number, "image_id": 3, "category_id": 1, "iscrowd": 0, "keypoints": POINTS}
    return whole | {"bbox": [1, 2, 100, 50], "area": 2000.5, "num_keypoints": 2} | facts


def without(record: dict, *keys: str) -> dict:
    return {key: value for key, value in record.items() if key not in keys}


@pytest.fixture
def write(tmp_path):
    def written(*people: dict, categories=(PERSON,), images=({"id": 3},), name="a.json") -> Path:
        content = {"images": images, "annotations": people, "categories": categories}
        (tmp_path / name).write_text(json.dumps(content))
        return tmp_path / name

    return written


def test_a_hand_made_file_is_read_to_the_last_number(write):
    images = [
        {"id": 9, "file_name": "b.jpg"},
        {"id": 3, "file_name": "a.jpg", "width": 640, "height": 480},
    ]
    found = read(write(someone(), someone(8, iscrowd=1, keypoints=[0] * 9), images=images))
    assert found.image_ids.tolist() == [9, 3]
    assert found.image_files == ("b.jpg", "a.jpg")
    assert found.image_sizes.tolist() == [[0, 0], [640, 480]]
    assert found.ids.tolist() == [7, 8]
    assert found.images.tolist() == [1, 1]
    assert found.boxes.tolist() == [[1, 2, 100, 50]] * 2
    assert found.keypoints[0].tolist() == [[10.5, 20.25, 2], [30, 40, 1], [0, 0, 0]]
    assert found.areas.tolist() == [2000.5, 2000.5]
    assert found.crowd.tolist() == [False, True]
    assert np.isnan(found.heads).all()
    assert found.labelled.tolist() == [2, 0]
    assert found.learnable.tolist() == [True, False]
    assert found.category == 1
    assert found.schema.names == ("nose", "left_eye", "right_eye")


def test_an_unlabelled_point_is_nowhere_whatever_the_file_says_of_it(write):
    found = read(write(someone(keypoints=[NAN, NAN, 0, 3, 4, 0, 5, 6, 2])))
    assert found.keypoints[0].tolist() == [[0, 0, 0], [0, 0, 0], [5, 6, 2]]


def test_what_is_missing_follows_from_what_is_there(write):
    bare = without(someone(), "bbox", "area", "iscrowd", "num_keypoints")
    found = read(write(bare))
    assert found.boxes.tolist() == [[10.5, 20.25, 19.5, 19.75]]
    assert found.areas.tolist() == pytest.approx([0.53 * 19.5 * 19.75])
    assert found.crowd.tolist() == [False]


def test_nobody_is_learnt_from_without_a_labelled_point_or_a_box_with_area(write):
    people = (
        without(someone(1), "keypoints"),
        someone(2, bbox=[1, 2, 0, 50]),
        someone(3, keypoints=[0] * 9),
        without(someone(4, keypoints=[0] * 9), "bbox"),
        someone(5),
    )
    assert read(write(*people)).learnable.tolist() == [False] * 4 + [True]


def test_a_wrong_num_keypoints_does_no_harm(write):
    assert read(write(someone(num_keypoints=17))).labelled.tolist() == [2]


def test_a_head_size_is_kept(write):
    found = read(write(someone(head_size=31.5), someone(8)))
    assert found.heads[0] == 31.5
    assert np.isnan(found.heads[1])


def test_a_file_without_people_is_an_empty_table(write):
    found = read(write())
    assert found.keypoints.shape == (0, 3, 3)
    assert found.overlaps.shape == (0,)


def test_a_gzipped_file_is_known_by_its_content(write, tmp_path):
    plain = write(someone())
    packed = tmp_path / "packed.json"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert np.array_equal(read(packed).keypoints, read(plain).keypoints)


def test_a_file_is_read_once_until_it_changes(write):
    file = write(someone())
    first = read(file)
    assert read(str(file)) is first
    assert read(file, sigmas=[1, 2, 3]).keypoints is first.keypoints
    write(someone(), someone(8))
    assert len(read(file)) == 2


def test_names_do_not_lead_out_of_the_folder_of_images(write):
    file = write(someone())
    content = json.loads(file.read_text())
    for name in ("/etc/passwd", "../secret.png", "a/../../b.png", ".."):
        content["images"][0]["file_name"] = name
        file.write_text(json.dumps(content))
        with pytest.raises(ValueError, match="leads out of the folder of images"):
            read(file)
    content["images"][0]["file_name"] = "a..b/..c.png"
    file.write_text(json.dumps(content))
    assert read(file).image_files[0] == "a..b/..c.png"


def test_what_is_shared_cannot_be_written(write):
    with pytest.raises(ValueError, match="read-only"):
        read(write(someone())).keypoints[0] = 1


def test_some_images_bring_their_people_only(write):
    images = [{"id": n, "file_name": f"{n}.jpg"} for n in (1, 2, 3)]
    people = (someone(1, image_id=3), someone(2, image_id=2), someone(3, image_id=1))
    found = read(write(*people, images=images)).select(np.array([True, False, True]))
    assert found.image_files == ("1.jpg", "3.jpg")
    assert found.ids.tolist() == [1, 3]
    assert found.image_ids[found.images].tolist() == [3, 1]


SECOND = {"id": 2, "name": "dog", "keypoints": ["snout"]}
PLAIN = {"id": 2, "name": "dog"}


def test_one_of_several_categories_is_chosen_by_name_or_number(write):
    people = (someone(), someone(8, category_id=2, keypoints=[1, 2, 2]))
    file = write(*people, categories=(PERSON, SECOND))
    assert read(file, category="dog").keypoints.tolist() == [[[1, 2, 2]]]
    assert read(file, category=1).ids.tolist() == [7]
    assert schema_of(file, category="dog").names == ("snout",)


def test_categories_without_keypoints_are_passed_over(write):
    other = without(someone(8, category_id=2), "keypoints")
    assert read(write(someone(), other, categories=(PLAIN, PERSON))).ids.tolist() == [7]


REFUSED = {
    "annotation 7: keypoints has 8 numbers, not 9": someone(keypoints=POINTS[:8]),
    "annotation 7: keypoints has 'x', no number": someone(keypoints=["x", *POINTS[1:]]),
    "annotation 7: keypoints has None, no number": someone(keypoints=[None, *POINTS[1:]]),
    "annotation 7: keypoints is 5, no list": someone(keypoints=5),
    "annotation 7: a keypoint is at nan": someone(keypoints=[NAN, *POINTS[1:]]),
    "annotation 7: a keypoint is at -inf": someone(keypoints=[1, -INFINITY, *POINTS[2:]]),
    "annotation 7: visibility is 3.0": someone(keypoints=[1, 1, 3, *POINTS[3:]]),
    "annotation 7: bbox has a negative width or height, -4": someone(bbox=[1, 2, -4, 5]),
    "annotation 7: bbox has nan": someone(bbox=[1, NAN, 4, 5]),
    "annotation 7: bbox has 3 numbers, not 4": someone(bbox=[1, 2, 4]),
    "annotation 7: area is nan": someone(area=NAN),
    "annotation 7: area is -1.0": someone(area=-1),
    "annotation 7: area has 'big', no number": someone(area="big"),
    "annotation 7: head_size is 0, not above 0": someone(head_size=0),
    "annotation 7: a keypoint is at inf": someone(keypoints=[1, 10**400, *POINTS[2:]]),
    "annotation 7: a keypoint is at 1e[+]308": someone(keypoints=[1e308, *POINTS[1:]]),
    "annotation 7: bbox has -inf, no number of pixels": someone(bbox=[-(10**400), 2, 4, 5]),
    "annotation 7: area is inf": someone(area=10**400),
    "annotation 7: head_size is inf, no number of pixels": someone(head_size=10**400),
    "annotation 7: keypoints is '[a.]+', no list": someone(keypoints="a" * 9999),
    "annotation 7: iscrowd is 2": someone(iscrowd=2),
    "annotation 7: there is no image 4": someone(image_id=4),
    "annotation 7: there is no image '3'": someone(image_id="3"),
    "annotation 7: there is no category 5": someone(category_id=5),
    "annotation 7: it has no category_id": without(someone(), "category_id"),
    "annotation number 0, from 0: its id is missing": without(someone(), "id"),
    "annotation number 0, from 0: its id is 'a', no whole number": someone(id="a"),
}


@each(words=list(REFUSED))
def test_a_senseless_annotation_is_refused_in_a_line_that_names_it(write, words):
    name = f"{list(REFUSED).index(words)}.json"  # files are known by their names and times
    refuses(write(REFUSED[words], someone(6), name=name), words)


def test_ids_that_are_there_twice_are_refused(write):
    refuses(write(someone(), someone(6), someone()), "annotation 7 is there 2 times")
    refuses(write(images=[{"id": 3}, {"id": 3}], name="b.json"), "image 3 is there 2 times")


def test_a_category_that_cannot_be_chosen_is_refused(write):
    both = write(someone(), categories=(PERSON, SECOND))
    refuses(both, r"several categories .*\(person, dog\): choose data.category=NAME")
    refuses(both, "no category cat; with keypoints: person, dog", category="cat")
    one = write(someone(), categories=(PERSON, PLAIN), name="b.json")
    refuses(one, "category dog has no keypoints; with keypoints: person", category="dog")
    none = write(someone(), categories=({"id": 1, "name": "cat"},), name="c.json")
    refuses(none, r"no category has names of keypoints \(categories: cat\)")


@pytest.mark.parametrize("cut", [0, 1, 40, 200, -1])
def test_a_truncated_file_is_refused_with_the_place(write, tmp_path, cut):
    cut_off = tmp_path / "cut.json"
    cut_off.write_text(write(someone()).read_text()[:cut])
    refuses(cut_off, r"at line 1, column \d+ \(character \d+\)")


def test_a_truncated_gzip_file_is_refused(write, tmp_path):
    packed = tmp_path / "packed.json.gz"
    packed.write_bytes(gzip.compress(write(someone()).read_bytes())[:-20])
    refuses(packed, "gzip file breaks off or is damaged")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[]", "this is a list, such as results are"),
        (b"3", "no list of images, annotations, categories"),
        (b'{"images": [], "annotations": []}', "no list of categories"),
        (b'{"images": [1], "annotations": [], "categories": []}', "number 0 of images is no rec"),
        (b"\xff\xd8\xff\xe0 a jpeg", "this is no text"),
        (b'{"images": "\\ud800"}', "half a letter, which no text has"),
        (b"[" + b"1" * 5000 + b"]", "4300 digits"),
    ],
)
def test_another_kind_of_file_is_refused(tmp_path, content, words):
    (tmp_path / "a.json").write_bytes(content)
    refuses(tmp_path / "a.json", words)


def test_what_has_no_end_is_not_read(write, tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "fifo.json")
    refuses(tmp_path / "fifo.json", "there is no such file")
    monkeypatch.setattr(bounded_file, "LABELS", 1000)  # bytes
    refuses(write(*[someone()] * 9), "it has [0-9]+ bytes, and no more than 1000 are read")
    (packed := tmp_path / "packed.json").write_bytes(gzip.compress(b" " * 10**5))
    refuses(packed, "unpacked it has at least 1001 bytes, and no more than 1000 are read")


def test_a_gzip_file_of_several_members_is_read_whole(write, tmp_path):
    whole = write(someone()).read_bytes()
    packed = tmp_path / "packed.json.gz"
    packed.write_bytes(gzip.compress(whole[:99]) + gzip.compress(whole[99:]))
    assert read(packed).ids.tolist() == [7]


def test_a_missing_file_is_refused_with_the_folder_that_is_missing(tmp_path):
    refuses(tmp_path / "a.json", "there is no such file")
    refuses(tmp_path / "typo" / "new" / "a.json", f"there is no such folder as {tmp_path}/typo[.]")
    refuses(tmp_path, "a folder, not a file")


def refuses(file: Path, words: str, **choice) -> None:
    with pytest.raises(ValueError, match=words) as refusal:
        read(file, **choice)
    assert str(refusal.value).startswith(f"{file}: ")
    assert "\n" not in str(refusal.value)


NAMES = {
    "left_eye right_eye nose": (1, 0, 2),
    "eye_l eye_r": (1, 0),
    "snout leftear rightear tailbase": (0, 2, 1, 3),
    "earleft earright": (1, 0),
    "LShoulder RShoulder": (1, 0),
    "lShoulder rShoulder": (1, 0),
    "shoulderL shoulderR": (1, 0),
    "L._wrist R._wrist neck": (1, 0, 2),
    "Left_Front_Paw Left_Back_Paw Right_Front_Paw Right_Back_Paw": (2, 3, 0, 1),
    "L_F_Paw R_F_Paw L_B_Paw": (1, 0, 2),
    "forelegL1 forelegL2 forelegR1 forelegR2": (2, 3, 0, 1),
    "LANK RANK CLAV": (1, 0, 2),
    "lknee rknee": (1, 0),
    "leftEye rightEye": (1, 0),
    "LEFT-EYE RIGHT-EYE": (1, 0),
    "ankle": (0,),
    "left_ankle": (0,),
    "left_ankle right_knee": (0, 1),
    "bottle upright rear lip": (0, 1, 2, 3),
    "link copyright handle": (0, 1, 2),
    "left_eye l_eye right_eye r_eye": (2, 3, 0, 1),
    "ear_left eye_right": (0, 1),
    "LF RF LH RH": (1, 0, 3, 2),
    "LeftHind RightHind LeftFore": (1, 0, 2),
    "pawFL pawFR pawHL pawHR tail": (1, 0, 3, 2, 4),
    "paw_LH paw_RH": (1, 0),
    "forepawl forepawr": (1, 0),
    "HandLft HandRgt Eye_Lt Eye_Rt": (1, 0, 3, 2),
    "Auge_links Auge_rechts": (1, 0),
    "L1 L2 L3": (0, 1, 2),
    "lip rib": (0, 1),
}


def test_sides_are_told_from_names():
    spaced = {names: [name.replace("._", ". ") for name in names.split()] for names in NAMES}
    assert {names: mirrored(spaced[names]) for names in NAMES} == NAMES


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("lrefiLRght_ .12", max_size=8), unique=True, max_size=8))
def test_any_names_are_paired_one_to_one(names):
    flip = mirrored(names)
    assert all(flip[flip[joint]] == joint for joint in range(len(names)))


def test_the_files_own_pairs_go_before_names():
    eyes = ["nose", "left_eye", "right_eye"]
    assert flip_of({"keypoints": eyes, "flip_pairs": [[0, 2]]}) == (2, 1, 0)
    assert flip_of({"keypoints": eyes, "flip_indices": [0, 1, 2]}) == (0, 1, 2)
    assert flip_of({"keypoints": eyes, "flip_pairs": []}) == (0, 1, 2)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("flip_pairs", [[1, 3]]),
        ("flip_pairs", [[0, 1], [1, 2]]),
        ("flip_pairs", [[0, 1, 2]]),
        ("flip_pairs", "left"),
        ("flip_indices", [1, 2, 2]),
        ("flip_indices", [0, 2]),
        ("sigmas", [0.1, 0.1]),
        ("keypoint_sigmas", [0.1, 0.1, 0]),
        ("sigmas", [0.1, 0.1, 10**400]),
        ("sigmas", "coco"),
    ],
)
def test_a_category_that_contradicts_itself_is_refused(write, key, value):
    refuses(write(categories=(PERSON | {key: value},)), key)


def test_a_flip_that_is_no_swap_is_refused(write):
    refuses(write(categories=(PERSON | {"flip_indices": [1, 2, 0]},)), "does not pair 3 joints")


SIDES = {
    "left_ankle right_knee nose": ["left_ankle", "right_knee"],
    "leftEar left_eye rightEye": ["leftEar"],
    "upright copyright L1 l_ear": [],
    "ear_left ear_right": [],
}


@pytest.mark.parametrize("names", SIDES)
def test_where_a_joint_of_a_side_has_no_mirror_joint_no_image_is_mirrored(write, caplog, names):
    category = {"id": 1, "name": "x", "keypoints": names.split()}
    schema = schema_of(write(categories=(category,)))
    assert one_sided(category) == SIDES[names]
    assert schema.mirrors == (not SIDES[names])
    warned = [r.getMessage() for r in caplog.records if "no image is mirrored" in r.getMessage()]
    assert len(warned) == bool(SIDES[names])
    assert one_sided(category | {"flip_pairs": []}) == []


def test_two_joints_of_one_name_are_refused(write):
    twice = PERSON | {"keypoints": ["nose", "ear", "ear"]}
    refuses(write(categories=(twice,)), "category person: two joints are called ear")


def test_a_skeleton_is_counted_from_1_or_from_0_and_left_out_where_it_is_wrong():
    joints = {"keypoints": ["a", "b", "c"]}
    assert skeleton_of(joints | {"skeleton": [[1, 2], [2, 3]]}) == ((0, 1), (1, 2))
    assert skeleton_of(joints | {"skeleton": [[0, 1], [1, 2]]}) == ((0, 1), (1, 2))
    assert skeleton_of(joints | {"skeleton": [[1, 2], [2, 17]]}) == ()
    assert skeleton_of(joints | {"skeleton": [[1, 2, 3]]}) == ()
    assert skeleton_of(joints) == ()


def test_sigmas_are_the_configs_else_the_files_else_cocos(write):
    eyes = write(name="eyes.json")
    assert schema_of(eyes, sigmas=[1, 2, 3.5]).sigmas == (1, 2, 3.5)
    assert schema_of(eyes).sigmas == pytest.approx((0.026, 0.025, 0.025))
    own = write(categories=(PERSON | {"sigmas": [0.1, 0.2, 0.3]},), name="own.json")
    assert schema_of(own).sigmas == (0.1, 0.2, 0.3)
    assert schema_of(own, sigmas=[1, 2, 3]).sigmas == (1, 2, 3)


def test_cocos_and_crowdposes_sigmas_are_those_of_their_tools(write):
    from pycocotools.cocoeval import Params

    kinds = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    both = [f"{side}_{kind}" for kind in kinds for side in ("left", "right")]
    coco = write(categories=({"id": 1, "keypoints": ["nose", *both]},))
    assert schema_of(coco).sigmas == tuple(Params("keypoints").kpt_oks_sigmas)
    crowd = write(categories=({"id": 1, "keypoints": [*both[4:], "head", "neck"]},), name="c.json")
    tens = (0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89, 0.79, 0.79)
    assert schema_of(crowd).sigmas == tuple(ten / 10 for ten in tens)


def test_that_nobody_knows_the_tolerances_is_said_once(write, caplog):
    file = write(categories=({"id": 1, "keypoints": ["snout", "tail"]},))
    assert [schema_of(file).tolerances_known for _ in range(3)] == [False] * 3
    assert [record.getMessage().count("no AP and no OKS") for record in caplog.records] == [1]
    assert schema_of(file).only(["tail"]).tolerances_known is False
    assert schema_of(file, sigmas=[0.1, 0.2]).tolerances_known


def test_sigmas_of_another_number_of_joints_are_refused(write):
    refuses(write(), "sigmas: 2 values for 3 joints", sigmas=[0.1, 0.1])
    refuses(write(), "sigmas has -1.0: give numbers above 0", sigmas=[0.1, 0.1, -1.0])


def test_a_hand_made_pair_of_boxes_overlaps_by_a_seventh():
    boxes = np.array([[0, 0, 2, 2], [1, 1, 2, 2], [0, 0, 0, 0.0]])
    assert iou(boxes)[0].tolist() == pytest.approx([1, 1 / 7, 0])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_overlaps_are_those_of_a_plain_loop(seed, people):
    generator = np.random.default_rng(seed)
    boxes = generator.integers(0, 6, (people, 4)).astype(float)
    images, crowd = generator.integers(0, 5, people), generator.random(people) < 0.2
    expected = [
        max(
            (
                plain_iou(boxes[i], boxes[j])
                for j in range(people)
                if j != i and images[j] == images[i] and not crowd[j]
            ),
            default=0,
        )
        for i in range(people)
    ]
    assert largest_iou(boxes, images, crowd).tolist() == pytest.approx(expected)


def plain_iou(one, other) -> float:
    sides = [
        max(0, min(one[k] + one[k + 2], other[k] + other[k + 2]) - max(one[k], other[k]))
        for k in (0, 1)
    ]
    shared = sides[0] * sides[1]
    union = one[2] * one[3] + other[2] * other[3] - shared
    return shared / union if union else 0


def test_the_first_folder_that_is_there_is_taken(tmp_path):
    (tmp_path / "b").mkdir()
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    assert first_folder([a, b]) == b
    with pytest.raises(ValueError, match=f"no folder {a} or {a}c"):
        first_folder([a, f"{a}c"])


def test_reading_takes_no_torch():
    code = "import heatmap_research.data.annotations, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


DATA = Path(os.environ.get("HEATMAP_DATA", ""))
needs_data = pytest.mark.skipif("HEATMAP_DATA" not in os.environ, reason="HEATMAP_DATA is unset")


@needs_data
@pytest.mark.parametrize(
    ("file", "people", "learnable", "images", "joints"),
    [
        ("coco_tests/annotations/person_keypoints_train2017.json", 39, 19, 8, 17),
        ("coco_tests/annotations/person_keypoints_val2017.json", 44, 18, 8, 17),
        ("coco_val2017_keypoints.json.gz", 7262, 6352, 5000, 17),
        ("lspet/annotations/lspet_train.json", 4000, 4000, 4000, 14),
        ("lspet/annotations/lspet_val.json", 996, 996, 996, 14),
        ("dlc_openfield/annotations/dlc_openfield_train.json", 87, 87, 87, 4),
    ],
)
def test_real_files_have_the_people_they_are_known_for(file, people, learnable, images, joints):
    found = read(DATA / file)
    assert (len(found), found.learnable.sum(), len(found.image_ids)) == (people, learnable, images)
    assert found.keypoints.shape == (people, joints, 3)


@needs_data
def test_people_of_val2017_are_in_2346_images():
    found = read(DATA / "coco_val2017_keypoints.json.gz")
    assert len(np.unique(found.images[found.labelled > 0])) == 2346


@needs_data
@pytest.mark.parametrize("name", ["lspet_train", "dlc_openfield_val"])
def test_names_tell_the_pairs_that_real_files_state(name):
    found = read(next(DATA.glob(f"*/annotations/{name}.json")))
    assert mirrored(found.schema.names) == found.schema.flip
    assert (found.keypoints[..., :2] % 1 > 0).any()
    if len(found.schema.names) == 4:
        assert found.schema.flip == (0, 2, 1, 3)


@needs_data
def test_first100_agrees_with_pycocotools():
    from pycocotools.coco import COCO

    file = next((DATA / "coco_val2014_first100").glob("person_keypoints*first100.json"))
    found, theirs = read(file), COCO(file)
    for row, annotation in enumerate(found.ids.tolist()):
        record = theirs.anns[annotation]
        assert found.areas[row] == record["area"]
        assert found.boxes[row].tolist() == record["bbox"]
        assert found.crowd[row] == record["iscrowd"]
        assert found.keypoints[row].ravel().tolist() == record["keypoints"]
        assert found.labelled[row] == record["num_keypoints"]
