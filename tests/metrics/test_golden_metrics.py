"""Published metrics, against ours.

Ours count points; theirs average, add, divide and mask in ways of their own, which are written out
here.
"""

import numpy as np
import pytest
import torch
from golden import Case, published
from poses import similarities
from torch import Tensor
from torchmetrics import Metric

from heatmap_research.metrics import average_precision, oks
from heatmap_research.metrics.auc import Auc
from heatmap_research.metrics.average_precision import OFFICIAL, Found, People
from heatmap_research.metrics.nme import Nme
from heatmap_research.metrics.pck import Pck
from heatmap_research.metrics.pixel_error import PixelError
from heatmap_research.types import Prediction, Sample

pytestmark = pytest.mark.golden

FILE = "D_metrics"
COCO_SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1e3
TAKEN = 20  # HRNet's soft NMS takes no more


def array(case: Case, name: str) -> np.ndarray:
    return case[name].numpy()


def people(case: Case) -> People:
    column = {name: array(case, f"oks.{{set}}.gt_{name}") for name in ("image", "keypoints")}
    areas, boxes = (array(case, f"oks.{{set}}.gt_{name}") for name in ("area", "bbox_xywh"))
    return People(**column, areas=areas, boxes=boxes, crowd=np.zeros(len(areas), dtype=bool))


def found(case: Case) -> Found:
    image, points, score = (
        array(case, f"oks.{{set}}.dt_{name}") for name in ("image", "keypoints", "score")
    )
    return Found(image, points[..., :2], score)


@published(FILE, "oks.{set}.matrix_img{image}")
def test_metrics_oks_is_pycocotools(case: Case) -> None:
    there = people(case).rows(array(case, "oks.{set}.gt_image") == int(case.image))
    seen = found(case).rows(array(case, "oks.{set}.dt_image") == int(case.image))
    seen = seen.rows(oks.best_first(seen.scores))
    columns = (seen.keypoints, there.keypoints, there.areas, there.boxes)
    case.check(torch.from_numpy(similarities(*columns, array(case, "oks.{set}.sigmas"))))


@published(FILE, "oks.{set}.coco_stats")
def test_metrics_average_precision_is_pycocotools(case: Case) -> None:
    sigmas = array(case, "oks.{set}.sigmas")
    figures = average_precision.evaluate(people(case), found(case), sigmas)
    ours = torch.tensor([figures[name] for name in OFFICIAL], dtype=torch.float64)
    case.check(ours.nan_to_num(-1))  # theirs where there is nothing to count


def seen_by(code: str, seen: np.ndarray) -> np.ndarray:
    """Which joints count: HRNet asks the second pose only, so that its matrix is not symmetric."""
    return seen[None] if code == "hrnet" else seen[None] & seen[:, None]


def alike(case: Case, code: str, least: str = "None") -> np.ndarray:
    poses = array(case, "nms.keypoints")
    counted = None if least == "None" else seen_by(code, poses[..., 2] > float(least))
    return oks.between(poses[..., :2], array(case, "nms.area"), COCO_SIGMAS, counted)


@published(FILE, "nms.{code:hrnet|mmpose}_oks_iou.vis{least:.+}")
def test_metrics_oks_between_predictions(case: Case) -> None:
    case.check(torch.from_numpy(alike(case, case.code, case.least)))
    ours = alike(case, "mmpose", case.least)
    assert (ours == ours.T).all()


@published(FILE, "nms.{code:hrnet|mmpose}_oks_nms.thr{threshold:[0-9.]+}.vis{least:.+}")
def test_metrics_oks_nms(case: Case) -> None:
    similar = alike(case, case.code, case.least)
    case.check(torch.from_numpy(oks.nms(similar, array(case, "nms.score"), float(case.threshold))))


@published(
    FILE,
    "nms.{code:hrnet|mmpose}_soft_oks_nms.thr{threshold:0[.][0-9]+}",
    "nms.{code:hrnet|mmpose}_soft_oks_nms.thr{threshold:0[.][0-9]+}.max{most}",
)
def test_metrics_soft_oks_nms_gives_only_an_order(case: Case) -> None:
    """Published results keep the scores they had; ours are lowered."""
    scores, most = array(case, "nms.score"), int(case.fields.get("most", TAKEN))
    order, lowered = oks.soft_nms(alike(case, case.code), scores, float(case.threshold), most)
    case.check(torch.from_numpy(order))
    assert (lowered <= scores[order]).all()
    assert (lowered < scores[order]).any()
    assert (np.diff(lowered) <= 0).all()


def measured(metric: Metric, case: Case, unit: Tensor | float = 1.0) -> Metric:
    """Updates a metric with the stored points, divided along each axis by a unit."""
    points, truth, mask = (case[f"pck.{name}"] for name in ("pred", "gt", "mask"))
    head = case["pck.head_size"][:, 0]
    people = len(points)
    batch = Sample(
        image=torch.zeros(people, 1, 2, 2, dtype=torch.uint8),
        keypoints=truth / unit,
        visible=2 * mask.long(),
        to_source=torch.eye(2, 3).repeat(people, 1, 1),
        scale=torch.ones(people),
        image_id=torch.arange(people),
        instance_id=torch.arange(people),
        box=torch.zeros(people, 4),
        box_score=torch.ones(people),
        head=head,
        overlap=torch.zeros(people),
    )
    metric.update(Prediction(points / unit, torch.ones_like(mask, dtype=torch.float32)), batch)
    return metric


def without_size(case: Case, name: str) -> Tensor:
    """The sides of the boxes, by which mmpose divides each axis; NaN where there is none."""
    sides = case[f"pck.{name}_size"]
    return torch.where(sides > 0, sides, torch.nan)[:, None]


def names(case: Case) -> list[str]:
    return [str(joint) for joint in range(case["pck.gt"].shape[1])]


def pck(case: Case, thresholds: list[float], size: str, average: str = "joints") -> Pck:
    return Pck("PCK", thresholds, names(case), size, None, [], average)


@published(FILE, "pck.{norm:bbox|head}.thr{threshold:[0-9.]+}.{what:mean|per_keypoint}")
def test_metrics_pck_is_mmposes_mean_of_joints(case: Case) -> None:
    threshold = float(case.threshold)
    if case.norm == "head":
        metric = measured(pck(case, [threshold], "head"), case)
    else:
        metric = measured(pck(case, [threshold], "pixel"), case, without_size(case, "bbox"))
        known = (case["pck.bbox_size"] > 0).all(-1)
        metric.count = (case["pck.mask"] & known[:, None]).sum(0).double()
    shares = metric.per_joint()[0]
    if case.what == "per_keypoint":
        case.check(shares.nan_to_num(-1))
    else:
        (mean,) = metric.compute().values()
        case.check(torch.stack([mean, (~shares.isnan()).sum()]))


@published(FILE, "pck.nme.{norm:bbox|head}")
def test_metrics_nme_is_mmposes(case: Case) -> None:
    if case.norm == "head":
        ours = measured(Nme(names(case), "head", None, [], "points"), case).compute()
    else:
        keep = (case["pck.bbox_size"] > 0).all(-1)
        sides = torch.where(keep[:, None], case["pck.bbox_size"], torch.inf)[:, None]
        metric = measured(Nme(names(case), "pixel", None, [], "points"), case, sides)
        ours = metric.total.sum() / (case["pck.mask"] & keep[:, None]).sum()
    case.check(ours)


@published(FILE, "pck.epe")
def test_metrics_mean_pixel_error_is_mmposes(case: Case) -> None:
    case.check(measured(PixelError("labelled"), case).compute())


@published(FILE, "pck.auc.norm{size}.n{steps}")
def test_metrics_auc_is_mmposes_sum_of_steps(case: Case) -> None:
    """With 0 among the thresholds and without 1; the exact area is larger by half a step or so.

    At 0 theirs has no point, not even one that is predicted exactly: it counts what is nearer.
    """
    size, steps = float(case.size), int(case.steps)
    thresholds = [step / steps * size for step in range(1, steps)]
    shares = measured(pck(case, thresholds, "pixel"), case).means()
    case.check(shares.sum() / steps)
    exact = measured(Auc(size, names(case), "pixel", None, [], "joints"), case).compute()
    assert 0 < exact - shares.sum() / steps < 1 / steps


GROUPS = {  # MPII's joints, right and left
    "Head": (9, 9),
    "Shoulder": (12, 13),
    "Elbow": (11, 14),
    "Wrist": (10, 15),
    "Hip": (2, 3),
    "Knee": (1, 4),
    "Ankle": (0, 5),
}
BETWEEN = ["6", "7"]  # pelvis and thorax


@published(FILE, "pck.mpii_pckh")
def test_metrics_pckh_is_mpiis(case: Case) -> None:
    """A joint nobody has is -1 in theirs, and taken into the mean of its pair; -100 in per cent."""
    metric = Pck("PCKh", [0.5, 0.1], names(case), "head", None, BETWEEN, "points")
    metric = measured(metric, case)
    shares = metric.per_joint()[0].nan_to_num(-1)
    groups = [shares[list(pair)].mean() for pair in GROUPS.values()]
    ours = metric.compute()
    case.check(100 * torch.stack([*groups, *ours.values()]))
    assert list(ours) == ["PCKh@0.5", "PCKh@0.1"]


def test_metrics_hrnet_calls_a_threshold_of_011_a_tenth() -> None:
    """Its thresholds are 0, .01, ... and it reads number 11."""
    thresholds = np.arange(0, 0.5 + 0.01, 0.01)
    assert thresholds[11] == pytest.approx(0.11)
    assert thresholds[10] == pytest.approx(0.1)
