"""Metrics by hand, against float64 loops, and as two processes count them."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra.utils
import numpy as np
import pytest
import running
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from pairwise import few_of
from torch import Tensor
from torchmetrics import Metric

from heatmap_research.data import annotations
from heatmap_research.data.annotations import Annotations
from heatmap_research.data.rendering import body
from heatmap_research.metrics.auc import Auc
from heatmap_research.metrics.average_precision import OFFICIAL
from heatmap_research.metrics.breakdown import Breakdown
from heatmap_research.metrics.coco_ap import CocoAp
from heatmap_research.metrics.ellipses import Ellipses, square_distance
from heatmap_research.metrics.ghosts import Ghosts
from heatmap_research.metrics.mean_oks import MeanOks
from heatmap_research.metrics.nme import Nme
from heatmap_research.metrics.pck import Pck
from heatmap_research.metrics.pixel_error import PixelError
from heatmap_research.types import IncompatibleError, Prediction, Sample

EXAMPLE = Path(os.environ.get("HEATMAP_DATA", "")) / "coco_val2014_first100"
NAMES = body.NAMES
OPTIONS = running.options("metric")
HEIGHT, WIDTH = 40, 30

needs_example = pytest.mark.skipif(
    "HEATMAP_DATA" not in os.environ, reason="no real data: set HEATMAP_DATA=FOLDER"
)


def batch_of(keypoints: Tensor, **fields: Tensor) -> Sample:
    """Makes a batch whose crops are the source; what is not given is of no consequence."""
    people, joints = keypoints.shape[:2]
    usual = {
        "image": torch.zeros(people, 1, HEIGHT, WIDTH, dtype=torch.uint8),
        "visible": torch.full((people, joints), 2),
        "to_source": torch.eye(2, 3).repeat(people, 1, 1),
        "scale": torch.full((people,), 50.0),
        "image_id": torch.arange(people),
        "instance_id": torch.arange(people),
        "box": torch.tensor([0.0, 0.0, 20.0, 10.0]).repeat(people, 1),
        "box_score": torch.ones(people),
        "head": torch.full((people,), torch.nan),
        "overlap": torch.zeros(people),
        "others": torch.full((people, joints, 2), torch.nan),
        "others_visible": torch.zeros(people, joints, dtype=torch.long),
    }
    return Sample(keypoints=keypoints, **usual | fields)


def predicted(keypoints: Tensor, score: Tensor | None = None) -> Prediction:
    spread = torch.eye(2).expand(*keypoints.shape[:2], 2, 2)
    score = torch.ones(keypoints.shape[:2]) if score is None else score
    return Prediction(keypoints, score, spread)


def random_people(count: int, seed: int = 0) -> tuple[Prediction, Sample]:
    """Makes random people in turned and enlarged crops; some joints and heads are unknown."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return torch.rand(shape, generator=generator) * (high - low) + low

    points = random(count, len(NAMES), 2) * torch.tensor([WIDTH, HEIGHT])
    turn, enlarged = random(count, high=6.3), random(count, low=1, high=4)
    sine, cosine = turn.sin() * enlarged, turn.cos() * enlarged
    shift = random(count, 2, high=200)
    rows = ((cosine, -sine, shift[:, 0]), (sine, cosine, shift[:, 1]))
    batch = batch_of(
        points,
        visible=torch.randint(0, 3, (count, len(NAMES)), generator=generator),
        to_source=torch.stack([torch.stack(row, dim=-1) for row in rows], dim=1),
        scale=random(count, low=10, high=150),
        image_id=torch.randint(0, max(count // 3, 1), (count,), generator=generator),
        instance_id=1000 + torch.randperm(count, generator=generator),
        box=random(count, 4, low=5, high=100),
        box_score=(random(count) * 4).ceil() / 4,  # often equal
        head=torch.where(random(count) < 0.2, torch.nan, random(count, low=5, high=30)),
        overlap=(random(count, low=-0.5)).clamp(min=0),
        others=points.flip(1),
    )
    noise = torch.randn(points.shape, generator=generator) * random(count, 1, 1, high=4)
    return predicted(points + noise, random(count, len(NAMES))), batch


def rows(prediction: Prediction, batch: Sample, index: slice | Tensor) -> tuple[Prediction, Sample]:
    return Prediction(*(p[index] for p in prediction)), Sample(*(b[index] for b in batch))


def truth_of(batch: Sample) -> Annotations:
    """Returns the people of these samples in the source, and two more who are in no sample."""
    people = len(batch.keypoints)
    order = batch.instance_id.argsort()
    batch = Sample(*(column[order] for column in batch))
    points = batch.keypoints.double() @ batch.to_source[..., :2].double().mT
    points = points + batch.to_source[..., None, :, 2]
    truths = torch.cat([points, batch.visible[..., None]], dim=-1).numpy()
    images = batch.image_id.numpy()
    image_ids = np.arange(images.max() + 2)
    return Annotations(
        file=Path("people.json"),
        schema=body.SCHEMA,
        category=1,
        image_ids=image_ids,
        image_files=("",) * len(image_ids),
        image_sizes=np.zeros((len(image_ids), 2), dtype=np.int64),
        ids=np.append(batch.instance_id.numpy(), [1, 2]),
        images=np.append(images, [0, images.max() + 1]),
        boxes=np.append(batch.box.double().numpy(), np.full((2, 4), 50.0), axis=0),
        keypoints=np.append(truths, truths[[0, 0]], axis=0),
        areas=np.append(batch.scale.double().numpy() ** 2, [1e4, 1e4]),
        crowd=np.array([False] * people + [True, False]),
        heads=np.full(people + 2, np.nan),
        overlaps=np.zeros(people + 2),
    )


def option(name: str) -> Metric:
    """Builds the metric that conf/metric/NAME.yaml describes."""
    node = OmegaConf.load(running.CONF / "metric" / f"{name}.yaml")
    (key,) = node
    known = {"names": list(NAMES), "tolerances": list(body.SCHEMA.sigmas)}
    return hydra.utils.instantiate(OmegaConf.merge(known, node)[key], _convert_="all")


def numbers(metric: Metric) -> dict[str, float]:
    found = metric.compute()
    found = found if isinstance(found, dict) else {"": found}
    return {name: value.item() for name, value in found.items()}


def same(first: dict[str, float], second: dict[str, float]) -> bool:
    return first == pytest.approx(second, rel=1e-12, abs=1e-15, nan_ok=True)


@pytest.mark.parametrize("name", OPTIONS)
def test_the_halves_of_an_odd_number_of_people_make_the_figures_of_all(name):
    prediction, batch = random_people(41)
    whole, first, second = (option(name) for _ in range(3))
    for metric in (whole, first, second):
        if hasattr(metric, "truth"):
            metric.truth = truth_of(batch)
    whole.update(prediction, batch)
    for metric, start in ((first, 0), (second, 1)):
        metric.update(*rows(prediction, batch, slice(start, None, 2)))
    first.merge_state(second)
    expected = numbers(whole)
    assert same(numbers(first), expected)
    assert any(math.isfinite(value) for value in expected.values())


@pytest.mark.parametrize("name", OPTIONS)
def test_every_metric_begins_anew_after_a_reset(name):
    prediction, batch = random_people(7)
    used, fresh = option(name), option(name)
    used.update(*random_people(5, seed=1))
    used.reset()
    for metric in (used, fresh):
        metric.update(prediction, batch)
    assert same(numbers(used), numbers(fresh))


@pytest.mark.parametrize("name", OPTIONS)
def test_every_metric_is_not_a_number_where_there_is_nothing_to_count(name):
    prediction, batch = random_people(5)
    metric = option(name)
    metric.update(prediction, batch._replace(visible=torch.zeros_like(batch.visible)))
    assert all(math.isnan(value) for value in numbers(metric).values())


@pytest.mark.parametrize("name", OPTIONS)
def test_every_metric_takes_any_precision_and_its_parts_keep_it(name):
    prediction, batch = random_people(9)
    single, double = option(name), option(name)
    single.update(prediction, batch)
    prediction = Prediction(*(column.double() for column in prediction))
    batch = Sample(*(c.double() if c.is_floating_point() else c for c in batch))
    double.update(prediction, batch)
    assert numbers(single) == pytest.approx(numbers(double), rel=1e-5, abs=1e-5, nan_ok=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", OPTIONS)
def test_no_update_makes_the_host_wait_for_the_device(name):
    prediction, batch = random_people(9)
    expected = option(name)
    expected.update(prediction, batch)
    prediction = Prediction(*(column.cuda() for column in prediction))
    batch = Sample(*(column.cuda() for column in batch))
    metric = option(name).cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        metric.update(prediction, batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    found = numbers(metric)
    assert found == pytest.approx(numbers(expected), rel=1e-5, abs=1e-5, nan_ok=True)


COUNTS = (23, 1)  # of one person, one of two processes sees nobody


def figures(count: int, mine: slice) -> dict[str, dict[str, float]]:
    """Computes every metric where this process sees only some of the people."""
    prediction, batch = random_people(count)
    found = {}
    for name in OPTIONS:
        metric = option(name)
        if hasattr(metric, "truth"):
            metric.truth = truth_of(batch)
        if range(count)[mine]:
            metric.update(*rows(prediction, batch, mine))
        found[name] = numbers(metric)
    return found


def one_of_several(rank: int, ranks: int, store: str) -> None:
    """Is run in a process of its own, as one of several that evaluate together."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=ranks
    )
    found = [figures(count, slice(rank, None, ranks)) for count in COUNTS]
    Path(f"{store}.{rank}.json").write_text(json.dumps(found))
    torch.distributed.destroy_process_group()


@pytest.mark.slow  # test_training.py counts what two processes evaluate
def test_two_processes_find_what_one_finds(tmp_path):
    store = tmp_path / "store"
    torch.multiprocessing.spawn(one_of_several, (2, str(store)), nprocs=2)
    for rank in range(2):
        found = json.loads(Path(f"{store}.{rank}.json").read_text())
        for count, theirs in zip(COUNTS, found, strict=True):
            for name, expected in figures(count, slice(None)).items():
                assert same(theirs[name], expected), name


# Errors in units of a size


def points(*xy: tuple[float, float]) -> Tensor:
    """One person."""
    return torch.tensor([xy])


TWO = ("left", "right")
ALL = {"pair": None, "without": [], "average": "points"}


def pck(thresholds: list[float], size: str, names: tuple[str, ...] = TWO, **other: Any) -> Pck:
    return Pck("PCK", thresholds, names, size, **ALL | other)


def test_pck_in_pixels_is_the_share_no_farther_than_each_threshold():
    metric = pck([0.1, 0.25, 0.5, 1.0], "pixel")
    truth = points((10.0, 10.0), (20.0, 10.0))
    metric.update(predicted(truth + points((0.5, 0.0), (0.0, 0.2))), batch_of(truth))
    expected = {"PCK@0.1px": 0, "PCK@0.25px": 0.5, "PCK@0.5px": 1, "PCK@1px": 1}
    assert numbers(metric) == expected


def test_pck_of_boxes_takes_their_longer_side_in_the_source():
    """Twice as large there: off by 4 of 20, and 2 of 20."""
    metric = pck([0.1, 0.15, 0.25], "box")
    truth = points((10.0, 10.0), (20.0, 10.0))
    to_source = torch.tensor([[[2.0, 0.0, 7.0], [0.0, 2.0, 5.0]]])
    off = points((2.0, 0.0), (0.0, 1.0))
    metric.update(predicted(truth + off), batch_of(truth, to_source=to_source))
    assert numbers(metric) == {"PCK@0.1": 0.5, "PCK@0.15": 0.5, "PCK@0.25": 1}


def test_pck_of_a_torso_takes_the_distance_of_two_true_joints():
    """3-4-5: off by 1 of 5; a person of whom one of the two is unknown does not count."""
    metric = pck([0.15, 0.25], "pair", pair=list(TWO))
    truth = points((10.0, 10.0), (13.0, 14.0)).repeat(2, 1, 1)
    visible = torch.tensor([[2, 1], [2, 0]])
    metric.update(predicted(truth + torch.tensor([1.0, 0.0])), batch_of(truth, visible=visible))
    assert numbers(metric) == {"PCK@0.15": 0, "PCK@0.25": 1}
    assert metric.count.tolist() == [1, 1]


def test_pckh_leaves_out_people_without_a_head_and_joints_by_name():
    metric = pck([0.5], "head", ("wrist", "thorax"), without=["thorax", "pelvis"])
    truth = points((10.0, 10.0), (13.0, 14.0)).repeat(3, 1, 1)
    off = torch.tensor([[3.0, 0.0], [5.0, 0.0], [9.0, 0.0]])[:, None]
    head = torch.tensor([8.0, 8.0, torch.nan])
    metric.update(predicted(truth + off), batch_of(truth, head=head))
    assert numbers(metric) == {"PCK@0.5": 0.5}


def test_a_mean_of_joints_and_one_of_points_differ_where_joints_are_rare():
    truth = points((10.0, 10.0), (13.0, 14.0)).repeat(4, 1, 1)
    visible = torch.tensor([[2, 2], [2, 0], [2, 0], [2, 0]])
    off = points((0.0, 0.0), (5.0, 0.0))
    for average, expected in (("points", 4 / 5), ("joints", 1 / 2)):
        metric = pck([1.0], "pixel", average=average)
        metric.update(predicted(truth + off), batch_of(truth, visible=visible))
        assert numbers(metric) == {"PCK@1px": pytest.approx(expected)}


def test_a_prediction_that_is_not_a_number_is_a_miss_and_no_mean_hides_it():
    truth = points((10.0, 10.0), (13.0, 14.0))
    wrong = predicted(truth + points((math.nan, 0.0), (0.0, 0.0)))
    share, mean = pck([1.0], "pixel"), Nme(TWO, "pixel", **ALL)
    for metric in (share, mean):
        metric.update(wrong, batch_of(truth))
    assert numbers(share) == {"PCK@1px": 0.5}
    assert math.isnan(mean.compute())


def test_nme_is_the_mean_of_errors_over_sizes():
    metric = Nme(TWO, "head", **ALL)
    truth = points((10.0, 10.0), (13.0, 14.0)).repeat(2, 1, 1)
    off = torch.tensor([[3.0, 4.0], [6.0, 8.0]])[:, None]
    metric.update(predicted(truth + off), batch_of(truth, head=torch.tensor([10.0, 4.0])))
    assert metric.compute() == pytest.approx((5 / 10 + 10 / 4) / 2)


def test_auc_is_the_area_under_pck_over_all_thresholds():
    prediction, batch = random_people(30)
    fine = [(step + 0.5) / 5000 * 0.3 for step in range(5000)]
    steps, exact = pck(fine, "box", NAMES), Auc(0.3, NAMES, "box", **ALL)
    for metric in (steps, exact):
        metric.update(prediction, batch)
    assert exact.compute().item() == pytest.approx(steps.means().mean().item(), abs=1e-4)
    assert 0.1 < exact.compute() < 0.9


def test_pixel_error_is_a_mean_distance_in_the_crop():
    truth = points((10.0, 10.0), (13.0, 14.0), (0.0, 0.0))
    prediction = predicted(truth + points((3.0, 4.0), (0.0, 1.0), (99.0, 0.0)))
    visible = torch.tensor([[2, 1, 0]])
    for among, expected in (("labelled", 3), ("visible", 5), ("covered", 1)):
        metric = PixelError(among)
        metric.update(prediction, batch_of(truth, visible=visible))
        assert metric.compute() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: pck([0.1], "torso"), "metric.size=torso: choose pixel, box, head, pair"),
        (lambda: pck([0.1], "box", average="mean"), "choose points, joints"),
        (lambda: pck([0.1], "pair", pair=["left", "hip"]), "choose two of left, right"),
        (lambda: pck([0.1], "pair"), "metric.pair=null"),
        (lambda: Auc(0.0, TWO, "box", **ALL), "above 0"),
        (lambda: CocoAp([0.1], "slow", "none", 0.9, 0.2), "choose fast, pycocotools"),
        (lambda: CocoAp([0.1], "fast", "hard", 0.9, 0.2), "choose none, oks, soft"),
    ],
)
def test_choices_there_are_not_are_refused_in_a_line(make: Callable[[], Metric], words: str):
    with pytest.raises(ValueError, match=words) as refusal:
        make()
    assert "\n" not in str(refusal.value)


# OKS


def test_mean_oks_is_the_mean_of_each_persons_own():
    prediction, batch = random_people(40)
    metric = MeanOks([0.05] * len(NAMES))
    metric.update(prediction, batch)
    found = []
    for person in range(40):
        terms = []
        for joint in range(len(NAMES)):
            if batch.visible[person, joint]:
                off = (prediction.keypoints - batch.keypoints)[person, joint].double()
                away = batch.to_source[person, :, :2].double() @ off
                area = batch.scale[person].double() ** 2
                terms.append(math.exp(-(away @ away) / (2 * area * 0.1**2)))
        found.append(sum(terms) / len(terms))
    assert metric.compute().item() == pytest.approx(sum(found) / 40, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 20))
def test_mean_oks_is_one_at_the_truth_and_less_anywhere_else(seed, away):
    _, batch = random_people(6, seed)
    batch = batch._replace(visible=batch.visible.clamp(min=1))
    exact, off = MeanOks([0.05] * len(NAMES)), MeanOks([0.05] * len(NAMES))
    exact.update(predicted(batch.keypoints), batch)
    off.update(predicted(batch.keypoints + away), batch)
    assert exact.compute() == 1
    assert off.compute() < 1


# Parts of the data


def breakdown(names: tuple[str, ...] = TWO) -> Breakdown:
    sigmas = [0.1] * len(names)
    return Breakdown(names, sigmas, areas=[1024.0, 9216.0], overlaps=[0.0, 0.3], border=0.05)


def test_a_breakdown_says_where_each_joint_is_and_how_far_along_each_axis():
    metric = breakdown()
    truth = points((10.0, 10.0), (13.0, 14.0)).repeat(2, 1, 1)
    off = torch.tensor([[[3.0, 4.0], [1.0, 0.0]], [[-3.0, 4.0], [1.0, 0.0]]])
    metric.update(predicted(truth + off), batch_of(truth))
    found = numbers(metric)
    expected = {
        **{"bias_x_px.left": 0, "bias_y_px.left": 4, "bias_x_px.right": 1, "bias_y_px.right": 0},
        **{"mean_abs_x_px.left": 3, "mean_abs_y_px.left": 4, "mean_abs_x_px.right": 1},
        **{"error_px.left": 5, "error_px.right": 1, "error_px": 3},
        **{"bias_x_px": 0.5, "bias_y_px": 2, "mean_abs_x_px": 2, "mean_abs_y_px": 2},
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_a_breakdown_tells_visible_from_covered_and_leaves_the_unlabelled_out():
    metric = breakdown(("a", "b", "c"))
    truth = points((10.0, 10.0), (13.0, 14.0), (0.0, 0.0))
    off = points((3.0, 4.0), (1.0, 0.0), (100.0, 0.0))
    metric.update(predicted(truth + off), batch_of(truth, visible=torch.tensor([[2, 1, 0]])))
    found = numbers(metric)
    assert (found["error_px.visible"], found["error_px.covered"]) == (5, 1)
    assert math.isnan(found["error_px.c"])
    assert found["error_px"] == 3


def test_a_breakdown_parts_people_by_cocos_sizes_and_by_overlap():
    metric = breakdown()
    truth = points((10.0, 10.0), (13.0, 14.0)).repeat(5, 1, 1)
    scale = torch.tensor([31.0, 32.0, 96.0, 96.5, 200.0])
    off = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])[:, None, None] * torch.tensor([1.0, 0.0])
    overlap = torch.tensor([0.0, 0.2, 0.3, 0.4, 0.9])
    metric.update(predicted(truth + off), batch_of(truth, scale=scale, overlap=overlap))
    found = numbers(metric)
    errors = {"small": 1, "medium": 2.5, "large": 4.5}
    errors |= {"alone": 1, "overlap_above_0": 3.5, "overlap_above_0.3": 4.5}
    for name, error in errors.items():
        assert found[f"error_px.{name}"] == pytest.approx(error)
    similar = [
        math.exp(-(away**2) / (2 * scale[1 + n] ** 2 * 0.2**2)) for n, away in ((0, 2), (1, 3))
    ]
    assert found["oks.medium"] == pytest.approx(sum(similar) / 2)


def test_a_breakdown_finds_joints_near_the_border_or_beyond():
    """5 % of 30 x 40 pixels are 1.5 and 2 pixels from the edge, which is half a pixel outside."""
    near = [(0.9, 20.0), (28.1, 20.0), (15.0, 1.4), (15.0, 37.6), (-4.0, 20.0)]
    inside = [(1.1, 20.0), (27.9, 20.0), (15.0, 1.6), (15.0, 37.4), (15.0, 20.0)]
    truth = points(*near, *inside)
    metric = breakdown(tuple("abcdefghij"))
    off = torch.tensor([1.0] * 5 + [3.0] * 5)[:, None] * torch.tensor([0.0, 1.0])
    metric.update(predicted(truth + off), batch_of(truth))
    found = numbers(metric)
    assert found["error_px.near_border"] == pytest.approx(1)
    assert found["error_px.inside"] == pytest.approx(3)


# Average precision


def coco_ap(joints: int = 2, **other: Any) -> CocoAp:
    usual = {"engine": "fast", "nms": "none", "nms_threshold": 0.9, "keypoint_threshold": 0.2}
    return CocoAp([0.1] * joints, **usual | other)


@needs_example
@pytest.mark.parametrize("engine", ["fast", "pycocotools"])
def test_coco_ap_of_the_official_example_is_official(engine):
    stem = "person_keypoints_val2014"
    truth = annotations.read(EXAMPLE / f"{stem}_first100.json")
    results = json.loads((EXAMPLE / f"{stem}_fakekeypoints100_results.json").read_text())
    wanted = json.loads((EXAMPLE / "expected_stats.json").read_text())
    metric = CocoAp(truth.schema.sigmas, engine, "none", 0.9, 0.2)
    metric.truth = truth
    poses = torch.tensor([one["keypoints"] for one in results], dtype=torch.float64)
    poses = poses.view(len(results), -1, 3)[..., :2]
    ids = torch.tensor([one["image_id"] for one in results])
    scores = torch.tensor([one["score"] for one in results], dtype=torch.float64)
    metric.update(predicted(poses), batch_of(poses, image_id=ids, box_score=scores))
    found = numbers(metric)
    for name, value in zip(OFFICIAL, wanted["pycocotools_keypoint_stats"], strict=True):
        assert found[name] == pytest.approx(value, abs=1e-9)
    assert found["AP_box_score"] == pytest.approx(found["AP"])
    assert found["AP_oracle"] > found["AP"]


@pytest.mark.parametrize("seed", few_of(range(3), range(3, 20)))
@pytest.mark.parametrize("nms", ["none", "oks", "soft"])
def test_both_engines_agree_and_so_does_any_order_of_samples(nms, seed):
    prediction, batch = random_people(60, seed)
    found = []
    for engine in ("fast", "pycocotools"):
        for order in (torch.arange(60), torch.arange(59, -1, -1), torch.randint(60, (300,))):
            metric = coco_ap(len(NAMES), engine=engine, nms=nms, nms_threshold=0.3)
            metric.truth = truth_of(batch)
            if order.numel() > 60:
                order = torch.cat([order, torch.arange(60)])  # many of them twice
            for few in order.split(17):
                metric.update(*rows(prediction, batch, few))
            found.append(numbers(metric))
    for each in found[1:]:
        assert each == pytest.approx(found[0], abs=1e-9, nan_ok=True)
    assert 0 < found[0]["AP"] < found[0]["AP_oracle"] < 1


def test_a_person_scores_the_box_times_the_mean_of_joints_above_the_threshold():
    metric = coco_ap(3)
    truth = points((1.0, 1.0), (2.0, 2.0), (3.0, 3.0)).repeat(2, 1, 1)
    score = torch.tensor([[0.9, 0.5, 0.2], [0.1, 0.2, 0.0]])
    box_score = torch.tensor([0.5, 0.9])
    metric.update(predicted(truth, score), batch_of(truth, box_score=box_score))
    metric.compute()
    assert metric.scored.scores == pytest.approx([0.5 * 0.7, 0.0])


def test_nms_drops_whoever_is_like_a_better_one_of_the_same_image():
    truth = points((10.0, 10.0), (13.0, 14.0)).repeat(3, 1, 1)
    off = torch.tensor([0.0, 0.1, 0.0])[:, None, None]
    same_image = {"image_id": torch.tensor([5, 5, 6]), "box_score": torch.tensor([0.5, 0.9, 0.1])}
    kept = {}
    for nms in ("none", "oks", "soft"):
        metric = coco_ap(nms=nms)
        metric.update(predicted(truth + off), batch_of(truth, **same_image))
        metric.compute()
        kept[nms] = metric.scored.image.tolist(), metric.scored.scores.tolist()
    area = HEIGHT * WIDTH  # of the crop, as published
    alike = math.exp(-2 * 0.1**2 / (2 * area * 0.2**2))
    assert kept["none"] == ([5, 5, 6], pytest.approx([0.5, 0.9, 0.1]))
    assert kept["oks"] == ([5, 6], pytest.approx([0.9, 0.1]))
    lowered = 0.5 * math.exp(-(alike**2) / 0.9)
    assert kept["soft"] == ([5, 5, 6], pytest.approx([lowered, 0.9, 0.1], rel=1e-5))


def test_without_an_annotation_file_those_predicted_are_all_there_are():
    """And each its own image, as crops without a source are."""
    metric = coco_ap()
    truth = points((10.0, 10.0), (60.0, 14.0)).repeat(2, 1, 1)
    off = torch.tensor([0.0, 500.0])[:, None, None]
    batch = batch_of(truth, image_id=torch.tensor([3, 3]), box_score=torch.tensor([0.9, 0.5]))
    metric.update(predicted(truth + off), batch)
    found = numbers(metric)
    assert found["AP"] == pytest.approx(51 / 101)
    assert found["AR"] == 0.5
    assert metric.scored.image.tolist() == [3, 3]


def test_someone_of_the_annotation_file_who_was_not_predicted_is_missed():
    _, batch = random_people(6)
    metric = coco_ap(len(NAMES))
    metric.truth = truth_of(batch)
    metric.update(predicted(batch.keypoints), batch)
    counted = int((batch.visible.sum(-1) > 0).sum()) + 1  # one more, and a crowd
    assert numbers(metric)["AR"] == pytest.approx(1 - 1 / counted)


def test_keypoints_are_scored_in_the_source_image():
    prediction, batch = random_people(30)
    metric = coco_ap(len(NAMES))
    metric.truth = truth_of(batch)
    metric.update(prediction, batch)
    metric.compute()
    order = batch.instance_id.argsort()
    to_source = batch.to_source[order].double()
    expected = (
        prediction.keypoints[order].double() @ to_source[..., :2].mT + to_source[:, None, :, 2]
    )
    np.testing.assert_allclose(metric.scored.keypoints, expected, rtol=1e-12)


def test_an_annotation_file_of_other_joints_is_refused_by_name():
    prediction, batch = random_people(3)
    metric = coco_ap(2)
    metric.truth = truth_of(batch)
    few = Prediction(*(column[:, :2] for column in prediction))
    metric.update(
        few, batch._replace(keypoints=batch.keypoints[:, :2], visible=batch.visible[:, :2])
    )
    with pytest.raises(IncompatibleError, match=r"2 OKS sigmas, but people\.json has 13 joints"):
        metric.compute()


def test_ids_of_64_bits_come_through_whole():
    metric = coco_ap()
    truth = points((10.0, 10.0), (13.0, 14.0)).repeat(2, 1, 1)
    ids = torch.tensor([2**62 + 1, 2**62 + 2])
    metric.update(predicted(truth), batch_of(truth, instance_id=ids, image_id=ids))
    metric.compute()
    assert metric.scored.image.tolist() == ids.tolist()


def test_scores_of_boxes_and_of_truth_rank_the_same_people():
    """Own scores put the wrong one first, box scores the right one, as the truth does."""
    metric = coco_ap()
    truth = points((10.0, 10.0), (60.0, 14.0)).repeat(2, 1, 1)
    off = torch.tensor([0.0, 500.0])[:, None, None]
    batch = batch_of(truth, box_score=torch.tensor([0.9, 0.5]))
    metric.update(predicted(truth + off, torch.tensor([[0.3, 0.3], [0.9, 0.9]])), batch)
    found = numbers(metric)
    assert found["AP"] == pytest.approx(51 / 101 / 2)
    assert found["AP_box_score"] == found["AP_oracle"] == pytest.approx(51 / 101)


# --- two figures


def two_figures(count: int) -> tuple[Tensor, Tensor]:
    """True joints and the second figure's, 20 px to the right and 15 px below."""
    truth = torch.rand(count, 1, 2, generator=torch.Generator().manual_seed(0)) * 5 + 2
    return truth, truth + torch.tensor([20.0, 15.0])


def test_planted_ghosts_are_counted_exactly():
    truth, others = two_figures(20)
    (x1, y1), (x2, y2) = truth.unbind(-1), others.unbind(-1)
    crossed = torch.stack([x1, y2], -1), torch.stack([x2, y1], -1)
    read = torch.cat([crossed[0][:3], crossed[1][3:5], others[5:6], truth[6:]])
    metric = Ghosts()
    offset = torch.tensor([1.7, -2.4])  # 2.94 px
    for near in (0, offset, -offset):
        metric.update(predicted(read + near), batch_of(truth, others=others))
        shares = {"ghosts": 0.25, "at_other_figure": 0.05}
        assert {name: share.item() for name, share in metric.compute().items()} == shares
    metric.reset()
    metric.update(predicted(read + 1.1 * offset), batch_of(truth, others=others))  # 3.2 px
    assert all(share == 0 for share in metric.compute().values())


def test_only_joints_far_apart_along_both_axes_and_labelled_can_be_ghosts():
    truth = torch.full((5, 1, 2), 10.0)
    away = torch.tensor([[9.0, 9.0], [8.0, 20.0], [20.0, -8.0], [torch.nan] * 2, [9.0, 9.0]])
    others = truth + away[:, None]
    visible = torch.tensor([1, 2, 2, 2, 0])[:, None]
    read = torch.stack([truth[..., 0], others[..., 1]], -1).nan_to_num()  # crossed
    metric = Ghosts()
    metric.update(predicted(read), batch_of(truth, others=others, visible=visible))
    assert metric.count == 1
    assert metric.compute()["ghosts"] == 1
    alone = Ghosts()
    alone.update(predicted(read), batch_of(truth))
    assert alone.compute()["ghosts"].isnan()


def ellipses_of(away: Tensor, covariance: Tensor, metric: Ellipses, stage: str) -> dict[str, float]:
    """The figures of people at (0, 0) whose joints are read `away` from it."""
    metric.stage = stage
    metric.update(Prediction(away, torch.ones(away.shape[:2]), covariance), batch_of(0 * away))
    return numbers(metric)


def test_a_distance_is_counted_in_the_widths_of_its_own_ellipse():
    """Across the long axis, along it, and of a map without width, by hand."""
    turned = torch.tensor([[5.0, 4.0], [4.0, 5.0]])  # variances 9 along (1, 1), 1 along (1, -1)
    covariance = torch.stack([turned, turned, torch.zeros(2, 2)])
    away = torch.tensor([[3.0, 3.0], [2.0, -2.0], [0.0, 0.0]])
    found = square_distance(away, covariance)
    torch.testing.assert_close(found, torch.tensor([2.0, 8.0, 0.0]), rtol=1e-4, atol=1e-4)


def test_normal_errors_lie_within_the_ellipses_that_say_so_after_one_factor():
    """Maps that are half as wide as the errors; the factor of val is kept for test."""
    generator = torch.Generator().manual_seed(0)
    root = torch.tensor([[3.0, 0.0], [1.0, 2.0]])
    covariance = (root @ root.mT / 4).expand(20_000, 2, 2, 2)
    metric = Ellipses()
    for stage in ("val", "test"):
        away = torch.randn(20_000, 2, 2, generator=generator) @ root.mT
        found = ellipses_of(away, covariance, metric, stage)
        metric.reset()
        assert found["widening"] == pytest.approx(2, abs=0.02)
        assert found["within_68"] == pytest.approx(1 - 0.32**0.25, abs=0.006)
        assert found["within_95"] == pytest.approx(1 - 0.05**0.25, abs=0.006)
        assert found["widened_68"] == pytest.approx(0.68, abs=0.006)
        assert found["widened_95"] == pytest.approx(0.95, abs=0.004)


def test_a_layout_without_a_covariance_has_no_ellipses():
    metric = Ellipses()
    away = torch.ones(2, 3, 2)
    metric.update(Prediction(away, torch.ones(2, 3)), batch_of(away))
    assert all(math.isnan(value) for value in numbers(metric).values())
