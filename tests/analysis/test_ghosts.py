"""Beliefs with several places: closed forms, and other ways to the same numbers."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats

from heatmap_research.analysis.theory.ghosts import curves, maps, noise, occlusion, rank
from heatmap_research.analysis.theory.ghosts.maps import Mode
from heatmap_research.analysis.theory.laws import ghosts as law
from heatmap_research.codec.decoders.argmax import Argmax
from heatmap_research.codec.decoders.soft_argmax import SoftArgmax

SHAPE = (48, 48)
TWO = [Mode(0.6, (14, 12)), Mode(0.4, (36, 34))]
THREE = [Mode(0.4, (8, 8)), Mode(0.35, (24, 40)), Mode(0.25, (40, 24))]


@pytest.mark.parametrize("modes", [TWO, THREE])
def test_the_product_of_marginals_holds_the_laws_mass_of_ghosts(modes):
    plane = maps.mixture(modes, SHAPE)
    mass = law.ghost_mass([mode.share for mode in modes])
    assert maps.ghost_share(maps.product(plane), modes) == pytest.approx(mass, abs=2e-4)
    assert maps.ghost_share(plane, modes) < 2e-4
    assert plane.sum() == pytest.approx(1, abs=1e-12)


def test_a_tilted_belief_is_the_bivariate_normal():
    plane = maps.tilted(3.0, 0.7, (25, 31))
    y, x = np.mgrid[-12:13, -15:16]
    covariance = 9 * np.array([[1, 0.7], [0.7, 1]])
    density = stats.multivariate_normal(cov=covariance).pdf(np.stack([y, x], -1))
    np.testing.assert_allclose(plane, density / density.sum(), atol=1e-12)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_at_rank_one_the_excess_is_the_mutual_information_of_the_axes(correlation):
    label = maps.tilted(5.0, correlation, (64, 64))
    fitted = rank.fit(label, 1, steps=5, seed=0).map
    information = -0.5 * math.log(1 - correlation**2)
    assert rank.divergence(label, fitted) == pytest.approx(information, abs=1e-4)
    np.testing.assert_allclose(fitted, maps.product(label), atol=1e-12)


def test_two_places_cost_rank_one_the_entropy_of_their_shares_and_rank_two_nothing():
    label = maps.mixture(TWO, SHAPE)
    one, two = (rank.fit(label, r, steps=100, seed=0).map for r in (1, 2))
    assert rank.divergence(label, one) == pytest.approx(stats.entropy([0.6, 0.4]), abs=1e-4)
    assert rank.divergence(label, two) == pytest.approx(0, abs=1e-6)
    assert maps.ghost_share(two, TWO) < 1e-3


def test_more_ranks_never_fit_worse_and_a_fit_is_a_distribution():
    label = maps.ring(7.0, 1.5, (24, 24))
    fits = [rank.fit(label, r, steps=200, seed=0) for r in (1, 2, 4, 8)]
    excess = [rank.divergence(label, fit.map) for fit in fits]
    assert all(more <= less + 1e-6 for less, more in itertools.pairwise(excess))
    for fit in fits:
        assert fit.map.sum() == pytest.approx(1, abs=1e-12)


def test_a_fit_is_what_the_softmax_of_its_scores_gives():
    fit = rank.fit(maps.mixture(THREE, SHAPE), 3, steps=100, seed=0)
    rows = np.log(fit.rows.clip(1e-300)) + np.log(fit.shares)[:, None]
    columns = np.log(fit.columns.clip(1e-300))
    scores = special.logsumexp(rows[:, :, None] + columns[:, None, :], axis=0)
    np.testing.assert_allclose(special.softmax(scores), fit.map, atol=1e-12)


def test_a_fit_is_no_worse_than_gradient_descent_on_the_scores():
    label = maps.tilted(3.0, 0.9, (20, 20))
    wanted = torch.from_numpy(label)
    parts = torch.randn(2, 2, 20, generator=torch.Generator().manual_seed(0)).double()
    parts.requires_grad_()
    optimizer = torch.optim.Adam([parts], lr=0.05)
    for _ in range(1500):
        rows, columns = parts
        scores = (rows[:, :, None] + columns[:, None, :]).logsumexp(0)
        log = scores.flatten().log_softmax(0).view(20, 20)
        loss = (torch.special.xlogy(wanted, wanted) - wanted * log).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    ours = rank.divergence(label, rank.fit(label, 2, steps=300, seed=0).map)
    assert ours <= loss.item() + 1e-3


@pytest.mark.parametrize("share", [0.5, 0.55])
@pytest.mark.parametrize("together", [0.0, 0.5, 0.9])
def test_vectors_name_ghosts_as_often_as_the_law_says(share, together):
    rates = noise.vectors(share, 0.1, together, trials=10_000, seed=0)
    assert rates.ghost == pytest.approx(law.ghost_rate(rates.first, rates.covariance), abs=5e-3)
    if together == 0:
        assert rates.ghost == pytest.approx(law.ghost_rate(rates.first), abs=0.02)
    if share == 0.5:
        assert rates.first == pytest.approx(0.5, abs=0.02)


def test_axes_that_doubt_the_same_bins_only_make_no_ghosts():
    rates = noise.vectors(0.55, 0.1, 1.0, trials=4000, seed=0)
    assert rates.ghost == 0
    chance = stats.norm.cdf(0.1 / 0.1)  # that the lift leaves the first mode the higher one
    assert rates.first == pytest.approx(chance, abs=0.02)


def test_a_map_read_as_a_whole_makes_no_ghosts_where_its_sums_do():
    whole, summed = noise.maps(0.55, 0.1, trials=1000, seed=0)
    assert whole.ghost == 0
    assert summed.ghost == pytest.approx(law.ghost_rate(summed.first), abs=0.05)
    assert summed.ghost > 0.3


def highest_peaks_are_of_different_modes(share, sigmas):
    """Along each axis the mode of the larger share / sigma peaks higher."""
    down, across = (share / sigmas[0][a] > (1 - share) / sigmas[1][a] for a in (0, 1))
    return down != across


@pytest.mark.parametrize("share", [0.4, 0.5, 0.7])
def test_shapes_decide_on_ghosts_as_the_law_says(share):
    sigmas = ((2.0, 4.0), (4.0, 2.0))
    modes = [Mode(share, (20, 20), sigmas[0]), Mode(1 - share, (60, 60), sigmas[1])]
    found = maps.ghost_without_noise(maps.mixture(modes, (80, 80)), modes)
    assert found == highest_peaks_are_of_different_modes(share, sigmas)


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9])
def test_the_mean_of_a_belief_lies_between_its_places(share):
    plane = occlusion.posterior(share)
    y, x = occlusion.decoded(plane, SoftArgmax(temperature=1.0))
    (y1, x1), (y2, x2) = occlusion.MIDDLES
    assert (y, x) == pytest.approx((share * y1 + (1 - share) * y2, share * x1 + (1 - share) * x2))


@pytest.mark.parametrize("share", [0.55, 0.9])
def test_an_answer_at_a_place_costs_what_the_law_says(share):
    plane = occlusion.posterior(share)
    place = occlusion.MIDDLES[0]
    assert occlusion.distance(plane, place) == pytest.approx(occlusion.at_a_mode(share), rel=2e-3)
    law_of_oks = occlusion.similarity_between(share, 0.0, 4.0)
    assert occlusion.similarity(plane, place, 4.0) == pytest.approx(law_of_oks, abs=1e-6)


def test_an_answer_between_the_places_costs_what_the_law_says():
    plane, (y, x) = occlusion.posterior(0.5), np.mean(occlusion.MIDDLES, axis=0)
    assert occlusion.distance(plane, (y, x)) == pytest.approx(occlusion.at_the_mean(0.5), rel=0.01)
    for tolerance in (4.0, 12.0):
        law_of_oks = occlusion.similarity_between(0.5, 0.5, tolerance)
        assert occlusion.similarity(plane, (y, x), tolerance) == pytest.approx(law_of_oks, abs=1e-6)


def test_expected_oks_is_the_integral_over_the_posterior():
    def along(y: float, x: float) -> float:
        density = math.exp(-(y**2 + x**2) / 8) / (8 * math.pi)
        return density * math.exp(-((y - 3) ** 2 + (x - 3) ** 2) / (2 * 16))

    whole, _ = integrate.dblquad(along, -20, 20, -20, 20)
    assert occlusion.similarity_between(1.0, 3 / occlusion.APART, 4.0) == pytest.approx(whole)


def test_noise_costs_a_pair_of_vectors_more_than_a_map_where_places_are_about_as_likely():
    clean = occlusion.decoded(occlusion.posterior(0.55), Argmax())
    least = occlusion.similarity(occlusion.posterior(0.55), clean, 4.0)
    plane, vectors = (
        occlusion.under_noise(0.55, 0.1, layout, 4.0, trials=200, seed=0) for layout in ("2d", "1d")
    )
    assert plane[0] < vectors[0]
    assert vectors[1] < plane[1] <= least


def test_curves_of_ghosts_lie_on_their_laws():
    mass, mixture = curves.masses(np.array([0.3, 0.5, 0.8]))
    np.testing.assert_allclose(mass.law, [0.42, 0.5, 0.32])
    np.testing.assert_allclose(mass.measured, mass.law, atol=2e-4)
    np.testing.assert_allclose(mixture.measured, 0, atol=2e-3)
    for curve in curves.over_noise(np.array([0.05, 0.2]), share=0.55, seed=0):
        np.testing.assert_allclose(curve.measured, curve.law, atol=0.02)
    *vectors, whole = curves.rates(np.array([0.45, 0.5]), level=0.1, seed=0)
    assert [curve.measured[1] for curve in vectors] == sorted(
        [curve.measured[1] for curve in vectors], reverse=True
    )
    assert (whole.measured == 0).all()


def test_every_shape_makes_a_ghost_where_the_law_says():
    found = curves.over_shapes(np.array([1.2, 2.0, 3.0]), np.array([0.3, 0.5, 0.6]))
    assert sum(map(len, found.values())) == 9
    for ghost, pairs in found.items():
        for ratio, share in pairs.tolist():
            sigmas = ((2.0, 2 * ratio), (2 * ratio, 2.0))
            assert highest_peaks_are_of_different_modes(share, sigmas) == ghost


def test_curves_of_ranks_begin_at_their_laws():
    labels = {"two": maps.mixture(TWO, SHAPE)}
    fits = {"two": {r: rank.fit(labels["two"], r, steps=100, seed=0).map for r in (1, 2)}}
    for (curve,) in (curves.excesses(labels, fits), curves.ghosts_of_fits({"two": TWO}, fits)):
        assert curve.across.tolist() == [1, 2]
        assert curve.measured[0] == pytest.approx(curve.law[0], abs=2e-4)
        assert curve.measured[1] == pytest.approx(0, abs=2e-3)


def test_decoded_beliefs_cost_what_the_laws_say():
    readers = {"argmax": Argmax(), "soft_argmax": SoftArgmax(temperature=1.0)}
    distances, similarities = curves.beliefs(readers, np.array([0.6, 0.7]), 4.0, 0.1, seed=0)
    for argmax, mean, *noisy in (distances, similarities):
        np.testing.assert_allclose(argmax.measured, argmax.law, rtol=0.03)  # to whole bins
        np.testing.assert_allclose(mean.measured, mean.law, rtol=0.05)
        assert [curve.name for curve in noisy] == [
            "argmax, 2-D, noise 0.1",
            "argmax, 1-D, noise 0.1",
        ]
