"""Scores against what they promise, on cases small enough to be worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from heatmap_research.analysis.error_budget.calibration import reliability, risk


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


def test_intervals_hold_mean_score_and_share_of_right_points():
    curve = reliability(array(0.1, 0.3, 0.6, 0.9, 1.0), np.array([0, 1, 1, 1, 0], bool), 2)
    np.testing.assert_allclose(curve.score, [0.2, 2.5 / 3])
    np.testing.assert_allclose(curve.rate, [0.5, 2 / 3])
    assert curve.count.tolist() == [2, 3]
    assert curve.ece == pytest.approx((2 * 0.3 + 3 * (2.5 / 3 - 2 / 3)) / 5)


def test_an_interval_without_points_has_no_row():
    curve = reliability(array(0.05, 0.95), np.array([False, True]))
    assert curve.count.tolist() == [1, 1]
    assert curve.ece == pytest.approx(0.05)


def test_a_score_at_an_edge_belongs_to_the_interval_above_and_one_to_the_last():
    curve = reliability(array(0.5, 1.0), np.array([True, False]), 2)
    assert curve.count.tolist() == [2]


def test_scores_that_are_probabilities_are_calibrated():
    draws = np.random.default_rng(0)
    scores = draws.random(200_000)
    assert reliability(scores, draws.random(200_000) < scores).ece < 0.005
    assert reliability(scores, draws.random(200_000) < scores**2).ece == pytest.approx(1 / 6, 0.03)


def test_risk_is_the_mean_loss_of_the_surest():
    curve = risk(array(0.9, 0.5, 0.7), array(1, 6, 2))
    np.testing.assert_allclose(curve.coverage, [1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(curve.risk, [1, 1.5, 3])
    assert curve.aurc == pytest.approx(5.5 / 3)
    assert curve.excess == pytest.approx(0)


def test_the_excess_is_what_a_wrong_order_costs():
    curve = risk(array(0.1, 0.9), array(0, 2))  # kept first: 2, then the mean of both: 1
    assert curve.aurc == pytest.approx(1.5)
    assert curve.excess == pytest.approx(1.5 - (0 + 1) / 2)


def test_equal_scores_count_as_the_mean_of_all_orders():
    losses = array(0, 3, 6)
    orders = [(0, 3, 6), (0, 6, 3), (3, 0, 6), (3, 6, 0), (6, 0, 3), (6, 3, 0)]
    expected = np.mean([np.mean(np.cumsum(order) / [1, 2, 3]) for order in orders])
    assert risk(array(1, 1, 1), losses).aurc == pytest.approx(expected)


@given(arrays(float, 7, elements=st.floats(0, 1)), arrays(float, 7, elements=st.floats(0, 9)))
def test_no_order_beats_that_of_the_losses_and_all_end_at_the_mean(scores, losses):
    curve = risk(scores, losses)
    assert curve.excess > -1e-9
    assert curve.risk[-1] == pytest.approx(losses.mean())
