"""OKS tolerances from two annotators whose spread is known, and what else two files can hold."""

import json
import math

import numpy as np
import pytest

from heatmap_research.commands.data import main
from heatmap_research.data.annotations import read
from heatmap_research.data.audit.tolerances import estimate, tolerance

NAMES = ["nose", "paw", "tail"]


def written(file, points, areas, images=None, visible=None):
    """A person of the given points (person, joint, 2) in each image."""
    people = []
    for number, (row, area) in enumerate(zip(points.tolist(), areas.tolist(), strict=True)):
        seen = [2] * len(row) if visible is None else visible[number]
        flat = [n for (x, y), v in zip(row, seen, strict=True) for n in (x, y, v)]
        image = number if images is None else images[number]
        person = {"id": number, "image_id": image, "category_id": 1, "keypoints": flat}
        people.append(person | {"bbox": [0, 0, 100, 100], "area": area})
    used = sorted({person["image_id"] for person in people})
    content = {
        "images": [{"id": n, "file_name": f"{n}.png"} for n in used],
        "annotations": people,
        "categories": [{"id": 1, "name": "mouse", "keypoints": NAMES}],
    }
    file.write_text(json.dumps(content))
    return file


def two_annotators(tmp_path, spread, people=2000, seed=0):
    """Each marks the truth with a normal error of spread[joint] times the root of the area."""
    draw = np.random.default_rng(seed)
    truth, areas = draw.uniform(0, 100, (people, 3, 2)), draw.uniform(400, 4000, people)
    scale = np.sqrt(areas)[:, None, None] * np.array(spread)[:, None]
    marks = [truth + scale * draw.standard_normal(truth.shape) for _ in range(2)]
    files = (tmp_path / "a.json", tmp_path / "b.json")
    return [written(file, points, areas) for file, points in zip(files, marks, strict=True)]


def test_two_annotators_of_known_spread_have_the_tolerance_that_follows(tmp_path):
    """Two errors of t along each of two axes: the mean of d^2 / s^2 is 4 t^2, so sigma is 2 t."""
    spread = (0.01, 0.03, 0.05)
    found = estimate(*map(read, two_annotators(tmp_path, spread)))
    assert (found.people, found.alone) == (2000, 0)
    for joint, t in zip(found.joints, spread, strict=True):
        assert joint.pairs == 2000
        assert joint.sigma == pytest.approx(2 * t, rel=0.035)  # its standard error is 1.1 %
        assert joint.of_median == pytest.approx(2 * t, rel=0.05)
        assert joint.low < joint.sigma < joint.high
        assert (joint.high - joint.low) / joint.sigma == pytest.approx(
            2 * 1.96 / (2 * 2000**0.5), rel=0.1
        )


def test_the_interval_holds_the_tolerance_19_times_of_20():
    """d^2 / s^2 of normal marks is exponential, here of mean 0.04: sigma is 0.2."""
    draws = np.random.default_rng(0).exponential(0.04, (2000, 300))
    found = [tolerance("nose", row) for row in draws]
    assert np.mean([f.low <= 0.2 <= f.high for f in found]) == pytest.approx(0.95, abs=0.02)


def test_a_joint_is_compared_where_both_have_marked_it_and_by_hand():
    found = tolerance("nose", np.array([0.01, 0.03, math.nan]))
    assert (found.pairs, found.sigma) == (2, pytest.approx(math.sqrt(0.02)))
    assert found.of_median == pytest.approx(math.sqrt(0.02 / math.log(2)))
    assert tolerance("nose", np.array([math.nan])).pairs == 0


def test_people_of_an_image_are_matched_by_their_points_and_others_do_not_count(tmp_path):
    """Two in an image, in the other order; a third is in one file only, far from everybody."""
    points = np.array([[[10, 10], [20, 10], [30, 10]], [[60, 60], [70, 60], [80, 60]]], float)
    areas = np.full(3, 10_000.0)
    third = np.full((1, 3, 2), 300.0)
    moved = points[::-1] + np.array([3.0, 4.0])  # 5 px, of a scale of 100
    first = written(tmp_path / "a.json", np.concatenate([points, third]), areas, [5, 5, 5])
    hidden = [[2, 2, 0], [2, 2, 0]]
    second = written(tmp_path / "b.json", moved, areas[:2], [5, 5], hidden)
    found = estimate(read(first), read(second))
    assert (found.people, found.alone) == (2, 1)
    assert [joint.pairs for joint in found.joints] == [2, 2, 0]
    assert found.joints[0].sigma == pytest.approx(0.05)


def command(monkeypatch, capsys, caplog, *files):
    caplog.set_level("NOTSET", "heatmap_research")  # set back at the end: the command silences it
    monkeypatch.setattr("sys.argv", ["heatmap-data", "tolerances", *map(str, files)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capsys.readouterr().out


def test_the_words_for_a_training_are_printed_and_gross_mistakes_told(
    tmp_path, monkeypatch, capsys, caplog
):
    first, second = two_annotators(tmp_path, (0.01, 0.02, 0.03), people=400)
    content = json.loads(second.read_text())
    for person in content["annotations"][:40]:  # a tenth take another place for the nose
        person["keypoints"][0] += 20
    second.write_text(json.dumps(content))
    status, out = command(monkeypatch, capsys, caplog, first, second)
    assert status == 0
    assert "nose: swapped sides or other gross mistakes make much of its sigma" in out
    assert "paw: swapped" not in out
    last = out.splitlines()[-1]
    assert last.startswith("data.sigmas=[")
    assert [float(n) for n in last[13:-1].split(",")][1:] == pytest.approx([0.04, 0.06], rel=0.15)


def test_files_of_other_people_are_refused_in_a_line(tmp_path, monkeypatch, capsys, caplog):
    points, areas = np.ones((1, 3, 2)), np.ones(1)
    first = written(tmp_path / "a.json", points, areas, [1])
    other = written(tmp_path / "b.json", points, areas, [2])
    status, _ = command(monkeypatch, capsys, caplog, first, other)
    assert "have nobody in common: give the same images (by file_name), marked twice" in status
    content = json.loads(other.read_text())
    content["categories"][0]["keypoints"] = ["nose", "paw", "ear"]
    other.write_text(json.dumps(content))
    status, _ = command(monkeypatch, capsys, caplog, first, other)
    assert "its joints are nose, paw, ear, and those of" in status
    assert "\n" not in status
