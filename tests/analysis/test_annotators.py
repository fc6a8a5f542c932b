"""The distance of people who mark the same joint, against marks drawn as OKS has them."""

import math

import numpy as np
import pyarrow as pa
import pytest

from heatmap_research.analysis.page.sections import setup
from heatmap_research.analysis.theory.annotators import annotators
from heatmap_research.runs.find import Run
from heatmap_research.runs.store import PREDICTIONS, RunStore

TOLERANCES = np.array([0.026, 0.107])  # of a nose and a hip


def test_it_is_the_distance_of_marks_that_are_drawn_so():
    rng = np.random.default_rng(0)
    scale, unit = np.array([60.0, 140.0, 90.0]), np.array([[2.0, 2.0], [4.0, 4.0], [1.0, 2.0]])
    labelled = np.array([[True, True], [True, False], [False, True]])
    spread = scale[:, None, None] * TOLERANCES[:, None] / math.sqrt(2) / unit[:, None]
    marks = rng.normal(0, 1, (200_000, 3, 2, 2)) * spread  # crop pixels
    away = np.hypot(*np.moveaxis(marks, -1, 0))[:, labelled]
    known = annotators(TOLERANCES, scale, unit, labelled)
    assert known.rms == pytest.approx(math.sqrt((away**2).mean()), rel=3e-3)
    alike = labelled & (unit[:, :1] == unit[:, 1:])  # the mean's form is of equal axes
    known = annotators(TOLERANCES, scale, unit, alike)
    away = np.hypot(*np.moveaxis(marks, -1, 0))[:, alike]
    assert known.mean == pytest.approx(away.mean(), rel=3e-3)


def test_one_nose_by_hand():
    one = annotators(TOLERANCES[:1], np.array([100.0]), np.full((1, 2), 2.0), np.ones((1, 1), bool))
    assert one.rms == pytest.approx(1.3)  # .026 x 100 source pixels, two of them a crop pixel
    assert one.mean == pytest.approx(1.3 * 0.886227)
    assert str(one).startswith("People who mark these joints differ by 1.3 px (rms; ")


def test_nothing_is_known_of_joints_that_nobody_labelled():
    none = np.zeros((1, 2), bool)
    assert annotators(TOLERANCES, np.ones(1), np.ones((1, 2)), none) is None


def test_a_page_says_it_of_labelled_data_and_of_no_drawn_ones(tmp_path):
    """A person of 100 source pixels, two of them a crop pixel, whose nose alone is labelled."""
    columns = {name: np.zeros(2) for name in PREDICTIONS.names}
    columns |= {"stage": ["test"] * 2, "decoder": ["dark"] * 2, "flip_test": np.zeros(2, bool)}
    columns |= {"joint": np.arange(2), "visible": np.array([2, 0]), "scale": np.full(2, 100.0)}
    for axis in "xy":
        true = np.array([10.0, 40.0])
        columns |= {f"{axis}_true": true, axis: true + 3}
        columns |= {f"{axis}_true_source": 2 * true + 7, f"{axis}_source": 2 * (true + 3) + 7}
    RunStore(tmp_path).write_predictions(pa.table(columns).cast(PREDICTIONS))
    config = {"image_size": [64, 64], "tolerances": TOLERANCES.tolist()}
    labelled = config | {"data": {"test": {"annotations": "people.json"}}}
    record = {"choices": {}, "decoders": ["dark"]}
    said = setup._people(Run(tmp_path, record | {"config": labelled}))
    assert said.startswith("64 x 64: People who mark these joints differ by 1.3 px (rms; ")
    drawn = config | {"data": {"test": {"pool": 9}}}
    assert setup._people(Run(tmp_path, record | {"config": drawn})) is None
    assert setup._people(Run(tmp_path / "gone", record | {"config": labelled})) is None
