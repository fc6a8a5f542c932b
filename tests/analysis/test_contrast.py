"""Contrasts against sums worked out by hand, and against simulations whose truth is planted."""

import sys
from itertools import product as combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from pairwise import each

from heatmap_research.analysis.comparison.contrast import weights
from heatmap_research.analysis.comparison.contrast.answer import linearised
from heatmap_research.analysis.comparison.contrast.curves import Exponent
from heatmap_research.analysis.comparison.contrast.factors import Factors
from heatmap_research.analysis.comparison.contrast.product import Product
from heatmap_research.analysis.comparison.contrast.share import Share
from heatmap_research.analysis.comparison.verdict.settings import Group

sys.path.append(str(Path(__file__).parents[2] / "experiments" / "statistics"))
from contrasts import PLANTED, curve, measured, shift

LAYOUTS = {"layout": ("2-D", "1-D"), "density": ("local", "dense"), "stride": ("4", "2", "1")}
TABLES = 150


def factors(levels: dict[str, tuple[str, ...]], without=()) -> Factors:
    places = combinations(*(range(len(each)) for each in levels.values()))
    cells = {place: (Group("", (), {}), "best") for place in places}
    return Factors(levels, {p: c for p, c in cells.items() if p not in without})


def test_a_difference_is_the_mean_of_what_is_added_less_that_of_what_is_taken_away():
    given = weights.weights("a + b - c", "head", ["a", "b", "c", "d"])
    assert given.tolist() == [0.5, 0.5, -1, 0]
    assert weights.weights("1/2 - 2.0", "stride", ["2", "0.5"]).tolist() == [-1, 1]
    assert weights.weights({"a": 1, "b": -2}, "head", ["b", "a"]).tolist() == [-2, 1]
    assert weights.weights(64, "image_size", ["32,32", "64,64"]).tolist() == [0, 1]


def test_a_slope_is_that_of_least_squares():
    levels = ["1", "2", "4", "8"]
    values = np.array([3.0, 1.0, 4.0, 1.5])
    per_doubling = np.polyfit([0, 1, 2, 3], values, 1)[0]
    assert weights.weights("per doubling", "stride", levels) @ values == pytest.approx(per_doubling)
    shares = ["0", "0.1", "0.3"]
    slope = 0.1 * np.polyfit([0, 0.1, 0.3], values[:3], 1)[0]
    assert weights.weights("per 0.1", "occlusion", shares) @ values[:3] == pytest.approx(slope)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("simcc - nothing", "no run has head=nothing, but simcc, ce_2d"),
        ("per doubling", "simcc is no number"),
    ],
)
def test_a_level_that_no_run_has_is_refused_in_words(spec, told):
    with pytest.raises(ValueError, match=told):
        weights.weights(spec, "head", ["simcc", "ce_2d"])


SIZES = ["32,32", "64,48", "64,64"]


@pytest.mark.parametrize(
    ("spec", "by_hand"),
    [
        ("[32,32] - [64, 64]", [1, 0, -1]),
        ([64, 48], [0, 1, 0]),
        ("[64,64]", [0, 0, 1]),
        ({"[32, 32]": 1, "64,48": -2}, [1, -2, 0]),
        ("32 - [64,48]", [1, -1, 0]),
    ],
)
def test_a_size_is_a_level_as_a_list_or_by_its_height(spec, by_hand):
    assert weights.weights(spec, "image_size", SIZES).tolist() == by_hand


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("[64,32]", "no run has image_size=64,32, but 32,32, 64,48, 64,64"),
        ("64", r"image_size=64 may be \[64,48\] and \[64,64\]: name both sides"),
    ],
)
def test_a_size_is_taken_for_no_other_of_its_height(spec, told):
    with pytest.raises(ValueError, match=told):
        weights.weights(spec, "image_size", SIZES)


def test_an_interaction_of_two_by_two_is_a_difference_of_differences():
    """(dense 1-D - local 1-D) - (dense 2-D - local 2-D), at each stride alike."""
    table = factors(LAYOUTS)
    rows = Product({"layout": "1-D - 2-D", "density": "dense - local"}).rows(table)
    expected = np.zeros((2, 2, 3))
    expected[1, 1] = expected[0, 0] = 1 / 3
    expected[1, 0] = expected[0, 1] = -1 / 3
    np.testing.assert_allclose(rows[0], expected)


def test_cells_are_averaged_over_what_has_all_that_counts():
    """Stride 1 lacks a dense 2-D cell, which a difference of layouts does without nowhere."""
    table = factors(LAYOUTS, without={(0, 1, 2)})
    rows = Product({"layout": "1-D - 2-D", "density": "dense"}).rows(table)
    expected = np.zeros((2, 2, 3))
    expected[1, 1, :2], expected[0, 1, :2] = 0.5, -0.5
    np.testing.assert_allclose(rows[0], expected)
    lacking = factors({"layout": ("2-D", "1-D")}, without={(1,)})
    with pytest.raises(weights.NoRunsError, match="no runs of layout=1-D"):
        Product({"layout": "1-D - 2-D"}).rows(lacking)


def test_shares_of_three_steps_are_those_of_shapley_and_add_up():
    """A game worked out by hand: a alone 6, b alone 12, a and b 30; c adds 3 wherever it comes."""
    levels = {name: ("no", "yes") for name in "abc"}
    worth = np.zeros((2, 2, 2))
    worth[1, 0], worth[0, 1], worth[1, 1] = 6, 12, 30
    worth[..., 1] += 3
    chain = dict.fromkeys("abc", "no -> yes")
    shares = {}
    for step in chain:
        for relative in (False, True):
            share = Share(chain, step, relative)
            sums = (share.rows(factors(levels)) * worth).sum((1, 2, 3))
            shares[step, relative] = float(share.of(torch.tensor(sums)))
    assert [shares[step, False] for step in "abc"] == pytest.approx([12, 18, 3])
    assert sum(shares[step, True] for step in "abc") == pytest.approx(100)


def test_of_a_chain_of_cells_each_step_is_the_difference_of_its_ends():
    levels = {name: ("no", "yes") for name in "ab"}
    table = factors(levels, without={(0, 1)})
    rows = Share(dict.fromkeys("ab", "no -> yes"), "b").rows(table)
    assert rows[0].tolist() == [[0, 0], [-1, 1]]
    with pytest.raises(ValueError, match="no order of a, b has runs all the way"):
        Share(dict.fromkeys("ab", "no -> yes"), "b").rows(factors(levels, without={(0, 1), (1, 0)}))


def test_a_chain_is_refused_that_lacks_its_step_or_an_arrow():
    with pytest.raises(ValueError, match="of_step=c is none of the chain's: a"):
        Share({"a": "1 -> 2"}, "c")
    with pytest.raises(ValueError, match="FROM -> TO, not 1 - 2"):
        Share({"a": "1 - 2"}, "a")


def test_a_curve_that_needs_three_times_the_budget_is_so_far_behind():
    means = np.concatenate([curve(3**0.7), curve(1)])
    assert linearised(shift(), means)[0] == pytest.approx(np.log2(3))
    assert linearised(shift("drift"), means)[0] == pytest.approx(0, abs=1e-9)


def test_a_shift_that_grows_drifts():
    """Budgets for an error e: fast e^-1, slow e^-2, so each halving adds a doubling."""
    means = np.concatenate([curve(30, 0.5), curve(300, 1.0)])
    assert linearised(shift("drift"), means)[0] == pytest.approx(1)


def test_curves_without_an_error_in_common_are_refused():
    with pytest.raises(ValueError, match="no error in common"):
        linearised(shift(), np.concatenate([curve(100), curve(1)]))


def test_a_rise_on_the_way_down_does_not_count():
    """Two straight lines of log2 errors, the slow one a doubling behind, once with a bump."""
    fast, straight, bumped = [3, 2, 1, 0], [4, 3, 2, 1], [4, 1.0, 3, 0.5]
    assert linearised(shift(), 2.0 ** np.array(straight + fast))[0] == pytest.approx(1)
    errors = np.linspace(0.5, 3, 33)
    by_hand = np.where(errors >= 1, (4 - errors) / 3, 2 + (3 - errors) / 2.5) - (3 - errors)
    found = linearised(shift(), 2.0 ** np.array(bumped + fast))[0]
    assert found == pytest.approx(by_hand.mean())


def test_an_exponent_counts_halvings_a_doubling():
    exponent = Exponent((250, 1000), {"arm": "a"})
    assert linearised(exponent, np.array([4.0, 1.0]))[0] == pytest.approx(1)
    rows = exponent.rows(factors({"arm": ("a", "b"), "trainer.max_steps": ("250", "1000")}))
    assert rows.tolist() == [[[1, 0], [0, 0]], [[0, 1], [0, 0]]]


@pytest.mark.parametrize("contrast", [shift(), shift("drift")])
def test_slopes_are_those_of_small_steps(contrast):
    means = np.concatenate([curve(3, 0.6), curve(2.2, 0.65) + 0.001])
    _, slopes = linearised(contrast, means)
    step = 1e-7
    for place, slope in enumerate(slopes):
        moved = [means + side * step * np.eye(len(means))[place] for side in (1, -1)]
        numeric = np.subtract(*(linearised(contrast, each)[0] for each in moved)) / (2 * step)
        assert slope == pytest.approx(numeric, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", PLANTED)
@each(seeds=[3, 5])
def test_intervals_cover_a_planted_truth(name, seeds):
    """Four standard errors of 150 tables at 95 % are 7 %; experiments/statistics has thousands."""
    covered, told_apart = measured(PLANTED[name], seeds, TABLES)
    assert covered >= 0.88
    if PLANTED[name].truth == 0:
        assert told_apart <= 0.12
