"""Ours against pycocotools: on its own example, on random fixtures, and on cases made by hand."""

import contextlib
import io
import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pairwise import few_of
from poses import similarities
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from heatmap_research.data import annotations
from heatmap_research.metrics import average_precision, oks, pycocotools_ap
from heatmap_research.metrics.average_precision import OFFICIAL, Found, People

ENGINES = {"fast": average_precision.evaluate, "pycocotools": pycocotools_ap.evaluate}
COCO_SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1e3
EXAMPLE = Path(os.environ.get("HEATMAP_DATA", "")) / "coco_val2014_first100"
ONE, OTHER = 3, 8  # categories

Engine = Callable[[People, Found, np.ndarray], dict[str, float]]
Records = list[dict[str, Any]]

needs_example = pytest.mark.skipif(
    "HEATMAP_DATA" not in os.environ, reason="no real data: set HEATMAP_DATA=FOLDER"
)


def poses(records: Records, joints: int) -> np.ndarray:
    return np.array([record["keypoints"] for record in records], float).reshape(-1, joints, 3)


def column(records: Records, key: str, kind: type = float) -> np.ndarray:
    return np.array([record[key] for record in records], dtype=kind)


def as_arrays(truth: dict[str, Any], results: Records, joints: int) -> tuple[People, Found]:
    """Returns the records of one category as the arrays that our engine takes."""
    truths = [one for one in truth["annotations"] if one["category_id"] == ONE]
    results = [one for one in results if one["category_id"] == ONE]
    people = People(
        image=column(truths, "image_id", int),
        keypoints=poses(truths, joints),
        areas=column(truths, "area"),
        boxes=column(truths, "bbox").reshape(-1, 4),
        crowd=column(truths, "iscrowd", bool),
    )
    points = poses(results, joints)[..., :2]
    return people, Found(column(results, "image_id", int), points, column(results, "score"))


def pycocotools(truth: dict[str, Any], results: Records, sigmas: np.ndarray) -> dict[str, float]:
    """Scores records as they stand in files, the way pycocotools' documentation says."""
    with contextlib.redirect_stdout(io.StringIO()):
        sets = [COCO(), COCO()]
        sets[0].dataset = json.loads(json.dumps(truth))
        sets[0].createIndex()
        if results:
            sets[1] = sets[0].loadRes(json.loads(json.dumps(results)))
        else:
            sets[1].dataset = {**truth, "annotations": []}
            sets[1].createIndex()
        evaluation = COCOeval(*sets, "keypoints")
        evaluation.params.kpt_oks_sigmas = sigmas
        evaluation.params.catIds = [ONE]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    figures = dict(zip(OFFICIAL, evaluation.stats, strict=True))
    figures["AP95"] = evaluation.eval["precision"][9, :, 0, 0, 0].mean()
    return {name: math.nan if value == -1 else value for name, value in figures.items()}


def fixture(seed: int) -> tuple[dict[str, Any], Records, np.ndarray]:
    """Makes a random file: crowds, nobody, nobody found, ties, two alike, no area, many people."""
    random = np.random.default_rng(seed)
    joints = int(random.integers(1, 20))
    sigmas = random.uniform(0.02, 0.15, joints)
    images = random.permutation(1000)[: random.integers(1, 8)].tolist()
    annotations, results = [], []

    def pose(middle: np.ndarray, size: float) -> np.ndarray:
        return middle + random.normal(0, size / 3, (joints, 2))

    def add_truth(image: int, points: np.ndarray, size: float) -> None:
        visible = random.integers(0, 3, joints) * (random.random() > 0.15)
        corner, extent = points.min(0), np.ptp(points, axis=0)
        annotations.append(
            {
                "id": len(annotations) + 1,
                "image_id": image,
                "category_id": ONE if random.random() > 0.1 else OTHER,
                "keypoints": np.column_stack([points, visible]).round(1).ravel().tolist(),
                "num_keypoints": int((visible > 0).sum()),
                "area": float(random.choice([size**2, size**2, 0.0, 32.0**2, 96.0**2, 2e10])),
                "bbox": [*corner.tolist(), *extent.tolist()],
                "iscrowd": int(random.random() < 0.15),
            }
        )

    def add_result(image: int, points: np.ndarray) -> None:
        score = float(random.choice([0.5, 0.75, random.random()]))  # often equal
        results.append(
            {
                "image_id": image,
                "category_id": ONE if random.random() > 0.1 else OTHER,
                "keypoints": np.column_stack([points, np.ones(joints)]).ravel().tolist(),
                "score": score,
            }
        )

    for image in images:
        nobody, none_found = random.random(2) < 0.15
        for _ in range(random.integers(1, 6)):
            size = float(random.choice([8, 20, 40, 60, 110, 200]))
            points = pose(random.uniform(0, 300, 2), size)
            for _ in range(0 if nobody else int(random.choice([1, 1, 1, 2]))):
                add_truth(image, points, size)
            for _ in range(0 if none_found else int(random.choice([0, 1, 1, 2, 9]))):
                noise = random.choice([0.0, 0.03, 0.1, 0.3])
                add_result(image, points + random.normal(0, 1, points.shape) * noise * size)
    truth = {
        "images": [{"id": image} for image in [*images, 2000]],
        "categories": [{"id": ONE}, {"id": OTHER}],
        "annotations": [annotations[i] for i in random.permutation(len(annotations))],
    }
    return truth, [results[i] for i in random.permutation(len(results))], sigmas


def assert_same(mine: dict[str, float], theirs: dict[str, float]) -> None:
    assert mine.keys() == theirs.keys()
    for name, value in theirs.items():
        assert mine[name] == pytest.approx(value, abs=1e-9, nan_ok=True), name


@needs_example
@pytest.mark.parametrize("engine", ENGINES)
def test_the_official_example_gives_the_ten_official_figures(engine):
    stem = "person_keypoints_val2014"
    truth = json.loads((EXAMPLE / f"{stem}_first100.json").read_text())
    results = json.loads((EXAMPLE / f"{stem}_fakekeypoints100_results.json").read_text())
    for record in truth["annotations"] + results:
        record["category_id"] = ONE  # its one category
    wanted = json.loads((EXAMPLE / "expected_stats.json").read_text())
    people, found = as_arrays(truth, results, len(COCO_SIGMAS))
    figures = ENGINES[engine](people, found, COCO_SIGMAS)
    for name, value in zip(OFFICIAL, wanted["pycocotools_keypoint_stats"], strict=True):
        assert figures[name] == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("seed", few_of(range(8), range(8, 200)))
def test_random_files_of_any_joints_score_as_in_pycocotools(seed):
    truth, results, sigmas = fixture(seed)
    wanted = pycocotools(truth, results, sigmas)
    for engine in ENGINES.values():
        assert_same(engine(*as_arrays(truth, results, len(sigmas)), sigmas), wanted)


@pytest.mark.parametrize("seed", range(5))
def test_pairs_may_be_compared_a_few_at_a_time(seed, monkeypatch):
    truth, results, sigmas = fixture(seed)
    arrays = as_arrays(truth, results, len(sigmas))
    whole = average_precision.evaluate(*arrays, sigmas)
    monkeypatch.setattr(average_precision, "PAIRS_IN_CACHE", 3)
    assert average_precision.evaluate(*arrays, sigmas) == pytest.approx(whole, nan_ok=True)


@needs_example
def test_all_people_of_val2017_score_as_in_pycocotools_in_a_fraction_of_its_time():
    truth = annotations.read(EXAMPLE.parent / "coco_val2017_keypoints.json.gz")
    images = truth.image_ids[truth.images]
    people = People(images, truth.keypoints, truth.areas, truth.boxes, truth.crowd)
    random = np.random.default_rng(0)
    noise = random.normal(0, 0.06, (len(truth), 17, 2)) * np.sqrt(truth.areas)[:, None, None]
    scores = random.random(len(truth)).round(3)  # many equal
    found = Found(images, truth.keypoints[..., :2] + noise, scores)
    figures, seconds = {}, {}
    for name, engine in ENGINES.items():
        start = time.perf_counter()
        figures[name] = engine(people, found, COCO_SIGMAS)
        seconds[name] = time.perf_counter() - start
    assert_same(figures["fast"], figures["pycocotools"])
    assert seconds["fast"] < seconds["pycocotools"] / 3


def test_the_random_files_hold_what_they_are_meant_to():
    made = [fixture(seed) for seed in range(200)]
    truths = [one for truth, _, _ in made for one in truth["annotations"]]
    assert any(one["iscrowd"] for one in truths)
    assert any(one["num_keypoints"] == 0 for one in truths)
    assert any(one["area"] == 0 for one in truths)
    assert any(not results for _, results, _ in made)
    assert any(all(one["category_id"] == OTHER for one in results) for _, results, _ in made)
    assert any(not truth["annotations"] for truth, _, _ in made)
    many = [[one["image_id"] for one in results] for _, results, _ in made]
    assert any(images.count(image) > 20 for images in many for image in images)
    figures = [pycocotools(*one) for one in made]
    assert any(math.isnan(each["AP"]) for each in figures)
    assert any(math.isnan(each["AP_large"]) > math.isnan(each["AP"]) for each in figures)
    assert 0.1 < np.nanmean([each["AP"] for each in figures]) < 0.8


@pytest.mark.parametrize("seed", few_of(range(6), range(6, 20)))
def test_oks_is_pycocotools_own_to_the_last_bit(seed):
    truth, results, sigmas = fixture(seed)
    with contextlib.redirect_stdout(io.StringIO()):
        sets = COCO(), COCO()
        for one, records in zip(sets, (truth["annotations"], results), strict=True):
            one.dataset = {**truth, "annotations": [{**r, "id": i} for i, r in enumerate(records)]}
            one.createIndex()
        evaluation = COCOeval(*sets, "keypoints")
    evaluation.params.kpt_oks_sigmas = sigmas
    evaluation.params.maxDets = [1000]
    evaluation._prepare()
    people, found = as_arrays(truth, results, len(sigmas))
    for image in np.unique(people.image):
        there, seen = people.rows(people.image == image), found.rows(found.image == image)
        seen = seen.rows(oks.best_first(seen.scores))
        mine = similarities(seen.keypoints, *there[1:4], sigmas)
        theirs = np.array(evaluation.computeOks(image, ONE)).reshape(mine.shape)
        np.testing.assert_array_equal(mine, theirs)


def everyone(*areas: float, joints: int = 2) -> People:
    """Returns one person for each image, with joints 100 pixels apart."""
    count = len(areas)
    points = np.arange(joints, dtype=float)[:, None] * [100.0, 0.0]
    keypoints = np.concatenate([points, np.full((joints, 1), 2.0)], axis=-1)
    return People(
        image=np.arange(count),
        keypoints=np.repeat(keypoints[None], count, axis=0),
        areas=np.array(areas),
        boxes=np.tile([0.0, 0.0, 100.0, 100.0], (count, 1)),
        crowd=np.zeros(count, dtype=bool),
    )


def found_as(people: People, away: list[float], scores: list[float]) -> Found:
    """Returns predictions that are so many pixels too low; None stands for nobody in an image."""
    points = people.keypoints[..., :2] + np.array(away)[:, None, None] * [0.0, 1.0]
    return Found(people.image, points, np.array(scores))


SIGMAS = np.array([0.1, 0.1])


@pytest.fixture(params=ENGINES)
def engine(request) -> Engine:
    return ENGINES[request.param]


def test_all_found_is_one_and_none_found_is_zero(engine):
    people = everyone(40.0**2, 100.0**2)
    perfect = engine(people, found_as(people, [0, 0], [0.1, 0.9]), SIGMAS)
    assert perfect == pytest.approx(dict.fromkeys(perfect, 1.0))
    nothing = engine(people, found_as(people, [0, 0], [0.1, 0.9]).rows(np.array([], int)), SIGMAS)
    assert nothing == dict.fromkeys(nothing, 0.0)


def test_a_size_nobody_has_is_not_a_number(engine):
    people = everyone(100.0**2)
    figures = engine(people, found_as(people, [0], [0.5]), SIGMAS)
    assert math.isnan(figures["AP_medium"])
    assert math.isnan(figures["AR_medium"])
    assert figures["AP_large"] == pytest.approx(1)
    nobody = engine(people.rows(np.array([], int)), found_as(people, [0], [0.5]), SIGMAS)
    assert all(math.isnan(value) for value in nobody.values())


def test_one_of_two_found_reaches_51_of_101_recalls(engine):
    people = everyone(100.0**2, 100.0**2)
    figures = engine(people, found_as(people, [0, 1000], [0.9, 0.5]), SIGMAS)
    assert figures["AP"] == pytest.approx(51 / 101)
    assert figures["AR"] == 0.5


def test_a_better_scored_mistake_halves_precision(engine):
    people = everyone(100.0**2, 100.0**2).rows(np.array([0]))
    found = Found(
        image=np.array([0, 0]),
        keypoints=people.keypoints[[0, 0], :, :2] + np.array([[[0.0, 5000.0]], [[0.0, 0.0]]]),
        scores=np.array([0.9, 0.5]),
    )
    assert engine(people, found, SIGMAS)["AP"] == pytest.approx(0.5)


def test_oks_decides_which_thresholds_are_met(engine):
    """An OKS of .72: found at .5 to .7, five of ten thresholds."""
    away = math.sqrt(-math.log(0.72) * 2 * 100.0**2 * 0.2**2)
    people = everyone(100.0**2)
    figures = engine(people, found_as(people, [away], [0.5]), SIGMAS)
    assert figures["AP"] == pytest.approx(0.5)
    assert [figures[name] for name in ("AP50", "AP75", "AP95")] == pytest.approx([1, 0, 0])


def test_crowds_and_people_without_joints_are_neither_missed_nor_mistakes(engine):
    people = everyone(100.0**2, 100.0**2, 100.0**2)
    people.crowd[1] = True
    people.keypoints[2, :, 2] = 0
    found = found_as(people, [0, 0, 0], [0.5, 0.9, 0.9])
    assert engine(people, found, SIGMAS)["AP"] == pytest.approx(1)
    assert engine(people, found.rows(np.array([0])), SIGMAS)["AP"] == pytest.approx(1)


def test_a_crowd_may_be_found_many_times_and_a_person_once(engine):
    people = everyone(100.0**2, 100.0**2)._replace(image=np.array([0, 1]))
    people.crowd[1] = True
    found = found_as(people, [0, 0], [0.5, 0.9]).rows(np.array([0, 1, 1, 1]))
    assert engine(people, found, SIGMAS)["AP"] == pytest.approx(1)
    twice = found_as(people, [0, 0], [0.9, 0.5]).rows(np.array([0, 0, 1]))
    assert engine(people, twice, SIGMAS)["AP"] == pytest.approx(
        1
    )  # a mistake, but after all were found
    two = everyone(100.0**2, 100.0**2)
    found = found_as(two, [0, 0], [0.9, 0.5]).rows(np.array([0, 0, 1]))
    share = (51 * 1 + 50 * 2 / 3) / 101
    assert engine(two, found, SIGMAS)["AP"] == pytest.approx(share)


def test_the_21st_of_an_image_does_not_count(engine):
    people = everyone(100.0**2)
    scores = [0.9] * 20 + [0.1]
    away = [5000.0] * 20 + [0.0]
    found = found_as(people.rows(np.zeros(21, int)), away, scores)
    assert engine(people, found, SIGMAS)["AP"] == 0
    assert engine(people, found.rows(np.arange(1, 21)), SIGMAS)["AP"] == pytest.approx(1 / 20)


def test_equal_scores_are_taken_by_image_and_then_as_they_came(engine):
    people = everyone(100.0**2, 100.0**2)
    right_first = found_as(people, [0, 5000], [0.5, 0.5])
    wrong_first = found_as(people, [5000, 0], [0.5, 0.5])
    assert engine(people, right_first, SIGMAS)["AP"] == pytest.approx(51 / 101)
    assert engine(people, wrong_first, SIGMAS)["AP"] == pytest.approx(51 / 101 / 2)
    turned = right_first.rows(np.array([1, 0]))
    assert engine(people, turned, SIGMAS)["AP"] == pytest.approx(51 / 101)


def test_number_0_is_no_special_annotation():
    """pycocotools takes whoever matches an annotation of id 0 for a mistake."""
    box = {"bbox": [0.0, 0.0, 100.0, 100.0], "area": 100.0**2, "iscrowd": 0, "num_keypoints": 1}
    person = {"image_id": 7, "category_id": ONE, "keypoints": [5.0, 5.0, 2]}
    truth = {"images": [{"id": 7}], "categories": [{"id": ONE}], "annotations": [person | box]}
    results, sigmas = [person | {"score": 1.0}], np.array([0.1])
    truth["annotations"][0]["id"] = 0
    assert pycocotools(truth, results, sigmas)["AP"] == 0
    for engine in ENGINES.values():
        assert engine(*as_arrays(truth, results, 1), sigmas)["AP"] == pytest.approx(1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_ap_does_not_change_when_all_scores_are_multiplied(seed, factor):
    truth, results, sigmas = fixture(seed)
    people, found = as_arrays(truth, results, len(sigmas))
    scaled = found._replace(scores=found.scores * factor)
    assert_same(
        average_precision.evaluate(people, scaled, sigmas),
        average_precision.evaluate(people, found, sigmas),
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 10))
def test_oks_does_not_change_with_the_unit_of_length(seed, unit):
    truth, results, sigmas = fixture(seed)
    people, found = as_arrays(truth, results, len(sigmas))
    wide = (people.areas > 0) & (people.areas < 1e9)
    people = people.rows(wide)
    larger = people._replace(
        keypoints=people.keypoints * [unit, unit, 1],
        areas=people.areas * unit**2,
        boxes=people.boxes * unit,
    )
    far = found._replace(keypoints=found.keypoints * unit)
    np.testing.assert_allclose(
        average_precision.true_oks(larger, far, sigmas),
        average_precision.true_oks(people, found, sigmas),
        atol=1e-9,
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_true_oks_finds_as_much_as_any_other(seed):
    truth, results, sigmas = fixture(seed)
    people, found = as_arrays(truth, results, len(sigmas))
    people = people.rows(~people.crowd & (people.areas < 1e9))
    one = np.unique(found.image, return_index=True)[1]  # an image: no other order of matching
    found = found.rows(one)
    best = average_precision.true_oks(people, found, sigmas)
    ordered = average_precision.evaluate(people, found._replace(scores=best), sigmas)
    any_order = average_precision.evaluate(people, found, sigmas)
    assert ordered["AP"] >= any_order["AP"] - 1e-12 or math.isnan(any_order["AP"])
    assert ordered["AR"] == pytest.approx(any_order["AR"], nan_ok=True)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_oks_is_one_at_the_truth_and_less_elsewhere(seed):
    truth, _, sigmas = fixture(seed)
    people, _ = as_arrays(truth, [], len(sigmas))
    _, *them, _ = people.rows(people.counted)
    points = them[0][..., :2]
    assert (oks.to_truth(points, *them, sigmas) == 1).all()
    assert (oks.to_truth(points + 10.0, *them, sigmas) < 1).all()


def test_poses_with_nothing_labelled_count_by_how_far_they_are_outside_three_boxes():
    truths = np.zeros((1, 2, 3))
    areas, boxes = np.array([100.0]), np.array([[10.0, 10.0, 10.0, 10.0]])
    inside = np.array([[[0.0, 30.0], [15.0, 15.0]]])
    assert oks.to_truth(inside, truths, areas, boxes, SIGMAS).item() == 1
    outside = np.array([[[-2.0, 15.0], [15.0, 15.0]]])
    term = math.exp(-(2.0**2) / (2 * 100 * 0.2**2))
    found = oks.to_truth(outside, truths, areas, boxes, SIGMAS).item()
    assert found == pytest.approx((1 + term) / 2)


def near(*places: float) -> np.ndarray:
    """Returns poses of two joints that are shifted so far along x."""
    return np.array([[[place, 0.0], [place, 10.0]] for place in places])


def test_nms_keeps_the_better_of_two_alike():
    alike = oks.between(near(0, 1, 50, 51), np.full(4, 100.0), SIGMAS)
    assert alike[0, 1] == pytest.approx(math.exp(-1 / (2 * 100 * 0.2**2)))
    assert oks.nms(alike, np.array([0.5, 0.9, 0.8, 0.1]), 0.5).tolist() == [1, 2]
    assert oks.nms(alike, np.array([0.5, 0.9, 0.8, 0.1]), 0.99).tolist() == [1, 2, 0, 3]
    assert oks.nms(alike, np.array([0.5, 0.9, 0.8, 0.1]), alike[0, 1]).tolist() == [1, 2, 0, 3]


def test_nms_takes_the_mean_of_the_areas_and_joints_seen_in_both():
    areas = np.array([100.0, 300.0])
    alike = oks.between(near(0, 2), areas, SIGMAS)
    assert alike[0, 1] == pytest.approx(math.exp(-4 / (2 * 200 * 0.2**2)))
    poses = np.array([[[0.0, 0.0], [0.0, 10.0]], [[0.0, 0.0], [90.0, 10.0]]])
    seen = np.array([[True, True], [True, False]])
    both = oks.between(poses, areas, SIGMAS, seen[:, None] & seen)
    assert both[0, 1] == 1
    assert oks.between(poses, areas, SIGMAS, np.zeros((1, 1, 2), bool))[0, 1] == 0


def test_soft_nms_lowers_the_scores_of_those_alike_and_takes_no_more_than_asked():
    alike = np.array([[1.0, 0.8, 0.0], [0.8, 1.0, 0.0], [0.0, 0.0, 1.0]])
    scores = np.array([0.9, 0.8, 0.6])
    order, lowered = oks.soft_nms(alike, scores, 0.5, most=20)
    assert order.tolist() == [0, 2, 1]
    assert lowered == pytest.approx([0.9, 0.6, 0.8 * math.exp(-(0.8**2) / 0.5)])
    assert oks.soft_nms(alike, scores, 0.5, most=2)[0].tolist() == [0, 2]


def test_nothing_to_suppress_is_nothing_kept():
    alike, scores = np.zeros((0, 0)), np.zeros(0)
    assert oks.nms(alike, scores, 0.9).size == 0
    assert oks.soft_nms(alike, scores, 0.9, most=20)[0].size == 0
