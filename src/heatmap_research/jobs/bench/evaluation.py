"""The rows of evaluation: AP of as many people as COCO's val2017 has, and what a run writes."""

import contextlib
import io
import tempfile
import warnings
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import torch

from heatmap_research.data.annotations import Annotations
from heatmap_research.jobs.bench.timing import Row
from heatmap_research.metrics import average_precision, pycocotools_ap
from heatmap_research.metrics.average_precision import Found, People
from heatmap_research.metrics.coco_ap import CocoAp
from heatmap_research.runs.store import KEYS, PREDICTIONS, RunStore

IMAGES, PEOPLE, BOXES = 5000, 11_004, 104_125  # val2017, and a usual file of detected boxes
ROWS = 1_000_000  # of predictions.parquet
SIGMAS = np.array([0.026, *[0.025] * 2, *[0.035] * 2, *[0.079] * 2, *[0.072] * 2])
SIGMAS = np.concatenate([SIGMAS, np.repeat([0.062, 0.107, 0.087, 0.089], 2)])
FLOOR = "AP, pycocotools"
JOINTS = len(SIGMAS)


@contextlib.contextmanager
def rows(share: float = 1.0) -> Iterator[list[Row]]:
    """What an evaluation does at its end; a smaller share of it is for tests."""
    people, found = crowd(share)
    table = predicted(int(share * ROWS))
    with tempfile.TemporaryDirectory() as folder:
        store, plain = RunStore(Path(folder)), Path(folder, "plain.npz")
        columns = {name: table[name].to_numpy() for name in PREDICTIONS.names[5:]}

        def written() -> None:
            store.predictions.unlink(missing_ok=True)
            store.write_predictions(table)

        yield [
            Row(FLOOR, lambda: pycocotools_ap.evaluate(people, found, SIGMAS), FLOOR),
            Row("AP, ours", lambda: average_precision.evaluate(people, found, SIGMAS), FLOOR, 0.2),
            *_hotcoco(people, found),
            Row("OKS-NMS and three AP, as metric=coco_ap", lambda: _metric(people, found), FLOOR),
            Row("numbers by NumPy's savez", lambda: np.savez(plain, **columns), SAVED, None, ROWS),
            Row("predictions.parquet", written, SAVED, None, ROWS),
        ]


SAVED = "numbers by NumPy's savez"


def crowd(share: float) -> tuple[People, Found]:
    """People in images of 640x480, and boxes of which as many as there are people are near one."""
    random = np.random.default_rng(0)
    images, people, boxes = (int(share * count) for count in (IMAGES, PEOPLE, BOXES))
    image = np.sort(random.integers(images, size=people))
    sides = random.uniform(40, 300, (people, 2))
    corners = random.uniform(0, (640, 480), (people, 2))
    points = corners[:, None] + random.uniform(0, 1, (people, JOINTS, 2)) * sides[:, None]
    marks = random.integers(0, 3, (people, JOINTS, 1))
    truth = People(
        image,
        np.concatenate([points, marks], -1),
        sides.prod(1) / 2,
        np.concatenate([corners, sides], 1),
        random.random(people) < 0.01,
    )
    like = random.integers(people, size=boxes)  # the person that a box is of, or is drawn from
    near = np.where(random.random(boxes) < people / boxes, 0.02, 0.5)
    noise = random.normal(0, 1, (boxes, JOINTS, 2)) * (near[:, None] * sides[like])[:, None]
    return truth, Found(image[like], points[like] + noise, random.random(boxes))


def predicted(count: int) -> pa.Table:
    """A table of predictions with so many rows, each of a joint of its own."""
    random = np.random.default_rng(0)
    number = np.arange(count)
    keys = (np.full(count, "test"), number // JOINTS, number // JOINTS, number % JOINTS)
    columns = dict(zip(KEYS, (*keys, np.full(count, "dark"), np.zeros(count, bool)), strict=True))
    rest = {name: random.random(count, np.float32) for name in PREDICTIONS.names[len(KEYS) :]}
    rest["visible"] = np.full(count, 2)
    return pa.table({**columns, **rest}).cast(PREDICTIONS)


def _hotcoco(people: People, found: Found) -> Iterator[Row]:
    """Another's engine with pycocotools' interface, where it is installed."""
    if not find_spec("hotcoco"):
        return
    hotcoco: Any = import_module("hotcoco")

    def evaluate() -> None:
        truths = hotcoco.COCO(pycocotools_ap.dataset(people, found))
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = hotcoco.COCOeval(
                truths, truths.load_res(found.results(category=1)), "keypoints"
            )
            evaluation.params.kpt_oks_sigmas = SIGMAS.tolist()
            evaluation.run()

    yield Row("AP, hotcoco", evaluate, FLOOR)


def _metric(people: People, found: Found) -> dict[str, torch.Tensor]:
    """All figures of the boxes, as the metric has them once its last batch has come."""
    images = np.unique(people.image)
    metric = CocoAp(SIGMAS.tolist(), "fast", "oks", 0.9, 0.2)
    metric.truth = cast(
        Annotations,
        SimpleNamespace(
            image_ids=images,
            images=np.searchsorted(images, people.image),
            **{name: getattr(people, name) for name in ("keypoints", "areas", "boxes", "crowd")},
        ),
    )
    numbers = [np.arange(len(found.image)), found.image.astype(np.int64)]
    columns = [*(n.view(np.float64) for n in numbers), *[found.scores] * 2, found.areas]
    rows = np.column_stack([*columns, found.keypoints.reshape(len(found.image), -1)])
    metric.rows.append(torch.from_numpy(rows).flatten())
    with warnings.catch_warnings(action="ignore"):  # that no batch came through `update`
        return metric.compute()
