"""Against simulations whose truth is known, other libraries, and figures worked out by hand."""

import math
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from pairwise import each

from heatmap_research.analysis.comparison.statistics import bootstrap, student, two_way, weighted_ap
from heatmap_research.analysis.comparison.statistics.families import holm
from heatmap_research.analysis.comparison.statistics.interval import (
    BOTH,
    IMAGES,
    ONE_IMAGE,
    ONE_SEED,
    SEEDS,
    Interval,
)
from heatmap_research.analysis.comparison.statistics.planning import detectable, seeds_needed
from heatmap_research.metrics import average_precision
from heatmap_research.metrics.average_precision import Found, People

sys.path.append(str(Path(__file__).parents[2] / "experiments" / "statistics"))
import resampling
from simulation import World

SIGMAS = np.array([0.05, 0.08, 0.1])
FREEDOMS = (1.0, 1.7, 2.0, 4.5, 30.0, 4999.0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("freedom", FREEDOMS)
def test_the_tail_of_student_t_is_the_area_under_its_density(freedom):
    scale = math.exp(math.lgamma(freedom / 2 + 0.5) - math.lgamma(freedom / 2))

    def density(t: float) -> float:
        falls = math.exp(-(freedom + 1) / 2 * math.log1p(t**2 / freedom))
        return scale / math.sqrt(math.pi * freedom) * falls

    for t in (-3.0, 0.0, 0.5, 2.5, 7.0, 20.0):
        area, _ = scipy.integrate.quad(density, t, np.inf, epsabs=0, epsrel=1e-11, limit=200)
        assert student.above(t, freedom) == pytest.approx(area, rel=1e-9)
    for share in (0.6, 0.9, 0.975, 0.9995):
        limit = student.quantile(share, freedom)
        assert student.above(limit, freedom) == pytest.approx(1 - share, rel=1e-9)


def test_the_far_tail_of_two_degrees_of_freedom_is_exact():
    """Integrated by hand: with s = sqrt(2 + t^2) it is 1 / (s (s + t))."""
    t = np.array([0.5, 7.0, 40.0, 1e4, 1e8])
    s = np.sqrt(2 + t**2)
    np.testing.assert_allclose(student.above(t, 2.0), 1 / (s * (s + t)), rtol=1e-12)


def test_the_freedom_of_a_quantile_is_found_again():
    quantiles = scipy.stats.t.ppf(0.975, [2.0, 3.7, 50.0])
    found = student.freedom(0.975, quantiles, 2.0, 199.0)
    np.testing.assert_allclose(found, [2.0, 3.7, 50.0], rtol=1e-6)
    assert student.freedom(0.975, 100.0, 2.0, 199.0) == pytest.approx(2)


@pytest.mark.parametrize("ratio", [0.0, 1.0, 3.0, 8.0])
@each(freedom=[1.0, 2.0, 9.0, 400.0])
def test_power_is_that_of_the_noncentral_t(freedom, ratio):
    limit = scipy.stats.t.ppf(0.975, freedom)
    error = scipy.stats.chi(freedom, scale=freedom**-0.5)

    def found(spread: float) -> float:
        ends = scipy.stats.norm.cdf([ratio - limit * spread, -ratio - limit * spread])
        return float(ends.sum() * error.pdf(spread))

    expected, _ = scipy.integrate.quad(found, 0, 10, points=[ratio / limit, 1.0], limit=200)
    assert student.power(ratio, freedom, 0.95) == pytest.approx(expected, abs=1e-7)


def test_mean_squares_are_those_of_the_textbook():
    """Worked out by hand: row means 2 and 4, column means 2, 3 and 4, grand mean 3."""
    squares = two_way.mean_squares(np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]]))
    assert (squares.mean, squares.seed, squares.image) == (3, 6, 2)
    assert squares.residual == pytest.approx(0, abs=1e-30)
    assert squares.components() == pytest.approx((2, 1, 0))


def test_new_seeds_on_these_images_is_a_t_test_of_the_seeds_means():
    values = rng().normal(0.3, 1, (5, 40))
    found = two_way.two_way(values, SEEDS)
    expected = scipy.stats.ttest_1samp(values.mean(1), 0)
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval()))


def test_these_seeds_on_new_images_is_a_t_test_of_the_images_means():
    values = rng().normal(0.3, 1, (5, 40))
    found = two_way.two_way(values, IMAGES)
    expected = scipy.stats.ttest_1samp(values.mean(0), 0)
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval()))


def test_the_primary_interval_is_as_wide_as_its_parts_and_says_what_it_covers():
    values = rng().normal(0, 1, (4, 60)) + rng(1).normal(0, 1, (4, 1)) + rng(2).normal(0, 1, 60)
    seed, image, rest = two_way.mean_squares(values).components()
    found = two_way.two_way(values)
    assert found.error**2 == pytest.approx(seed / 4 + image / 60 + rest / 240)
    assert found.population == BOTH
    assert 3 <= found.freedom <= 59


@pytest.mark.parametrize("variances", [(0.1, 0.02), (0.001, 0.2), (0.5, 0.0), (0.0, 0.5)])
@each(distance=[0.3, 1.0, 4.0, 25.0])
def test_the_chance_of_two_errors_is_that_at_which_their_reaches_add_up(distance, variances):
    def beyond(log_chance):
        reaches = scipy.stats.t.isf(np.exp(log_chance), [2, 199])
        return (np.array(variances) * reaches**2).sum() - distance**2

    expected = np.exp(scipy.optimize.brentq(beyond, np.log(1e-300), np.log(0.5), xtol=1e-13))
    parts = zip(variances, (2.0, 199.0), strict=True)
    assert student.above_both(distance, *parts) == pytest.approx(expected, rel=1e-6)


@given(st.integers(0, 500), st.sampled_from([2, 3, 5]), st.sampled_from([0.0, 0.1, 1.0]))
@settings(max_examples=60, deadline=None)
def test_p_is_below_5_percent_where_the_interval_leaves_0_out(seed, seeds, spread):
    draw = rng(seed)
    values = draw.normal(0.3, 1, (seeds, 30)) + draw.normal(0, spread, (seeds, 1))
    found = two_way.two_way(values)
    assert (found.p < 0.05) == (found.low > 0 or found.high < 0)
    squares = two_way.mean_squares(values)
    assert found.p == pytest.approx(float(2 * squares.chance(abs(found.estimate))), rel=1e-9)


@given(st.integers(0, 500), st.sampled_from([2, 3, 5]), st.sampled_from([0.0, 0.1, 1.0]))
@settings(max_examples=60, deadline=None)
def test_a_claim_about_more_is_never_surer_than_one_about_less(seed, seeds, spread):
    draw = rng(seed)
    values = draw.normal(0.3, 1, (seeds, 30)) + draw.normal(0, spread, (seeds, 1))
    found = two_way.two_way(values)
    for population in (SEEDS, IMAGES):
        less = two_way.two_way(values, population)
        assert found.high - found.low >= (less.high - less.low) * (1 - 1e-4)
        assert found.p >= less.p * (1 - 1e-6)


@pytest.mark.parametrize("spread", [0.3, 0.5, 1.0])
def test_two_seeds_that_lie_close_together_by_chance_prove_nothing(spread):
    """Of 4000 tables without a difference, p is below .01 in no more than 1 %, but for chance."""
    draw = rng(int(10 * spread))
    shape = (4000, 2, 64)
    values = draw.normal(0, 0.6, shape) + draw.normal(0, spread, (*shape[:2], 1))
    values += draw.normal(0, 1, (shape[0], 1, shape[2]))
    squares = two_way.mean_squares(values)
    p = 2 * squares.chance(np.abs(squares.mean))
    assert (p < 0.05).mean() < 0.06  # a standard error is .0034
    assert (p < 0.01).mean() < 0.015  # .0016
    assert (p < 0.001).mean() < 0.003  # .0005


def test_one_seed_covers_new_images_only_and_says_so():
    values = rng().normal(0, 1, (1, 50))
    found = two_way.two_way(values)
    assert found.population == ONE_SEED
    assert found.p == pytest.approx(scipy.stats.ttest_1samp(values[0], 0).pvalue)
    with pytest.raises(ValueError, match="one alone says nothing of others"):
        two_way.two_way(values, SEEDS)


def test_one_image_covers_new_seeds_only_and_both_alone_cover_nothing():
    assert two_way.two_way(rng().normal(0, 1, (5, 1))).population == ONE_IMAGE
    with pytest.raises(ValueError, match="one seed and one image say nothing of others"):
        two_way.two_way(np.ones((1, 1)))


def test_equal_arms_differ_by_nothing_for_certain():
    found = two_way.two_way(np.zeros((3, 10)))
    assert (found.low, found.high, found.p, found.p_equivalence(0.1)) == (0, 0, 1, 0)


def test_cells_have_each_seeds_mean_over_all_that_is_counted():
    totals, counts = (
        np.array([[6.0, 0.0, 9.0], [3.0, 0.0, 1.0]]),
        np.array([[2.0, 0, 3], [2, 0, 3]]),
    )
    cells = two_way.linear(totals, counts)
    np.testing.assert_allclose(cells.mean(1), [15 / 5, 4 / 5])
    np.testing.assert_allclose(cells[0], 3)  # each counted 3: no image differs
    with pytest.raises(ValueError, match="nothing was counted in any image"):
        two_way.linear(totals, counts * 0)


def test_cells_of_unequal_clusters_spread_as_the_ratio_does():
    """Against the spread of the mean over many samples of clusters, in which sizes tell."""
    world = World(seed=0.0, crossed=0.0, rest=0.0)
    totals, counts = world.draw(rng(), 4000, 1, 60)
    spread = (totals.sum(-1) / counts.sum(-1)).std()
    squares = two_way.mean_squares(two_way.linear(totals, counts))
    assert np.sqrt((squares.image / 60).mean()) == pytest.approx(spread, rel=0.04)


@pytest.mark.parametrize("seed", [0.11, 0.01], ids=["seeds dominate", "images dominate"])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_intervals_cover_the_truth_as_often_as_they_say(seeds, seed):
    """93 to 97 %, and what 1500 tables leave to chance: 3 standard errors of 0.56 %."""
    world = World(seed=seed)
    tables = [world.draw(rng(n), 500, seeds, 100) for n in range(3)]
    covered = []
    for totals, counts in tables:
        squares = two_way.mean_squares(two_way.linear(totals, counts))
        error, freedom = squares.error(BOTH)
        covered.append(np.abs(squares.mean) <= student.quantile(0.975, freedom) * error)
    assert 0.93 - 0.017 <= np.mean(covered) <= 0.97 + 0.017


def test_images_alone_do_not_cover_new_seeds():
    totals, counts = World(seed=0.11).draw(rng(), 500, 3, 200)
    squares = two_way.mean_squares(two_way.linear(totals, counts))
    error, _ = squares.error(IMAGES)
    assert np.mean(np.abs(squares.mean) <= 1.97 * error) < 0.8


def test_the_bootstrap_of_images_finds_the_two_way_error():
    totals, counts = (each[0] for each in World(seed=0.05).draw(rng(), 1, 5, 400))
    direct = two_way.two_way(two_way.linear(totals, counts))
    drawn = resampling.means(totals, counts, 4000, rng())
    own = totals.sum(1) / counts.sum(1)
    found = resampling.mixed(own, drawn, 400)
    assert found.estimate == pytest.approx(direct.estimate)
    assert found.error == pytest.approx(direct.error, rel=0.03)
    assert found.freedom == pytest.approx(direct.freedom, rel=0.1)
    crossed = resampling.crossed(own, drawn, 400, rng())
    assert crossed.error == pytest.approx(direct.error, rel=0.1)


def test_weights_say_how_often_each_is_drawn():
    weights = bootstrap.weights(rng(), 2000, 30)
    assert (weights.sum(1) == 30).all()
    np.testing.assert_allclose(weights.mean(0), 1, atol=5 * math.sqrt(1 / 2000))
    assert weights.var() == pytest.approx(1 - 1 / 30, rel=0.03)


def test_resampled_means_are_means_of_what_is_drawn():
    totals, counts = rng().normal(size=(2, 3)), np.array([[1.0, 2, 4]] * 2)
    weights = bootstrap.weights(rng(7), 5, 3)
    expected = [
        [np.average(row / counts[0], weights=w * counts[0]) for row in totals] for w in weights
    ]
    np.testing.assert_allclose(resampling.means(totals, counts, 5, rng(7)), expected)


def test_ten_thousand_resamples_take_seconds():
    totals = rng().normal(size=(10, 5000))  # 5 seeds of 2 arms
    began = time.process_time()
    drawn = resampling.means(totals, np.ones_like(totals), 10_000, rng())
    resampling.crossed(totals.mean(1)[:5], drawn[:, :5] - drawn[:, 5:], 5000, rng())
    assert time.process_time() - began < 20


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(deadline=None)
def test_holm_rejects_as_the_procedure_goes_step_by_step(p):
    level, order, rejected = 0.05, np.argsort(p, kind="stable"), set()
    for step, index in enumerate(order):
        if p[index] * (len(p) - step) >= level:
            break
        rejected.add(int(index))
    assert {i for i, adjusted in enumerate(holm(p)) if adjusted < level} == rejected


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_equivalence_is_two_t_tests_against_the_margin():
    values = rng().normal(0.02, 0.1, 20)
    found = two_way.two_way(values[:, None] + np.zeros((20, 3)), SEEDS)
    lower = scipy.stats.ttest_1samp(values, -0.1, alternative="greater").pvalue
    upper = scipy.stats.ttest_1samp(values, 0.1, alternative="less").pvalue
    assert found.p_equivalence(0.1) == pytest.approx(max(lower, upper))
    with pytest.raises(ValueError, match="margin=0: it must be greater than 0"):
        found.p_equivalence(0.0)


def test_a_detectable_difference_is_found_four_times_in_five():
    found = Interval(0.0, 0.2, 4.0, 0.95, SEEDS, "t over seeds")
    drawn = rng().normal(detectable(found), 0.2 * math.sqrt(5), (20000, 5))
    share = (scipy.stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05).mean()
    assert share == pytest.approx(0.8, abs=0.01)


def test_as_many_seeds_as_needed_find_the_difference():
    seed, image, rest, images = 0.1, 0.2, 0.3, 400
    pilot = two_way.MeanSquares(
        0.0, 4, images, rest**2 + images * seed**2, rest**2 + 4 * image**2, rest**2
    )
    needed = seeds_needed(pilot, 0.1)
    assert needed is not None

    def found(seeds: int) -> float:
        world = World(seed=seed, image=image, person=0, crossed=rest, rest=0, mean=0.1)
        values = (
            world.mean
            + rng(1).normal(0, seed, (600, seeds, 1))
            + rng(2).normal(0, image, (600, 1, images))
            + rng(3).normal(0, rest, (600, seeds, images))
        )
        squares = two_way.mean_squares(values)
        error, freedom = squares.error(BOTH)
        return float((np.abs(squares.mean) > student.quantile(0.975, freedom) * error).mean())

    assert found(needed) > 0.75
    assert found(needed - 2) < 0.8


def test_no_number_of_seeds_makes_up_for_too_few_images():
    pilot = two_way.MeanSquares(0.0, 4, 20, 1.0, 4.0, 1.0)
    assert seeds_needed(pilot, 0.1) is None


def people(random: np.random.Generator, images: int, crowds: bool = True) -> tuple[People, Found]:
    """A few in each image, some found well, some badly, some not; some found are nobody."""
    number = np.sort(random.integers(0, images, 2 * images))
    points = random.uniform(0, 100, (len(number), 3, 3))
    points[..., 2] = random.random(points.shape[:2]) < 0.9
    box = np.tile([0.0, 0.0, 100.0, 100.0], (len(number), 1))
    crowd = (random.random(len(number)) < 0.1) & crowds
    truth = People(number, points, random.uniform(2000, 9000, len(number)), box, crowd)
    who = np.flatnonzero(random.random(len(number)) < 0.9)
    found = points[who, :, :2] + random.normal(0, random.choice([1, 4, 12], (len(who), 1, 1)))
    nobody = random.uniform(0, 100, (images // 2, 3, 2))
    image = np.concatenate([number[who], random.integers(0, images, images // 2)])
    poses = np.concatenate([found, nobody])
    return truth, Found(image, poses, random.permutation(len(image)) / len(image))


def copied(image: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of an image so often, and the numbers of its copies."""
    times = weights[image].astype(int)
    rows = np.repeat(np.arange(len(image)), times)
    copy = np.arange(len(rows)) - np.repeat(np.cumsum(times) - times, times)
    return rows, image[rows] * 100 + copy


@pytest.mark.parametrize("seed", range(5))
def test_ap_of_weights_of_one_is_the_official_ap(seed):
    truth, found = people(rng(seed), 40)
    matched = weighted_ap.matched(truth, found, SIGMAS, np.arange(40))
    expected = average_precision.evaluate(truth, found, SIGMAS)["AP"]
    assert matched.of(np.ones((1, 40)))[0] == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("seed", range(8))
def test_ap_of_weighted_images_is_that_of_so_many_copies(seed):
    truth, found = people(rng(seed), 30)
    weights = bootstrap.weights(rng(seed), 3, 30)
    got = weighted_ap.matched(truth, found, SIGMAS, np.arange(30)).of(weights)
    for ours, weight in zip(got, weights, strict=True):
        rows, image = copied(truth.image, weight)
        many = truth.rows(rows)._replace(image=image)
        rows, image = copied(found.image, weight)
        several = found.rows(rows)._replace(image=image)
        expected = average_precision.evaluate(many, several, SIGMAS)["AP"]
        assert ours == pytest.approx(expected, abs=1e-14)


def test_ap_of_nobody_found_is_zero_and_of_nobody_to_find_not_a_number():
    truth, found = people(rng(), 10, crowds=False)
    none = weighted_ap.matched(truth, found.rows(np.arange(0)), SIGMAS, np.arange(11))
    assert none.of(np.ones((1, 11)))[0] == 0
    only_empty = np.zeros((1, 11))
    only_empty[0, 10] = 1
    some = weighted_ap.matched(truth, found, SIGMAS, np.arange(11))
    assert np.isnan(some.of(only_empty)[0])


def test_the_bootstrap_of_ap_spreads_as_ap_of_new_images_does():
    images = 80
    aps = [average_precision.evaluate(*people(rng(n), images), SIGMAS)["AP"] for n in range(150)]
    truth, found = people(rng(1000), images)
    matched = weighted_ap.matched(truth, found, SIGMAS, np.arange(images))
    spread = matched.of(bootstrap.weights(rng(), 1000, images)).std()
    assert spread == pytest.approx(np.std(aps), rel=0.25)
