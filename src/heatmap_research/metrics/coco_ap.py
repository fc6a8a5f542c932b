from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from heatmap_research.codec import geometry
from heatmap_research.data.annotations import Annotations
from heatmap_research.metrics import average_precision, oks, pycocotools_ap
from heatmap_research.metrics.average_precision import MAX_DETECTIONS, OFFICIAL, Found, People
from heatmap_research.types import IncompatibleError, PerJoint, Prediction, Sample, Tensor

ENGINES = {"fast": average_precision.evaluate, "pycocotools": pycocotools_ap.evaluate}
NMS = ("none", "oks", "soft")
NUMBERS = ("instance", "image")  # int64, carried as the bits of float64
FACTS = ("score", "box_score", "crop_area")


class CocoAp(Metric):
    """COCO's ten figures and three more, for everyone in `truth`; each instance counts once.

    A person's score is the box's times the mean score of the joints above a threshold.
    AP_box_score ranks the same people by the box's score alone, AP_oracle by their true OKS; both
    are reckoned here, whatever the engine.
    """

    full_state_update = False
    higher_is_better = True
    figures = (*OFFICIAL, "AP95", "AP_box_score", "AP_oracle")
    truth: Annotations | None = None  # None: only those predicted exist, each in its own image
    scored: Found | None = None  # the people of the last figures, as a result file has them
    rows: list[Tensor]

    def __init__(
        self,
        tolerances: Sequence[float],
        engine: str,
        nms: str,
        nms_threshold: float,
        keypoint_threshold: float,
    ) -> None:
        super().__init__()
        for key, value, known in (("engine", engine, ENGINES), ("nms", nms, NMS)):
            if value not in known:
                raise ValueError(f"metric.coco_ap.{key}={value}: choose {', '.join(known)}.")
        self.sigmas = np.array(tolerances, dtype=np.float64)
        self.evaluate, self.nms = ENGINES[engine], nms
        self.nms_threshold, self.keypoint_threshold = nms_threshold, keypoint_threshold
        self.add_state("rows", [], dist_reduce_fx="cat")
        self._begin()

    def reset(self) -> None:
        super().reset()
        self._begin()

    def update(self, prediction: Prediction, batch: Sample) -> None:
        scores = of_person(prediction.score, self.keypoint_threshold)
        to_source = batch.to_source.double()
        height, width = batch.image.shape[-2:]
        columns = [
            *(n.long()[:, None].view(torch.float64) for n in (batch.instance_id, batch.image_id)),
            (scores * batch.box_score)[:, None],
            batch.box_score[:, None],
            (magnified(to_source) * (height * width))[:, None],
            geometry.apply(to_source, prediction.keypoints.double()).flatten(1),
        ]
        if self.truth is None:
            truth = geometry.apply(to_source, batch.keypoints.double())
            truth = torch.cat([truth, batch.visible[..., None]], dim=-1)
            columns += [truth.flatten(1), batch.scale[:, None].double() ** 2, batch.box]
        self.rows.append(torch.cat([column.double() for column in columns], dim=-1).flatten())

    def compute(self) -> dict[str, Tensor]:
        table = self._table()
        self.scored, kept = self._kept(table)
        alone = self.truth is None
        found = self.scored._replace(image=table["instance" if alone else "image"][kept])
        people = average_precision.in_order(self._people(table))
        alike = average_precision.compared(people, found, self.sigmas)
        figures = self.evaluate(people, found, self.sigmas, alike)
        true = average_precision.true_oks(people, found, self.sigmas, alike)
        for name, scores in (("AP_box_score", table["box_score"][kept]), ("AP_oracle", true)):
            ranked = found._replace(scores=scores)
            figures[name] = average_precision.of_all_sizes(people, ranked, self.sigmas, alike)
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in figures.items()}

    def _begin(self) -> None:
        """Gathering needs a state of the same kind even from a process that sees no sample."""
        self.rows.append(torch.zeros(0, dtype=torch.float64, device=self.device))

    def _table(self) -> dict[str, np.ndarray]:
        """A row for each instance, so that figures do not depend on which process saw which."""
        joints = len(self.sigmas)
        widths = dict.fromkeys((*NUMBERS, *FACTS), 1) | {"keypoints": joints * 2}
        if self.truth is None:
            widths |= {"truth": joints * 3, "area": 1, "box": 4}
        rows = dim_zero_cat(self.rows).cpu().numpy()
        rows = rows.reshape(-1, sum(widths.values()))
        columns = np.split(rows, np.cumsum(list(widths.values()))[:-1], axis=1)
        table = {
            name: column[:, 0] if widths[name] == 1 else column
            for name, column in zip(widths, columns, strict=True)
        }
        table |= {name: np.ascontiguousarray(table[name]).view(np.int64) for name in NUMBERS}
        _, first = np.unique(table["instance"], return_index=True)
        return {name: column[first] for name, column in table.items()}

    def _kept(self, table: dict[str, np.ndarray]) -> tuple[Found, np.ndarray]:
        """The people that NMS leaves, and their rows in the table."""
        poses = table["keypoints"].reshape(-1, len(self.sigmas), 2)
        everyone = Found(table["image"], poses, table["score"].copy())
        kept = [np.zeros(0, dtype=np.int64)]
        for rows in _by_image(table["image"]):
            order, scores = self._suppressed(everyone.rows(rows), table["crop_area"][rows])
            kept.append(rows[order])
            everyone.scores[rows[order]] = scores
        index = np.sort(np.concatenate(kept))
        return everyone.rows(index), index

    def _suppressed(self, found: Found, areas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which people of an image are kept, and their scores."""
        if self.nms == "none":
            return np.arange(len(areas)), found.scores
        alike = oks.between(found.keypoints, areas, self.sigmas)
        if self.nms == "soft":
            return oks.soft_nms(alike, found.scores, self.nms_threshold, MAX_DETECTIONS)
        order = oks.nms(alike, found.scores, self.nms_threshold)
        return order, found.scores[order]

    def _people(self, table: dict[str, np.ndarray]) -> People:
        if self.truth is None:
            points = table["truth"].reshape(-1, len(self.sigmas), 3)
            crowd = np.zeros(len(points), dtype=bool)
            return People(table["instance"], points, table["area"], table["box"], crowd)
        truth = self.truth
        if (joints := truth.keypoints.shape[1]) != len(self.sigmas):
            raise IncompatibleError(
                f"metric.coco_ap.tolerances has {len(self.sigmas)} OKS sigmas, but {truth.file} "
                f"has {joints} joints."
            )
        images = truth.image_ids[truth.images]
        return People(images, truth.keypoints, truth.areas, truth.boxes, truth.crowd)


def of_person(score: PerJoint, threshold: float) -> Tensor:
    """The mean score of the joints above a threshold; 0 if there is none."""
    kept = score > threshold
    return torch.where(kept, score.double(), 0).sum(-1) / kept.sum(-1).clamp(min=1)


def magnified(to_source: Tensor) -> Tensor:
    """The area of one crop pixel in the source image, in square pixels."""
    (a, b), (c, d) = (row.unbind(-1) for row in to_source[..., :2].unbind(-2))
    return (a * d - b * c).abs()


def _by_image(images: np.ndarray) -> Iterator[np.ndarray]:
    order = np.argsort(images, kind="stable")
    starts = np.flatnonzero(np.diff(images[order])) + 1
    yield from np.split(order, starts)
