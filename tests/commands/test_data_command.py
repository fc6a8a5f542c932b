"""heatmap-data: files with every kind of problem, and what training really makes of each."""

import copy
import gzip
import json
import os
import re
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import running
from matplotlib.figure import Figure
from matplotlib.image import imread
from PIL import Image

from heatmap_research.codec.geometry import Geometry
from heatmap_research.data.annotations import read
from heatmap_research.data.audit import contact_sheet, drawn, printed, records, sides
from heatmap_research.data.audit.file_audit import audit
from heatmap_research.data.audit.records import LEARNT, LEFT_OUT, REFUSED
from heatmap_research.data.datasets.coco_format import CocoFormat

DATA = os.environ.get("HEATMAP_DATA")
real = pytest.mark.skipif(not DATA, reason="HEATMAP_DATA is not set: no real data")

POINTS = [20, 10, 2, 24, 8, 2, 16, 8, 1]  # nose, left eye, right eye
GOOD: dict[str, Any] = {
    "images": [
        {"id": 1, "file_name": "a.png", "width": 40, "height": 30},
        {"id": 2, "file_name": "b.png", "width": 40, "height": 30},
    ],
    "annotations": [
        {
            "id": number,
            "image_id": image,
            "category_id": 1,
            "iscrowd": 0,
            "keypoints": [x + shift * (i % 3 == 0) for i, x in enumerate(POINTS)],
            "num_keypoints": 3,
            "bbox": [10, 5, 20, 15],
            "area": 200,
        }
        for number, image, shift in ((11, 1, 0), (12, 1, 2), (13, 2, 0))
    ],
    "categories": [
        {
            "id": 1,
            "name": "face",
            "keypoints": ["nose", "left_eye", "right_eye"],
            "skeleton": [[1, 2], [1, 3]],
        }
    ],
}
Change = Callable[[dict[str, Any]], Any]


def person(number: int = 0, **facts: Any) -> Change:
    return lambda content: content["annotations"][number].update(facts)


def category(**facts: Any) -> Change:
    return lambda content: content["categories"][0].update(facts)


def image(number: int = 0, **facts: Any) -> Change:
    return lambda content: content["images"][number].update(facts)


def without(kind: str, key: str, number: int = 0) -> Change:
    return lambda content: content[kind][number].pop(key)


def keypoints(*numbers: Any) -> Change:
    return person(keypoints=list(numbers))


NAN, INF = float("nan"), float("inf")
AGAIN = GOOD["annotations"][0]["keypoints"]
# What is wrong, words of the finding, what training does, the records it is said of.
CASES: dict[str, tuple[Change, str, str, str]] = {
    "short": (keypoints(*POINTS[:6]), "keypoints are 6 numbers, not 9", REFUSED, "annotation 11"),
    "text": (
        keypoints(*POINTS[:8], "2"),
        "keypoints are not all numbers",
        REFUSED,
        "annotation 11",
    ),
    "null": (keypoints(*POINTS[:6], None, 8, 1), "are not all numbers", REFUSED, "annotation 11"),
    "nan": (keypoints(NAN, *POINTS[1:]), "a point is NaN or infinite", REFUSED, "annotation 11"),
    "huge": (keypoints(10**400, *POINTS[1:]), "a point is NaN", REFUSED, "annotation 11"),
    "huge box": (person(bbox=[1, 2, 10**400, 4]), "box is not four numbers", REFUSED, "tion 11"),
    "category twice": (
        lambda c: c["categories"].append({"id": 1}),
        "id of several categories",
        REFUSED,
        "category 1 (2 times)",
    ),
    "infinite": (keypoints(INF, *POINTS[1:]), "a point is NaN", REFUSED, "annotation 11"),
    "nan visibility": (keypoints(20, 10, NAN, *POINTS[3:]), "a point is NaN", REFUSED, "tion 11"),
    "nan, unseen": (keypoints(NAN, 1, 0, *POINTS[3:]), "not labelled is NaN", "read as", "tion 11"),
    "visibility": (keypoints(20, 10, 3, *POINTS[3:]), "visibility is 3", REFUSED, "annotation 11"),
    "no list": (person(keypoints=None), "keypoints are missing", LEFT_OUT, "annotation 11"),
    "unlabelled": (keypoints(*[0] * 9), "without a labelled point", LEFT_OUT, "annotation 11"),
    "far point": (
        keypoints(47, *POINTS[1:]),
        "the image, by up to 7.0 px",
        LEARNT,
        "annotation 11",
    ),
    "left of it": (keypoints(-9, *POINTS[1:]), "the image, by up to 9.0 px", LEARNT, "tion 11"),
    "out of box": (keypoints(33, *POINTS[1:]), "person's box, by up to 3.0", LEARNT, "tion 11"),
    "count": (person(num_keypoints=2), "num_keypoints disagrees", "not read", "annotation 11"),
    "no box": (person(bbox=None), "box is missing", "its labelled points' box", "annotation 11"),
    "short box": (person(bbox=[1, 2, 3]), "box is not four numbers", REFUSED, "annotation 11"),
    "text box": (person(bbox=[1, 2, "3", 4]), "box is not four numbers", REFUSED, "annotation 11"),
    "nan box": (person(bbox=[1, NAN, 3, 4]), "box is not four numbers", REFUSED, "annotation 11"),
    "negative box": (person(bbox=[30, 5, -20, 15]), "negative width or height", REFUSED, "tion 11"),
    "empty box": (person(bbox=[10, 5, 20, 0]), "box has no area", LEFT_OUT, "annotation 11"),
    "box away": (person(bbox=[50, 5, 20, 10]), "wholly outside its image", LEARNT, "annotation 11"),
    "box over": (person(bbox=[10, 5, 35, 15]), "its image, by up to 5.0 px", LEARNT, "tion 11"),
    "no area": (without("annotations", "area"), "area is missing", "taken as 0.53", "tion 11"),
    "negative area": (person(area=-3), "area is not a number from 0 up", REFUSED, "annotation 11"),
    "nan area": (person(area=NAN), "area is not a number from 0 up", REFUSED, "annotation 11"),
    "zero area": (person(area=0), "area is 0", LEARNT, "annotation 11"),
    "large area": (person(area=400), "area is larger than the box", LEARNT, "annotation 11"),
    "same id": (person(1, id=11), "id of several annotations", REFUSED, "annotation 11 (2 times)"),
    "no id": (without("annotations", "id"), "without a whole number as id", REFUSED, "at 0"),
    "text id": (person(id="11"), "annotation without a whole number as id", REFUSED, "tion 11"),
    "same person": (person(1, keypoints=AGAIN), "same person again", LEARNT, "ion 12 (as 11)"),
    "lost image": (person(image_id=7), "annotation of an image not listed", REFUSED, "tion 11"),
    "text image": (person(image_id="1"), "of an image not listed", REFUSED, "annotation 11"),
    "crowd": (person(iscrowd=2), "iscrowd is neither 0 nor 1", REFUSED, "annotation 11"),
    "head": (person(head_size=-1), "head_size is not above 0", REFUSED, "annotation 11"),
    "category id": (person(category_id=9), "of no listed category", REFUSED, "annotation 11"),
    "no object": (
        lambda c: c["annotations"].append(3),
        "not an object",
        REFUSED,
        "number 3 of anno",
    ),
    "same image id": (image(1, id=1), "id of several images", REFUSED, "image 1 (2 times)"),
    "no image id": (without("images", "id"), "image without a whole number", REFUSED, "at 0"),
    "no file": (without("images", "file_name"), "without a file_name", REFUSED, "image 1"),
    "same file": (image(1, file_name="a.png"), "file of several images", LEARNT, "a.png (2 times)"),
    "no width": (without("images", "width"), "without width and height", "taken from", "image 1"),
    "same name": (category(keypoints=["a", "b", "a"]), "name of several joints", REFUSED, "a"),
    "pair beyond": (category(flip_pairs=[[1, 3]]), "does not pair two joints", REFUSED, "[1, 3]"),
    "pair twice": (category(flip_pairs=[[0, 1], [1, 2]]), "not pair two", REFUSED, "[1, 2]"),
    "pair of one": (category(flip_pairs=[[1, 1]]), "of a joint with itself", LEARNT, "[1, 1]"),
    "indices": (category(flip_indices=[0, 2, 2]), "flip_indices do not pair", REFUSED, "1 to 2"),
    "text width": (image(width="wide"), "width or height is no size", REFUSED, "image 1"),
    "negative width": (image(width=-4), "width or height is no size", REFUSED, "image 1"),
    "text category": (person(category_id="1"), "of no listed category", REFUSED, "annotation 11"),
    "few indices": (category(flip_indices=[0, 1]), "flip_indices do not pair", REFUSED, "not one"),
    "edge": (category(skeleton=[[1, 4]]), "skeleton edge does not join", "no skeleton", "[1, 4]"),
    "odd edge": (category(skeleton=[[1]]), "skeleton edge does not join", "no skeleton", "[1]"),
    "few sigmas": (category(sigmas=[0.1, 0.1]), "sigmas do not fit", REFUSED, "2 for 3 joints"),
    "bad sigmas": (category(sigmas=[0.1, 0, 0.1]), "sigmas do not fit", REFUSED, "not above 0"),
    "their sigmas": (category(keypoint_sigmas=[1]), "keypoint_sigmas do not fit", REFUSED, "1 for"),
}
# What nobody can go through.
HOPELESS: dict[str, tuple[Any, str]] = {
    "list": ([], "this is a list"),
    "nothing": ({}, "no list of images, annotations, categories"),
    "number": (3, "not COCO's format"),
    "no joints": (GOOD | {"categories": [{"id": 1, "name": "cup"}]}, "cup"),
    "two": (
        GOOD | {"categories": [GOOD["categories"][0], GOOD["categories"][0] | {"id": 2}]},
        "several categories have keypoints",
    ),
}


def changed(change: Change) -> dict[str, Any]:
    content = copy.deepcopy(GOOD)
    change(content)
    return content


def write(folder: Path, content: Any, name: str = "file.json") -> Path:
    file = folder / name
    file.write_text(json.dumps(content))
    return file


def pictures(folder: Path) -> Path:
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (40, 30), (90, 120, 60)).save(folder / name)
    return folder


def train_on(file: Path, folder: Path) -> CocoFormat:
    """What training makes of a file."""
    return CocoFormat(
        annotations=str(file),
        images=str(folder),
        image_size=(32, 24),
        channels=3,
        geometry=Geometry(-0.5, -0.5, None),
        boxes="gt",
        detections=None,
        padding=1.25,
        augment=None,
        sigmas=None,
        category=None,
        cache=None,
        on_error="stop",
        seed=0,
        held_out=0,
        part="all",
        first=None,
    )


def test_a_sound_file_has_no_problem(tmp_path):
    found = audit(write(tmp_path, GOOD), pictures(tmp_path / "images"))
    assert (found.findings, found.refusal) == ([], None)


@pytest.mark.parametrize("case", CASES)
def test_a_problem_is_found_with_its_record_and_training_does_what_is_said(case, tmp_path):
    change, words, training, where = CASES[case]
    file = write(tmp_path, changed(change))
    findings = audit(file).findings
    told = [each for each in findings if words in each.problem]
    assert len(told) == 1, findings
    assert told[0].training.startswith(training)
    assert len(told[0].where) == 1
    assert where in told[0].where[0]
    kinds = {each.training for each in findings if each is not told[0]}
    assert REFUSED not in kinds or told[0].refused
    assert_trained_as_said(file, pictures(tmp_path / "images"), training)


def assert_trained_as_said(file, folder, training):
    found = audit(file, folder)
    if training == REFUSED:
        assert found.refusal
        with pytest.raises(ValueError, match=r"file\.json|missing|cannot be read|annotated"):
            train_on(file, folder).__getitems__(range(2))
        return
    assert found.refusal is None
    data = train_on(file, folder)
    assert (11 in data.people.ids) is (training != LEFT_OUT)
    assert found.records is not None
    rows = np.flatnonzero(found.records.learnable)
    learnable = [int(found.records.ids[row]) for row in rows]
    assert sorted(data.people.ids) == learnable
    data.__getitems__(range(len(data)))


@pytest.mark.parametrize("case", HOPELESS)
def test_a_file_that_cannot_be_gone_through_is_told_why(case, tmp_path):
    content, words = HOPELESS[case]
    found = audit(write(tmp_path, content))
    assert found.records is None
    assert words in found.verdict


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_breaks_off_is_said_to_with_its_place(share, packed, tmp_path):
    whole = json.dumps(GOOD).encode()
    whole = gzip.compress(whole) if packed else whole
    file = tmp_path / "file.json"
    file.write_bytes(whole[: int(share * len(whole))])
    found = audit(file)
    assert found.records is None
    assert re.search(r"gzip" if packed else r"line 1, column \d+", found.verdict)


def test_a_category_is_chosen_by_name_or_id(tmp_path):
    other = GOOD["categories"][0] | {"id": 2, "name": "back", "keypoints": ["tail"]}
    file = write(tmp_path, GOOD | {"categories": [*GOOD["categories"], other]})
    assert audit(file, name="face").refusal is None
    assert audit(file, name="1").refusal is None
    assert "nobody in it" in str(audit(file, name="back").refusal)
    assert "no category nose" in str(audit(file, name="nose").refusal)


def test_pictures_are_read_as_training_reads_them(tmp_path):
    folder, file = pictures(tmp_path / "images"), write(tmp_path, GOOD)
    Image.new("RGB", (30, 40)).save(folder / "a.png")
    (found,) = audit(file, folder).findings
    assert found.problem == "image has another size than the file says"
    assert "30x40" in found.where[0]
    (folder / "a.png").write_bytes((folder / "b.png").read_bytes()[:60])
    (found,) = audit(file, folder).findings
    assert found.problem == "image cannot be read"
    assert found.where[0].startswith("image 1 (a.png)")
    (folder / "a.png").unlink()
    (found,) = audit(file, folder).findings
    assert (found.problem, *found.where) == ("image is not on disk", "image 1 (a.png)")
    assert "is not on disk" in audit(file, folder).verdict
    (found,) = audit(file, tmp_path / "nowhere").findings
    assert found.refused
    write(tmp_path, changed(image(file_name="a" * 300)))  # more than a file's name can have
    assert re.search(
        r"file\.json: image 1 \(a+\): image is not on disk", audit(file, folder).verdict
    )


def test_pictures_nobody_is_in_are_not_asked_for(tmp_path):
    content = changed(lambda c: c["images"].append({"id": 3, "file_name": "none.png"}))
    assert audit(write(tmp_path, content), pictures(tmp_path / "images")).findings == []


def refusal_of(file: Path) -> str:
    """The strict reader's."""
    try:
        read(file)
    except ValueError as error:
        return str(error)
    return ""


WRONG = (None, "x", -1, 0, 1.5, NAN, [], {}, [1], [[1]], 10**30, "1", [None], {"a": 1}, True)


def places(node: Any, path: tuple = ()) -> list[tuple]:
    inside = node.items() if isinstance(node, dict) else ()
    inside = list(enumerate(node))[:2] if isinstance(node, list) else inside
    return [path] * bool(path) + [p for key, item in inside for p in places(item, (*path, key))]


RICH = changed(category(flip_pairs=[[1, 2]], sigmas=[0.1] * 3))
RICH["annotations"][0]["head_size"] = 3.0
OTHER = changed(category(flip_indices=[0, 2, 1], keypoint_sigmas=[0.1] * 3))


@pytest.mark.parametrize(
    ("value", "whole"), [(value, (RICH, OTHER)[n % 2]) for n, value in enumerate(WRONG)]
)
def test_whatever_stands_where_the_audit_agrees_with_the_reader(value, whole, tmp_path, capsys):
    """Any value at any place: no crash, one line that names the file, the same verdict."""
    for path in places(whole):
        content = copy.deepcopy(whole)
        node = content
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value
        file = write(tmp_path, content)
        found = audit(file)
        printed.show(found, 3)
        line = capsys.readouterr().out.splitlines()[-1]
        refused = [f for f in found.findings if f.training == REFUSED]
        if error := refusal_of(file):
            assert error.startswith(str(file)), (path, error)
            assert error in line, path
            assert refused or found.records is None, (path, error)
        else:
            negative = value == -1 and path[-1] in ("width", "height")  # which no picture has
            assert not refused or negative, (path, refused)


# Left and right


def front(people: int, seed: int = 0) -> np.ndarray:
    """Upright figures seen from the front or from behind: left_, right_ of four joints, a nose."""
    draw = np.random.default_rng(seed)
    rows = np.array([20.0, 40, 60, 90])
    side = np.where(draw.random(people) < 0.5, 1, -1)[:, None, None]
    x = 100 + side * np.array([1, -1]) * np.array([15.0, 22, 18, 12])[:, None]
    y = np.broadcast_to(rows[:, None], x.shape)
    points = np.stack([x, y, np.full(x.shape, 2.0)], -1).reshape(people, 8, 3)
    return points + draw.normal(0, 1, points.shape) * [1, 1, 0]


PAIRS = [(0, 1), (2, 3), (4, 5), (6, 7)]
BONES = [(0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7)]


@pytest.mark.parametrize("bones", [BONES, []], ids=["skeleton", "no skeleton"])
@pytest.mark.parametrize("column", [1, 2])
def test_a_swapped_pair_is_suspected_and_no_other(bones, column, tmp_path):
    points = front(50)
    assert not sides.suspected(points, PAIRS, bones).any()
    pair = list(PAIRS[column])
    points[7, pair] = points[7, pair[::-1]]
    assert np.argwhere(sides.suspected(points, PAIRS, bones)).tolist() == [[7, column]]


def test_crossed_ankles_are_not_suspected():
    points = front(50)
    middle = points[:, [6, 7], 0].mean(1, keepdims=True)
    points[:, [6, 7], 0] = middle + (points[:, [7, 6], 0] - middle) * 0.3
    assert not sides.suspected(points, PAIRS, BONES).any()


def test_nobody_is_judged_by_fewer_than_three_other_pairs():
    points = front(50)
    points[:, [2, 3]] = points[:, [3, 2]]
    points[:, 0, 2] = 0
    assert not sides.suspected(points, PAIRS, BONES).any()


@pytest.mark.parametrize("column", range(4))
def test_a_pair_whose_names_are_swapped_throughout_is_told(column):
    points = front(50)
    assert sides.swapped_in_most(points, PAIRS) == []
    pair = list(PAIRS[column])
    points[:, pair] = points[:, pair[::-1]]
    assert sides.swapped_in_most(points, PAIRS) == [column]


@real
@pytest.mark.parametrize(
    ("file", "least"),
    [("coco_val2017_keypoints.json.gz", 0.35), ("lspet/annotations/lspet_val.json", 0.4)],
)
def test_of_real_people_few_are_suspected_and_of_swapped_ones_many(file, least):
    found = records.read(Path(str(DATA)) / file)
    assert found is not None
    points, pairs = found.points[found.learnable], found.sided
    alarms = sides.suspected(points, pairs, found.bones)
    assert alarms.any(1).mean() < 0.01
    assert sides.swapped_in_most(points, pairs) == []
    shares = []
    for column, pair in enumerate(pairs):
        swapped = points.copy()
        swapped[:, list(pair)] = swapped[:, list(pair)[::-1]]
        both = (points[:, list(pair), 2] > 0).all(1)
        shares.append(sides.suspected(swapped, pairs, found.bones)[both, column].mean())
        assert sides.swapped_in_most(swapped, pairs) == [column]
    assert np.mean(shares) > least


# The command


def data(*arguments: Any, cwd: Path) -> running.Finished:
    return running.command("data", *map(str, arguments), cwd=cwd)


def test_help_comes_in_a_second_and_without_torch(tmp_path):
    for arguments in ((), ("check",), ("show",), ("convert",)):
        start = time.perf_counter()
        done = running.script(
            "data", *arguments, "--help", cwd=tmp_path, python=("-X", "importtime")
        )
        assert time.perf_counter() - start < 1
        assert (done.status, "usage: heatmap-data" in done.out) == (0, True)


def test_no_part_of_it_imports_torch(tmp_path):
    file, folder = write(tmp_path, GOOD), pictures(tmp_path / "images")
    for arguments in (("check", file, "--images", folder), ("show", file, "--images", folder)):
        line = [str(argument) for argument in arguments]
        done = running.script("data", *line, cwd=tmp_path, python=("-X", "importtime"))
        assert done.status == 0, done.err
        assert not re.search(r"(?m)\|\s+(torch|timm|hydra|pytorch_lightning)$", done.err)


def test_check_ends_in_a_verdict(tmp_path):
    folder = pictures(tmp_path / "images")
    done = data("check", write(tmp_path, GOOD), "--images", folder, cwd=tmp_path)
    lines = done.out.splitlines()
    assert (done.status, done.err) == (0, "")
    assert lines[-2:] == ["No problem found.", "Training would take this file as it is."]
    assert any(re.match(r"learnable +3 people", line) for line in lines)
    assert any(re.match(r" *1 +left_eye +right_eye +0\.025 +100\.0 +0\.0 +0\.0", x) for x in lines)
    assert any(re.match(r" *2 +right_eye +left_eye +0\.025 +0\.0 +100\.0 +0\.0", x) for x in lines)
    assert any(re.match(r"OKS sigmas +COCO's", line) for line in lines)


def test_check_tells_all_problems_of_a_file_at_once_in_whole_lines(tmp_path):
    content = copy.deepcopy(GOOD)
    for number, change in enumerate((person(0, bbox=[10, 5, -3, 5]), person(1, image_id=7))):
        change(content)
        content["annotations"][number]["area"] = 999
    done = data("check", write(tmp_path, content), cwd=tmp_path)
    assert done.status == 1
    assert done.err == ""
    assert re.search(r"(?m)^ +1 +box has a negative .* refused +annotation 11 *$", done.out)
    assert re.search(r"(?m)^ +1 +annotation of an image .* refused +annotation 12 *$", done.out)
    last = done.out.splitlines()[-1]
    assert last.startswith("Training would refuse this file: ")
    assert "annotation" in last


def test_check_names_only_the_first_records(tmp_path):
    content = copy.deepcopy(GOOD)
    for each in content["annotations"]:
        each["num_keypoints"] = 9
    file = write(tmp_path, content)
    done = data("check", file, "--first", 2, cwd=tmp_path)
    assert "annotation 11, 12 and 1 more" in done.out


@pytest.mark.parametrize("command", ["check", "show"])
def test_a_file_that_is_not_there_is_answered_in_a_line(command, tmp_path):
    done = data(command, "nowhere.json", cwd=tmp_path)
    words = [*done.out.splitlines(), *done.err.splitlines()]
    assert done.status == 1
    assert len(words) == 1
    assert "nowhere.json" in words[0]
    assert not list(tmp_path.glob("*.png"))


@real
def test_val2017_is_checked_in_two_seconds(tmp_path):
    file = Path(str(DATA)) / "coco_val2017_keypoints.json.gz"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = running.script("data", "check", str(file), cwd=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime - before.ru_utime  # of a core, however busy the machine is
    assert done.status == 0, done.out
    assert re.search(r"(?m)^learnable +6352 people", done.out)
    assert re.search(r"(?m)^images +5000, 2346 of them", done.out)
    assert seconds < 2


REAL = {
    "coco": ("coco_tests/annotations/person_keypoints_val2017.json", "coco_tests/images/val2017"),
    "lspet": ("lspet/annotations/lspet_val.json", "lspet/images"),
    "mouse": ("dlc_openfield/annotations/dlc_openfield_val.json", "dlc_openfield/images"),
}


@real
@pytest.mark.parametrize("name", REAL)
def test_real_data_are_taken_as_they_are_and_drawn(name, tmp_path):
    file, folder = (Path(str(DATA)) / part for part in REAL[name])
    done = data("check", file, "--images", folder, cwd=tmp_path)
    assert done.status == 0, done.out
    assert "refused" not in done.out
    done = data("show", file, "--images", folder, "--number", 5, cwd=tmp_path)
    assert done.status == 0, done.err
    assert imread(tmp_path / "sheet.png")[..., :3].std() > 0.1


# Contact sheets


def test_a_sheet_is_drawn_with_and_without_pictures(tmp_path):
    file, folder = write(tmp_path, GOOD), pictures(tmp_path / "images")
    data("show", file, "--images", folder, "--out", "out/with.png", cwd=tmp_path)
    done = data("show", file, "--out", "out/bare.png", cwd=tmp_path)
    assert done.out == "out/bare.png: 3 of 3 annotations\n"
    bare, pictured = (imread(tmp_path / "out" / f"{x}.png")[..., :3] for x in ("bare", "with"))
    assert bare.shape == pictured.shape
    green = np.array([90, 120, 60]) / 255
    near = [(np.abs(image - green).max(-1) < 0.02).mean() for image in (bare, pictured)]
    assert near[0] == 0
    assert near[1] > 0.1
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["bare.png", "with.png"]


def test_who_is_drawn_follows_from_the_seed(tmp_path):
    content = copy.deepcopy(GOOD)
    content["annotations"] = [GOOD["annotations"][0] | {"id": i} for i in range(100)]
    found = records.read(write(tmp_path, content))
    assert found is not None
    first, again, other = (drawn.drawn_by_lot(found, 9, seed) for seed in (0, 0, 1))
    assert first == again != other
    assert len(set(first)) == 9
    assert len(drawn.drawn_by_lot(found, 200, 0)) == 100


def test_named_annotations_are_drawn_also_bad_ones(tmp_path):
    content = copy.deepcopy(GOOD)
    content["annotations"][1].update(bbox=[5, 5, -3, 2], keypoints=[NAN] * 9)
    content["annotations"][2].update(keypoints=[1, 2], image_id=7)
    file, folder = write(tmp_path, content), pictures(tmp_path / "images")
    done = data("show", file, "--id", 12, 13, "--images", folder, cwd=tmp_path)
    assert done.status == 0, done.err
    assert done.out == "sheet.png: 2 of 3 annotations\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--id", "77"), "there is no annotation 77"),
        (("--number", "0"), "--number 0: give 1 or more"),
        (("--category", "hand"), "there is no category hand"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_a_line(arguments, words, tmp_path):
    done = data("show", write(tmp_path, GOOD), *arguments, cwd=tmp_path)
    assert done.status == 1
    assert len(done.err.splitlines()) == 1
    assert words in done.err
    assert not list(tmp_path.glob("*.png*"))


def test_left_and_right_have_their_colours_and_a_covered_point_is_hollow(tmp_path):
    found = records.read(write(tmp_path, GOOD))
    assert found is not None
    skeleton = drawn.skeleton(found)
    assert skeleton.colours == [contact_sheet.MIDDLE, contact_sheet.LEFT, contact_sheet.RIGHT]
    (someone,) = drawn.people(found, [0], None, 3)
    axes = Figure().subplots()
    contact_sheet.draw(axes, someone, skeleton)
    points = {
        tuple(np.round([line.get_xdata()[0], line.get_ydata()[0]], 3)): line
        for line in axes.lines
        if line.get_marker() == "o"
    }
    x, y, _ = np.reshape(GOOD["annotations"][0]["keypoints"], (3, 3)).T
    shown = {place: line.get_markerfacecolor() for place, line in points.items()}
    assert shown == {
        (x[0], y[0]): contact_sheet.MIDDLE,
        (x[1], y[1]): contact_sheet.LEFT,
        (x[2], y[2]): "white",
    }
    assert points[x[2], y[2]].get_markeredgecolor() == contact_sheet.RIGHT


# Conversion

AIC = [
    {
        "image_id": "one",
        "keypoint_annotations": {"human1": [10, 10, 1] * 13 + [0, 0, 3]},
        "human_annotations": {"human1": [0, 0, 20, 30]},
    }
]


def test_another_format_is_converted_and_can_be_checked(tmp_path):
    source = write(tmp_path, AIC, "aic.json")
    done = data("convert", "aic", source, "--out", "out/coco.json", cwd=tmp_path)
    assert (done.status, done.out) == (0, "out/coco.json: 1 people\n"), done.err
    done = data("check", "out/coco.json", cwd=tmp_path)
    assert done.status == 0, done.out
    assert re.search(r"(?m)^joints +K = 14, 13\.00 labelled", done.out)


MPII = [
    {
        "image": "a.jpg",
        "center": [50.0, 50.0],
        "scale": 0.4,
        "joints": [[40.0 + joint, 30.0 + joint] for joint in range(16)],
        "joints_vis": [1] * 16,
    }
]


def test_where_the_images_of_converted_labels_lie_is_said(tmp_path):
    rows = "scorer,A,A,A,A", "bodyparts,nose,nose,tail,tail", "coords,x,y,x,y", "a.png,1,2,3,4"
    (tmp_path / "CollectedData_A.csv").write_text("\n".join(rows))
    done = data("convert", "deeplabcut", "CollectedData_A.csv", "--out", "a.json", cwd=tmp_path)
    said = ["a.json: 1 people; their images: .", "1 of 1 images are not there."]
    assert (done.status, done.out.splitlines()) == (0, said), done.err


def test_mpii_is_converted_from_its_usual_json(tmp_path):
    source = write(tmp_path, MPII, "train.json")
    done = data("convert", "mpii", source, "--out", "coco.json", cwd=tmp_path)
    assert (done.status, done.out) == (0, "coco.json: 1 people\n"), done.err
    assert len(read(tmp_path / "coco.json").schema.names) == 16


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("aic", "a.json", "b.json"), "convert aic: give one JSON file"),
        (("aic", "a.mat"), "convert aic: give one JSON file"),
        (("mpii", "a.json", "b.json"), "convert mpii: give one .json, one .mat, or one of each"),
        (("aic", "nowhere.json"), "nowhere.json"),
        (("aic", "broken.json"), "broken.json"),
        (("mpii", "broken.json"), "broken.json"),
        (("yolo", "broken.json", "a.yaml"), "convert yolo: give one data.yaml"),
        (("yolo", "nowhere.yaml"), "nowhere.yaml: cannot be read"),
        (("sleap", "a.slp", "b.slp"), "convert sleap: give one .slp file"),
        (("deeplabcut", "broken.json"), "no table of labels"),
        (("lightning_pose", "nowhere.csv"), "nowhere.csv: cannot be read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_converted_is_said_in_a_line_and_nothing_is_written(
    arguments, words, tmp_path
):
    (tmp_path / "broken.json").write_text(json.dumps(AIC)[:50])
    done = data("convert", *arguments, "--out", "out.json", cwd=tmp_path)
    assert done.status == 1
    assert len(done.err.splitlines()) == 1, done.err
    assert words in done.err
    assert not list(tmp_path.glob("out.json*"))
