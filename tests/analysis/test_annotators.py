"""The distance of people who mark the same joint, against marks drawn as OKS has them."""

import math

import numpy as np
import pytest

from heatmap_research.analysis.theory.annotators import annotators

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
