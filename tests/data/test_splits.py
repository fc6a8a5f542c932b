"""What files that should share nothing have in common."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from heatmap_research.commands.data import main
from heatmap_research.data.audit import splits


def picture(seed, shape=(48, 64)):
    """A landscape of a few smooth hills, of no two seeds alike."""
    draw = np.random.default_rng(seed)
    small = Image.fromarray(draw.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    return small.resize(shape[::-1], Image.Resampling.BICUBIC)


def split(folder, name, seeds):
    """A file of one person in each picture, whose points are drawn as the picture is."""
    images, people = [], []
    for number, seed in enumerate(seeds, start=1):
        picture(seed).save(folder / f"{name}{number}.png")
        images.append({"id": number, "file_name": f"{name}{number}.png"})
        points = np.random.default_rng(seed).uniform(5, 40, (3, 2)).round(2)
        keypoints = [n for x, y in points.tolist() for n in (x, y, 2)]
        person = {"id": number, "image_id": number, "category_id": 1, "keypoints": keypoints}
        people.append(person | {"bbox": [0, 0, 48, 48], "area": 1000})
    category = {"id": 1, "name": "person", "keypoints": ["nose", "left_eye", "right_eye"]}
    content = {"images": images, "annotations": people, "categories": [category]}
    (folder / f"{name}.json").write_text(json.dumps(content))
    return f"{name}.json"


@pytest.fixture
def check(tmp_path, monkeypatch, capsys, caplog):
    """The command, in this process: its status or what it says in refusal, and what it prints."""

    caplog.set_level("NOTSET", "heatmap_research")  # set back at the end: the command silences it

    def checked(*arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["heatmap-data", "check", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().out

    return checked


def test_pictures_and_people_that_two_files_share_are_named(tmp_path, check):
    files = split(tmp_path, "train", range(4)), split(tmp_path, "val", [10, 2, 11, 12])
    darker = picture(3).point(lambda level: 0.9 * level)
    darker.save(tmp_path / "val3.png")  # the picture of train, with other points
    status, out = check(*files, "--images", ".")
    assert status == 0
    lines = [line for line in out.splitlines() if "train.json and val.json: " in line]
    same, near, points = (
        next(line for line in lines if f"val.json: {kind} " in line)
        for kind in ("same picture", "nearly the same picture", "same points")
    )
    assert "image 2 (val2.png) as image 3 (train3.png)" in same
    assert "image 3 (val3.png) as image 4 (train4.png)" in near
    assert "annotation 2 as annotation 3" in points
    assert out.rstrip().endswith("figures on one flatter what saw the other.")


def test_files_that_share_nothing_are_said_to(tmp_path, check):
    files = [split(tmp_path, n, range(s, s + 4)) for n, s in (("a", 0), ("b", 10), ("c", 20))]
    status, out = check(*files, "--images", ".")
    assert status == 0
    assert out.rstrip().endswith("These files share nothing that was looked for.")


def test_without_pictures_names_are_compared(tmp_path, check):
    split(tmp_path, "a", range(4))
    content = json.loads((tmp_path / "a.json").read_text())
    for person in content["annotations"]:
        person["keypoints"][0] += 1
    content["images"] = content["images"][:1]
    content["annotations"] = content["annotations"][:1]
    (tmp_path / "b.json").write_text(json.dumps(content))
    _, out = check("a.json", "b.json")
    assert "same file_name" in out
    assert "image 1 (a1.png)" in out
    assert "--images DIR compares the pictures" in out


def test_a_folder_for_each_file_or_one_for_all(tmp_path, check):
    file = split(tmp_path, "a", range(2))
    status, _ = check(file, file, file, "--images", ".", ".")
    assert status.startswith("heatmap-data: --images: 2 folders for 3 files: give one for all")
    assert "\n" not in status


def test_a_hash_is_of_what_is_brighter_than_to_its_right():
    """A ramp that falls to the right has all bits, one that rises none; saving hardly counts."""
    ramp = np.tile(np.arange(170.0), (160, 1))
    bits = [int(np.bitwise_count(splits.hashed(each)).sum()) for each in (ramp[:, ::-1], ramp)]
    assert bits == [256, 0]
    kept = io.BytesIO()
    picture(5).save(kept, "JPEG", quality=60)
    grey = [
        np.asarray(p).astype(float).mean(-1) for p in (picture(5), Image.open(kept), picture(6))
    ]
    first, saved, other = map(splits.hashed, grey)
    nearest, apart = splits.likest(first[None], np.stack([other, saved]))
    assert nearest.tolist() == [1]
    assert apart[0] < splits.NEAR
    assert splits.likest(first[None], other[None])[1][0] > splits.NEAR


@pytest.mark.parametrize("at_once", [1, 7, 10**6])
def test_the_likest_hash_is_found_in_parts_too(at_once, monkeypatch):
    draw = np.random.default_rng(0)
    asked, among = (draw.integers(0, 2**64, (n, 4), dtype=np.uint64) for n in (9, 5))
    monkeypatch.setattr(splits, "AT_ONCE", at_once)
    nearest, apart = splits.likest(asked, among)
    bits = [
        [sum(int(x ^ y).bit_count() for x, y in zip(a, b, strict=True)) for b in among]
        for a in asked
    ]
    assert apart.tolist() == [min(row) for row in bits]
    assert nearest.tolist() == [row.index(min(row)) for row in bits]
