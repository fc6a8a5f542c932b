"""Each law against a simulation that does not know it, and against figures from elsewhere."""

import itertools
import math

import numpy as np
import pytest
import torch
from options import DECODERS
from scipy import special, stats

from heatmap_research.analysis.theory.laws import (
    costs,
    dithering,
    expectation,
    ghosts,
    information,
    normal,
    quantisation,
    scores,
    seeds,
)
from heatmap_research.codec import heatmaps
from heatmap_research.codec.decoders.argmax import Argmax
from heatmap_research.codec.decoders.dark import Dark
from heatmap_research.codec.decoders.dark_published import DarkPublished
from heatmap_research.codec.decoders.debiased_soft_argmax import DebiasedSoftArgmax
from heatmap_research.codec.decoders.local_soft_argmax import LocalSoftArgmax
from heatmap_research.codec.decoders.quarter_offset import QuarterOffset
from heatmap_research.codec.decoders.smoothed import Smoothed
from heatmap_research.codec.decoders.soft_argmax import SoftArgmax
from heatmap_research.codec.geometry import Geometry
from heatmap_research.codec.grid import Grid
from heatmap_research.codec.targets.gaussian import Gaussian
from heatmap_research.codec.targets.laplace import Laplace
from heatmap_research.codec.targets.rounded import Rounded
from heatmap_research.codec.targets.softened import Softened

QUARTER = DECODERS["quarter_offset"]
MATCHED = Smoothed(Dark(1e-10), sigma=2.0, least=0.5, size=None)  # for labels of 2 bins
COCO = np.repeat(  # OKS tolerances, from face to ankles
    [0.026, 0.025, 0.035, 0.079, 0.072, 0.062, 0.107, 0.087, 0.089], [1, 2, 2, 2, 2, 2, 2, 2, 2]
)


def even(count):
    """Phases over a bin: the middles of so many equal parts."""
    return (np.arange(count) + 0.5) / count - 0.5


def vectors(position, sigma, size):
    """A Gaussian in double precision for each place: (place, 1, size)."""
    places = torch.as_tensor(np.asarray(position, float))[:, None, None]
    return heatmaps.gaussian(places, (sigma,), (size,))


def decoded(decoder, heatmap):
    """Of one axis, in bins."""
    return decoder(heatmap, 1.0)[:, 0, 0].numpy()


def off_in_a_square(decoder, count=400):
    """Errors y and x, in bins, for truths that a fine square lattice puts in one bin."""
    phase = even(count)
    places = torch.as_tensor(np.stack(np.meshgrid(phase, phase, indexing="ij"), -1).reshape(-1, 2))
    found = [
        decoder(heatmaps.gaussian(part[:, None] + 3, (1.0, 1.0), (7, 7)), 1.0)[:, 0] - 3 - part
        for part in places.split(40_000)
    ]
    return torch.cat(found).numpy()


def rms(values):
    return math.sqrt(np.square(values).mean())


def test_the_normal_distribution_is_scipys():
    x = np.linspace(-30, 8, 300)
    np.testing.assert_allclose(normal.below(x), stats.norm.cdf(x), rtol=1e-12)
    np.testing.assert_allclose(normal.density(x), stats.norm.pdf(x), rtol=1e-12)


# --- quantisation ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("decoder", "side"), [(Argmax(), 1.0), (QUARTER, 0.5)])
def test_a_decoder_that_answers_with_one_point_of_a_bin_fills_a_square_with_its_errors(
    decoder, side
):
    off = off_in_a_square(decoder)
    distance = np.hypot(*off.T)
    assert np.abs(off).mean() == pytest.approx(quantisation.axis_mean(side), rel=1e-4)
    assert rms(off) == pytest.approx(quantisation.axis_rms(side), rel=1e-4)
    assert distance.mean() == pytest.approx(quantisation.mean_distance(side, side), rel=1e-4)
    assert rms(distance) == pytest.approx(quantisation.rms_distance(side, side), rel=1e-4)
    for share in (0.1, 0.5, 0.785, 0.8, 0.95, 0.999):
        law = quantisation.quantile_distance(share, side)
        assert np.quantile(distance, share) == pytest.approx(law, rel=5e-3)  # on a lattice
        assert quantisation.share_within(law, side) == pytest.approx(share)


def test_the_constants_of_quantisation_are_those_known():
    assert quantisation.mean_distance(1, 1) == pytest.approx((math.sqrt(2) + math.asinh(1)) / 6)
    assert quantisation.mean_distance(1, 1) == pytest.approx(0.38260, abs=5e-6)
    assert quantisation.mean_distance(0.5, 0.5) == pytest.approx(0.19130, abs=5e-6)
    assert quantisation.mean_distance(4, 4) == pytest.approx(1.530, abs=5e-4)
    assert quantisation.rms_distance(1, 1) == pytest.approx(0.4082, abs=5e-5)
    assert quantisation.quantile_distance(0.5, 1) == pytest.approx(0.399, abs=5e-4)
    assert quantisation.quantile_distance(0.95, 1) == pytest.approx(0.599, abs=5e-4)
    assert quantisation.share_within(1, 1) == 1


@pytest.mark.parametrize(("density", "published"), [(1, 0.383), (2, 0.191), (3, 0.128)])
def test_argmax_of_a_vector_is_off_by_its_bins_per_pixel(density, published):
    phase = even(600)
    off = decoded(Argmax(), vectors(phase + 5, 2.0, 11)) - 5 - phase
    distance = np.hypot.outer(off, off).mean() / density  # pixels
    law = quantisation.mean_distance(1 / density, 1 / density)
    assert distance == pytest.approx(law, rel=1e-4)
    assert law == pytest.approx(published, abs=6e-4)


@pytest.mark.parametrize("sides", [(1.0, 1.0), (0.5, 1.0), (2.0, 0.1)])
def test_the_mean_distance_in_a_rectangle_is_that_of_a_lattice(sides):
    lattice = np.hypot.outer(sides[0] * even(1000), sides[1] * even(1000))
    assert quantisation.mean_distance(*sides) == pytest.approx(lattice.mean(), rel=1e-5)


@pytest.mark.parametrize("bins", [(8, 8), (8, 12), (64, 48)])
def test_a_quarter_offset_over_a_whole_map_loses_by_its_outer_bins(bins):
    down, across = (
        decoded(QUARTER, vectors(truth, 2.0, size)) - truth
        for size in bins
        for truth in [(np.arange(100 * size) + 0.5) / 100 - 0.5]
    )
    mean = np.hypot.outer(down, across).mean()
    assert quantisation.quarter_offset_mean(4.0, bins) == pytest.approx(4 * mean, rel=1e-3)


@pytest.mark.parametrize("side", [0.1, 1.0, 4.0, 20.0])
@pytest.mark.parametrize("tolerance", [1.0, 5.0])
def test_quantisation_takes_from_oks_what_the_law_says(tolerance, side):
    along = np.exp(-np.square(side * even(4000) / tolerance) / 2)
    similarity = np.outer(along, along).mean()
    law = quantisation.expected_oks(side, tolerance)
    assert 1 - law == pytest.approx(1 - similarity, rel=0.002)
    if side <= 0.1 * tolerance:
        assert quantisation.oks_loss(side, tolerance) == pytest.approx(1 - similarity, rel=0.002)


@pytest.mark.parametrize(
    ("image_size", "published"),
    [
        ((64, 64), (0.103, 0.029, 0.0076, 0.0019)),
        ((128, 128), (0.029, 0.0076, 0.0019, 0.0005)),
        ((256, 192), (0.0101, 0.0026, 0.0006, 0.0002)),
        ((384, 288), (0.0045, 0.0011, 0.0003, 0.0001)),
    ],
)
def test_a_stride_costs_a_person_who_fills_the_crop_this_much_oks(image_size, published):
    area = 0.5 * math.prod(image_size) / 1.25**2
    tolerances = quantisation.oks_tolerance(COCO, area)
    for stride, loss in zip((4, 2, 1, 0.5), published, strict=True):
        law = 1 - quantisation.expected_oks(stride, tolerances).mean()
        assert law == pytest.approx(loss, abs=10 ** -(3 if loss > 0.02 else 4) * 0.6)


def off_in_a_crop(geometry, size, stride, pixels):
    """Argmax's error along x, at these pixels of a crop with so many."""
    grid = Grid((size, size), stride, 1, geometry)
    keypoints = torch.as_tensor(np.stack([pixels, pixels], -1))[:, None]
    labels = zip(grid.split(keypoints), grid.shapes, strict=True)
    found = grid.join([Argmax()(heatmaps.gaussian(p, (2.0,), s), 1.0) for p, s in labels])
    return found[:, 0, 0].numpy() - pixels


def test_unit_lengths_spread_bins_wider_than_a_stride():
    spacing = quantisation.unit_spacing(64, 16)
    assert spacing == 4.2
    pixels = spacing * ((np.arange(14_000) + 0.5) / 1000 + 0.5)  # the bins that lie inside
    off = off_in_a_crop(Geometry(0, -1, None), 64, 4, pixels)
    assert np.abs(off).mean() == pytest.approx(quantisation.axis_mean(spacing), rel=1e-4)
    assert np.abs(off).max() <= spacing / 2


def test_bins_on_multiples_of_the_stride_keep_the_law_up_to_their_own_end():
    geometry, end = Geometry(0, 0, None), quantisation.legacy_end(64, 16)
    assert end == 62
    inside = np.linspace(2, end, 15 * 200 + 1)[:-1] + 0.01
    off = off_in_a_crop(geometry, 64, 4, inside)
    assert np.abs(off).mean() == pytest.approx(quantisation.axis_mean(4), rel=1e-4)
    assert np.abs(off).max() <= 2
    edge = off_in_a_crop(geometry, 64, 4, np.array([63.5]))
    assert edge.item() == -quantisation.legacy_worst(4) == -3.5


# --- rounded labels under uncertainty -------------------------------------------------------------


def learnt_labels(phase, uncertainty, sigma, draws=4000):
    """The mean of rounded labels at truths spread as a network is unsure of them."""
    spread = stats.norm.ppf(even(draws) + 0.5) * uncertainty
    target = Rounded(Gaussian(sigma), "nearest")
    truths = torch.as_tensor(10 + phase[:, None] + spread)
    return torch.stack([target(t[:, None, None], (21,), (1.0,)).mean(0) for t in truths])


def test_a_quarter_s_law_is_an_exact_label_s_however_narrow_the_posterior():
    """Between neighbours that differ by less than a float tells apart, too."""
    found = [dithering.mean_distance(dithering.quarter_error, u, 2.0, 4.0) for u in (0.001, 0.05)]
    assert found == pytest.approx([4 * 0.19130] * 2, rel=1e-4)


DITHERED = {  # the refining step, its decoder, known pixels at stride 4 for a label of 2 bins
    "dark": (
        dithering.dark_error,
        Dark(1e-30),
        {0.1: 1.05, 0.15: 0.815, 0.2: 0.590, 0.3: 0.25, 0.5: 0.020},
    ),
    "quarter": (
        dithering.quarter_error,
        QuarterOffset(0.25, 0.0, "none"),
        dict.fromkeys((0.1, 0.15, 0.2, 0.3, 0.5), 4 * 0.19130),  # as of an exact label
    ),
}


@pytest.mark.parametrize("name", DITHERED)
@pytest.mark.parametrize("uncertainty", [0.1, 0.15, 0.2, 0.3, 0.5])  # bins
def test_uncertainty_dithers_rounded_labels_by_the_law(uncertainty, name):
    refine, decoder, known = DITHERED[name]
    phase = even(100)
    off = decoded(decoder, learnt_labels(phase, uncertainty, 2.0)) - 10 - phase
    law = refine(phase, uncertainty, 2.0)
    mean = dithering.mean_distance(refine, uncertainty, 2.0, stride=4.0)
    sure = (np.abs(phase) > 0.15) | (name == "dark") | (uncertainty >= 0.2)  # signs need draws
    np.testing.assert_allclose(off[sure], law[sure], atol=0.003)
    if sure.all():
        assert 4 * np.hypot.outer(off, off).mean() == pytest.approx(mean, rel=0.01)
    assert mean == pytest.approx(known[uncertainty], rel=0.02)


@pytest.mark.parametrize("uncertainty", [0.1, 0.15, 0.2, 0.3, 0.5])  # bins
def test_the_mean_of_rounded_labels_is_off_by_a_blurred_sawtooth(uncertainty):
    phase = even(100)
    off = (
        decoded(SoftArgmax(1.0), heatmaps.normalise(learnt_labels(phase, uncertainty, 1.5)))
        - 10
        - phase
    )
    np.testing.assert_allclose(off, dithering.label_bias(phase, uncertainty), atol=0.002)
    wave = -2 * (off * np.sin(2 * math.pi * phase)).mean()
    assert wave == pytest.approx(dithering.amplitude(uncertainty), rel=0.02, abs=1e-4)


@pytest.mark.parametrize(("uncertainty", "within"), [(0.1, 0.02), (0.15, 0.04), (0.2, 0.07)])
def test_darks_bias_on_rounded_labels_is_about_that_of_their_mean(uncertainty, within):
    phase = even(100)
    off = decoded(Dark(1e-30), learnt_labels(phase, uncertainty, 2.0)) - 10 - phase
    wave = -2 * (off * np.sin(2 * math.pi * phase)).mean()
    assert wave == pytest.approx(dithering.amplitude(uncertainty), rel=within)


# --- expectations ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("sigma", "within"), [(1.0, 0.04), (2.0, 0.01), (4.0, 0.01)])
def test_a_border_pulls_an_expectation_by_the_law(sigma, within):
    truth = np.linspace(-0.5, 39.5, 400)
    found = decoded(SoftArgmax(1.0), heatmaps.normalise(vectors(truth, sigma, 40)))
    law = expectation.border_bias(truth, sigma, 40)
    np.testing.assert_allclose(found - truth, law, atol=within * sigma, rtol=0)
    assert law[0] == pytest.approx(0.798 * sigma, rel=1e-3)
    assert expectation.border_bias(-0.5 + 3 * 2, 2.0, 64) == pytest.approx(0.0089, abs=1e-4)


@pytest.mark.parametrize("reach", [1.0, 2.0])
def test_a_window_pulls_an_expectation_by_the_law(reach):
    phase, sigma = even(100), 4.0
    found = decoded(LocalSoftArgmax(sigma, reach), vectors(phase + 30, sigma, 61)) - 30
    law = expectation.window_bias(phase, sigma, round(reach * sigma))
    np.testing.assert_allclose(found - phase, law, atol=2e-3)


SPREAD = {"1d": (48,), "2d": (64, 48)}


@pytest.mark.parametrize("shape", SPREAD.values(), ids=SPREAD)
@pytest.mark.parametrize("logit", [0.5, 1.0, 2.0, 5.0, 10.0])
def test_the_background_of_a_softmax_pulls_by_the_law_and_aliasing_does_the_rest(logit, shape):
    sigma = 2.0
    random = np.random.default_rng(0)
    truth = random.uniform(14, np.array(shape) - 15, (200, len(shape)))
    heatmap = logit * heatmaps.gaussian(
        torch.as_tensor(truth[:, None]), (sigma,) * len(shape), shape
    )
    probability = heatmaps.activate(heatmap, "softmax")
    mean = SoftArgmax(1.0)(probability, 1.0)[:, 0].numpy()
    off = mean - truth
    if logit <= 5:
        background = expectation.background_bias(truth, logit, sigma, shape)
        np.testing.assert_allclose(off, background, atol=1e-3, rtol=0)
    both = expectation.softmax_bias(truth, logit, sigma, shape)
    np.testing.assert_allclose(off, both, atol=5e-5, rtol=0)
    total = heatmap.exp().flatten(2).sum(-1)[:, 0].numpy()
    back = expectation.debiased(mean, total, shape) - truth
    assert np.abs(back).max() < (1e-3 if logit <= 5 else 5e-3)  # aliasing is left
    peer = DebiasedSoftArgmax(1.0)(heatmap, 1.0)[:, 0].numpy()
    np.testing.assert_allclose(back, peer - truth, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "published"),
    [((64, 48), (0.989, 0.763, 0.0468, 0.0005)), ((48,), (0.867, 0.117, 0.0013, 1e-5))],
)
def test_the_share_of_the_background_is_as_known(shape, published):
    for logit, share in zip((1.0, 5.0, 10.0, 15.0), published, strict=True):
        law = expectation.background_share(logit, 2.0, shape)
        assert law == pytest.approx(share, rel=6e-3, abs=5e-5)


@pytest.mark.parametrize("logit", [0.1, 1.0, 10.0, 60.0])
def test_in_two_dimensions_a_peaks_mass_is_an_exponential_integral(logit):
    closed = 2 * math.pi * 4 * (special.expi(logit) - math.log(logit) - np.euler_gamma)
    assert expectation.peak_mass(logit, 2.0, 2) == pytest.approx(closed, rel=1e-12)


@pytest.mark.parametrize(
    ("width", "published"), [(0.4, 0.085), (0.5, 0.0226), (0.6, 0.0037), (0.8, 2.6e-5)]
)
def test_a_sharp_peaks_expectation_is_pulled_to_the_bin_by_the_law(width, published):
    phase = even(200)
    found = decoded(SoftArgmax(1.0), heatmaps.normalise(vectors(phase + 12, width, 25))) - 12
    assert np.abs(found - phase).max() == pytest.approx(
        expectation.aliasing_amplitude(width), rel=0.03
    )
    np.testing.assert_allclose(
        found - phase, expectation.aliasing_bias(phase, width), atol=0.15 * published
    )
    assert expectation.aliasing_amplitude(width) == pytest.approx(published, rel=0.1)


@pytest.mark.parametrize(("sigma", "size"), [(1.0, 3), (2.0, 11), (3.0, 17)])
@pytest.mark.parametrize("spread", [1, 2])
def test_a_blur_moves_dark_by_the_law(spread, sigma, size):
    decoder = Smoothed(Dark(1e-30), 1.0, 0.5, size) if spread == 1 else DarkPublished(size, 1e-30)
    truth = np.linspace(3.51, 25, 400)  # from close to the border inwards
    truth = truth[np.abs(truth % 1 - 0.5) > 0.02]  # a blur may move the highest bin there
    truth = truth if spread == 2 else truth[truth > 8]  # and where it is cut off, if it looks there
    taps = heatmaps.kernel(size, None, torch.zeros(1, dtype=torch.float64)).numpy()
    off = decoded(decoder, vectors(truth, sigma, 61)) - truth
    law = expectation.blurred_dark_error(truth, sigma, taps, spread)
    np.testing.assert_allclose(off, law, atol=1e-9)


@pytest.mark.parametrize(
    ("sigma", "size", "mean", "largest"),  # distances in a map
    [(1.0, 3, 6e-3, 1.3e-2), (2.0, 11, 2.2e-4, 4.6e-4), (3.0, 17, 5e-5, 9e-5)],
)
def test_the_published_blur_and_differences_cost_dark_what_is_known(sigma, size, mean, largest):
    width = 0.3 * ((size - 1) / 2 - 1) + 0.8
    taps = np.exp(-0.5 * np.square((np.arange(size) - size // 2) / width))
    off = expectation.blurred_dark_error(even(200) + 30, sigma, taps / taps.sum(), spread=2)
    distance = np.hypot.outer(off, off)
    assert distance.mean() == pytest.approx(mean, rel=0.08)
    assert distance.max() == pytest.approx(largest, rel=0.15)


def test_a_blur_with_nothing_beyond_the_border_pulls_dark_inwards():
    taps = np.exp(-np.square(np.arange(11) - 5) / 8)
    off = expectation.blurred_dark_error(np.array([2.2, 3.2, 4.2]), 2.0, taps, spread=2)
    np.testing.assert_allclose(off, [0.16, 0.035, 0.005], atol=2.5e-3)


def test_labels_that_are_no_gaussian_move_dark_by_the_law():
    phase = even(200)
    places = torch.as_tensor(phase)[:, None, None] + 20
    laplace = decoded(Dark(1e-300), Laplace(2.0)(places, (41,), (1.0,))) - 20 - phase
    np.testing.assert_allclose(laplace, expectation.laplace_dark_error(phase), atol=1e-9)
    softened = Softened(Gaussian(4.9), 10.0)(places, (41,), (1.0,))
    off = decoded(Dark(1e-300), softened) - 20 - phase
    np.testing.assert_allclose(off, expectation.softened_dark_error(phase, 4.9), atol=1e-9)


# --- information ----------------------------------------------------------------------------------


def noisy(truth, noise, sigma, shape, seed=0):
    """Maps of peak 1 with noise of their own in every bin."""
    label = heatmaps.gaussian(torch.as_tensor(truth)[:, None].float(), (sigma,) * len(shape), shape)
    random = torch.Generator().manual_seed(seed)
    return label + noise * torch.randn(label.shape, generator=random)


def test_dark_after_a_matched_blur_reaches_the_bound_of_a_map():
    random = np.random.default_rng(0)
    truth, noise = random.uniform(14, 26, (4000, 2)), 0.05
    off = MATCHED(noisy(truth, noise, 2.0, (40, 40)), 1.0)[:, 0].numpy() - truth
    assert information.map_bound(noise) == pytest.approx(0.798 * noise, rel=1e-3)
    assert 4 * information.map_bound(1) == pytest.approx(3.19, abs=5e-3)  # pixels at stride 4
    assert rms(off) == pytest.approx(information.map_bound(noise), rel=0.05)


@pytest.mark.parametrize("marginal", ["sum", "window", "weighted"])
def test_dark_after_a_matched_blur_reaches_the_bound_of_a_marginal(marginal):
    rows, noise, sigma, row = 64, 0.05, 2.0, 31.5
    x = np.random.default_rng(1).uniform(20, 44, 4000)
    heatmap = noisy(np.stack([np.full(4000, row), x], -1), noise, sigma, (rows, 64))
    away = (torch.arange(rows) - row) / sigma
    weights, bound = {
        "sum": (torch.ones(rows), information.sum_marginal_bound(noise, sigma, rows)),
        "window": ((away.abs() < 1.5).float(), information.window_marginal_bound(noise, 1.5)),
        "weighted": ((-away.square() / 2).exp(), information.weighted_marginal_bound(noise)),
    }[marginal]
    off = decoded(MATCHED, torch.einsum("bkyx,y->bkx", heatmap, weights)) - x
    assert rms(off) == pytest.approx(bound, rel=0.05)


def test_an_even_sum_over_rows_loses_what_is_known():
    bound = information.sum_marginal_bound(0.05, 2.0, 64)
    assert bound == pytest.approx(0.1199, abs=1e-4)
    assert bound / information.map_bound(0.05) == pytest.approx(3.0, abs=0.01)
    law = math.sqrt(64 / (2 * math.sqrt(math.pi) * 2))
    assert bound / information.map_bound(0.05) == pytest.approx(law)


def test_a_window_of_rows_keeps_the_information_that_sums_over_its_rows_do():
    sigma = 50.0
    for half in (0.5, 1.0, 1.4, 2.0, 3.0):
        rows = np.exp(-0.5 * np.square((np.arange(2 * half * sigma) + 0.5) / sigma - half))
        whole = math.sqrt(math.pi) * sigma  # of the squared profile
        kept = rows.sum() ** 2 / len(rows) / whole
        assert information.window_efficiency(half) == pytest.approx(kept, rel=1e-3)
    assert information.window_efficiency(1.4) == pytest.approx(0.89, abs=1e-3)


@pytest.mark.parametrize(("sigma", "noise", "published"), [(6.0, 0.1, 0.2602), (2.0, 0.03, None)])
def test_dark_after_a_matched_blur_reaches_the_bound_of_a_vector(sigma, noise, published):
    truth = np.random.default_rng(2).uniform(40, 56, (20_000, 1))
    decoder = Smoothed(Dark(1e-10), sigma, 0.5, None)
    off = decoded(decoder, noisy(truth, noise, sigma, (96,))) - truth[:, 0]
    bound = information.vector_bound(noise, sigma)
    assert rms(off) == pytest.approx(bound, rel=0.05)
    assert published is None or bound == pytest.approx(published, abs=1e-4)
    density, pixels = 2, 3.0  # bins per pixel; a sigma of 3 pixels
    assert information.vector_bound(1, pixels * density) / density == pytest.approx(1.30, abs=5e-3)


def test_under_correlated_noise_the_most_likely_place_reaches_the_measured_bound():
    bins, sigma, truth = np.arange(48), 3.0, 23.3
    covariance = 0.02**2 * 0.7 ** np.abs(np.subtract.outer(bins, bins))
    signal = np.exp(-0.5 * np.square((bins - truth) / sigma))
    bound = information.bound(signal * (bins - truth) / sigma**2, covariance)
    whiten = np.linalg.inv(np.linalg.cholesky(covariance))
    random = np.random.default_rng(3)
    seen = random.multivariate_normal(signal, covariance, 2000) @ whiten.T
    places = truth + np.linspace(-5, 5, 801) * bound
    models = np.exp(-0.5 * np.square((bins - places[:, None]) / sigma)) @ whiten.T
    misfit = np.square(models).sum(-1) - 2 * seen @ models.T
    assert rms(places[misfit.argmin(-1)] - truth) == pytest.approx(bound, rel=0.05)
    white = information.bound(signal * (bins - truth) / sigma**2, 0.02**2 * np.eye(48))
    assert white == pytest.approx(information.vector_bound(0.02, sigma), rel=1e-6)


def test_dark_without_a_blur_pays_for_its_three_bins():
    truth, noise = np.full((20_000, 1), 20.0), 0.004
    off = decoded(Dark(1e-10), noisy(truth, noise, 2.0, (41,))) - 20
    assert rms(off) == pytest.approx(information.unblurred_dark_rms(noise, 2.0), rel=0.03)
    assert information.unblurred_dark_rms(0.05, 2.0) == pytest.approx(0.160, abs=5e-4)


def test_a_mean_over_a_whole_map_collects_the_noise_of_its_far_bins():
    truth, noise, shape = np.full((4000, 2), 20.0), 0.002, (48, 40)
    heatmap = noisy(truth, noise, 2.0, shape)
    mean = (heatmap.sum(2) @ torch.arange(40.0)) / heatmap.sum((2, 3))
    law = information.centroid_rms(noise, 2.0, shape)
    assert rms(mean.numpy() - 20) == pytest.approx(law, rel=0.05)


def test_noise_and_quantisation_add_as_squares():
    truth, noise = np.random.default_rng(4).uniform(14, 26, (4000, 2)), 0.1
    decoder = Smoothed(QUARTER, 2.0, 0.5, None)
    off = decoder(noisy(truth, noise, 2.0, (40, 40)), 1.0)[:, 0].numpy() - truth
    law = information.with_quantisation(information.map_bound(noise), 0.5)
    assert law == pytest.approx(0.165, abs=1e-3)
    assert rms(off) == pytest.approx(law, rel=0.03)


@pytest.mark.parametrize(
    ("shape", "sigma", "noise", "published", "trials"),
    [
        ((64, 48), 2.0, 0.3, 0.070, 4000),
        ((64, 48), 2.0, 0.4, 0.34, 2000),
        ((384,), 6.0, 0.3, 0.007, 20_000),
        ((384,), 6.0, 0.4, 0.078, 20_000),
    ],
)
def test_argmax_is_lost_among_empty_bins_as_often_as_the_law_says(
    shape, sigma, noise, published, trials
):
    middle = np.array([size // 2 for size in shape])
    maps = noisy(np.tile(middle, (trials, 1)), noise, sigma, shape)
    off = Argmax()(maps, 1.0)[:, 0].numpy() - middle
    lost = (np.linalg.norm(off, axis=-1) > 4 * sigma).mean()
    law = information.gross_rate(noise, sigma, shape)
    assert lost == pytest.approx(law, abs=3 * math.sqrt(law / trials))
    assert law == pytest.approx(published, rel=0.1)


# --- ghosts ---------------------------------------------------------------------------------------


def chosen(profile, places):
    """Whether argmax of each vector is nearer to the first of two places."""
    found = decoded(Argmax(), profile)
    return np.abs(found - places[0]) < np.abs(found - places[1])


def two_modes(share, places, sigma=2.0, size=64):
    first, second = (vectors([place], sigma, size) for place in places)
    return share * first + (1 - share) * second


@pytest.mark.parametrize("noise", [0.03, 0.1, 0.3])
def test_axes_that_choose_alone_make_a_ghost_as_often_as_the_law_says(noise):
    random = torch.Generator().manual_seed(0)
    profiles = [two_modes(0.55, places) for places in ((15, 45), (20, 50))]
    noises = (noise * torch.randn(10_000, 1, 64, generator=random) for _ in profiles)
    x, y = (
        chosen(profile + each, places)
        for profile, each, places in zip(profiles, noises, ((15, 45), (20, 50)), strict=True)
    )
    first = (x.mean() + y.mean()) / 2
    assert (x != y).mean() == pytest.approx(ghosts.ghost_rate(first), abs=0.02)


@pytest.mark.parametrize("shared", [0.0, 0.1, 0.5])
def test_axes_that_choose_together_make_fewer_ghosts(shared):
    random = torch.Generator().manual_seed(0)
    lift = 1 + shared * torch.randn(10_000, 1, 1, generator=random)  # of the first mode, both axes
    x, y = (
        chosen(
            0.5 * lift * vectors([places[0]], 2.0, 64)
            + 0.5 * vectors([places[1]], 2.0, 64)
            + 0.05 * torch.randn(10_000, 1, 64, generator=random),
            places,
        )
        for places in ((15, 45), (20, 50))
    )
    first, covariance = (x.mean() + y.mean()) / 2, np.cov(x, y)[0, 1]
    ghost = (x != y).mean()
    assert ghost == pytest.approx(ghosts.ghost_rate(first, covariance), abs=2e-3)
    if shared:
        assert ghost < ghosts.ghost_rate(first) - 0.02


def test_a_map_that_is_decoded_as_a_whole_makes_no_ghosts():
    shape, noise = (64, 64), 0.1
    maps = 0.55 * noisy([[15, 20]] * 2000, 0, 2.0, shape) + 0.45 * noisy(
        [[45, 50]] * 2000, noise / 0.45, 2.0, shape
    )
    y, x = Argmax()(maps, 1.0)[:, 0].T
    down, across = (y - 15).abs() < (y - 45).abs(), (x - 20).abs() < (x - 50).abs()
    assert (down == across).float().mean() > 0.995
    first = down.double().mean().item()
    together = ghosts.ghost_rate(first, first * (1 - first))
    assert together == 0


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.55, 0.45), (0.9, 0.1), (0.5, 0.3, 0.2)])
def test_the_product_of_marginals_puts_the_laws_mass_where_no_mode_is(shares):
    places = [(12.3, 50.1), (40.6, 15.2), (65.0, 80.0)]
    modes = zip(shares, places, strict=False)
    plane = sum(
        share
        * heatmaps.normalise(heatmaps.gaussian(torch.tensor([[at]]).double(), (2.0, 2.0), (80, 96)))
        for share, at in modes
    )[0, 0]
    product = torch.outer(plane.sum(1), plane.sum(0))
    rows, columns = torch.arange(80), torch.arange(96)
    held = sum(
        product[(rows - y).abs() < 11][:, (columns - x).abs() < 11].sum().item()
        for y, x in places[: len(shares)]
    )
    assert 1 - held == pytest.approx(ghosts.ghost_mass(shares), abs=1e-6)
    if len(shares) == 2:
        assert ghosts.ghost_mass(shares) == pytest.approx(ghosts.ghost_rate(shares[0]), abs=1e-12)


@pytest.mark.parametrize(
    "sigmas", list(itertools.product([(1.5, 4.0), (3.0, 3.0)], [(4.0, 1.5), (3.0, 3.0)]))
)
@pytest.mark.parametrize("share", [0.4, 0.55])
def test_modes_of_other_shapes_make_ghosts_without_noise(share, sigmas):
    shares, places = (share, 1 - share), ((20.0, 15.0), (60.0, 70.0))
    plane = sum(
        part * heatmaps.normalise(heatmaps.gaussian(torch.tensor([[at]]), sigma, (80, 90)))
        for part, at, sigma in zip(shares, places, sigmas, strict=True)
    )
    y, x = (Argmax()(plane.sum(axis), 1.0).item() for axis in (3, 2))
    ghost = (y < 40) != (x < 40)
    assert ghosts.ghost_without_noise(shares, sigmas) == ghost


@pytest.mark.parametrize("shape", [(24, 20), (30, 30)])
def test_the_best_sum_of_two_vectors_explains_the_laws_share_of_a_product(shape):
    random = np.random.default_rng(0)
    rows, columns = (random.random(size) for size in shape)
    down, across = np.indices(shape).reshape(2, -1)
    design = np.concatenate([np.eye(shape[0])[down], np.eye(shape[1])[across]], 1)
    plane = np.outer(rows, columns).ravel()
    fit = design @ np.linalg.lstsq(design, plane, rcond=None)[0]
    share = 1 - (plane - fit).var() / plane.var()
    assert ghosts.additive_share(rows, columns) == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize("shape", [(64, 64), (64, 48), (32, 96)])
def test_a_sum_of_two_vectors_holds_little_of_a_bump(shape):
    profiles = [np.exp(-0.5 * np.square((np.arange(size) - 15.3) / 2)) for size in shape]
    law = ghosts.gaussian_additive_share(2.0, shape)
    assert ghosts.additive_share(*profiles) == pytest.approx(law, abs=1e-6)
    assert law < 0.27
    assert ghosts.gaussian_additive_share(2.0, (64, 48)) == pytest.approx(0.23, abs=1e-3)


def test_a_sum_of_two_vectors_of_scores_is_a_product_of_distributions():
    random = np.random.default_rng(0)
    rows, columns, labels = random.normal(size=9), random.normal(size=7), random.random((9, 7))
    labels = np.outer(labels.sum(1), labels.sum(0)) / labels.sum() ** 2
    joint = special.log_softmax(ghosts.ranked(rows[None], columns[None]))
    apart = special.log_softmax(rows)[:, None] + special.log_softmax(columns)
    np.testing.assert_allclose(joint, apart, atol=1e-12)
    both = sum(
        (label * special.log_softmax(score)).sum()
        for label, score in ((labels.sum(1), rows), (labels.sum(0), columns))
    )
    assert (labels * joint).sum() == pytest.approx(both, abs=1e-12)


def test_two_ranks_hold_two_modes_without_ghosts():
    rows = [-0.5 * np.square((np.arange(40) - place) / 2) for place in (10, 30)]
    columns = [-0.5 * np.square((np.arange(50) - place) / 2) for place in (12, 38)]
    probability = special.softmax(ghosts.ranked(np.array(rows), np.array(columns)))
    assert probability[:20, :25].sum() == pytest.approx(0.5, abs=1e-4)
    assert probability[:20, 25:].sum() < 1e-6


# --- costs and scores -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image_size", "density", "two", "one"),
    [
        ((64, 64), 2, 256, 256),
        ((64, 64), 3, 256, 384),
        ((128, 128), 2, 1024, 512),
        ((256, 192), 2, 3072, 896),
        ((384, 288), 2, 6912, 1344),
    ],
)
def test_a_decoder_looks_through_as_many_bins_as_its_grid_has(image_size, density, two, one):
    assert costs.map_elements(image_size, 4) == two
    assert costs.vector_elements(image_size, density) == one
    bins = [
        sum(math.prod(shape) for shape in Grid(image_size, stride, ndim).shapes)
        for stride, ndim in ((4, 2), (1 / density, 1))
    ]
    assert bins == [two, one]
    assert costs.even_density((64, 64), 4) == 2


def test_two_linear_layers_have_as_many_parameters_as_torch_counts():
    size = (256, 192)
    layers = [torch.nn.Linear(3072, 2 * side, device="meta") for side in size]
    parameters = sum(p.numel() for layer in layers for p in layer.parameters())
    assert costs.vector_head_parameters(size, 4, 2) == parameters
    assert parameters == pytest.approx(2.75e6, rel=2e-3)
    assert costs.vector_head_parameters((384, 288), 4, 2) == pytest.approx(9.3e6, rel=2e-3)
    products = 17 * sum(layer.weight.numel() for layer in layers)
    assert costs.vector_head_products(size, 4, 2, 17) == products
    assert products == pytest.approx(46.8e6, rel=1e-3)
    assert costs.map_head_products(size, 4, 17, 32) == pytest.approx(1.7e6, rel=0.02)


@pytest.mark.parametrize(
    ("elements", "kilobytes"), [(256, 17), (384, 25.5), (3072, 204), (896, 59.5), (1344, 89)]
)
def test_outputs_take_the_memory_of_their_tensor(elements, kilobytes):
    tensor = torch.empty(17, elements)
    found = costs.output_bytes(elements, 17)
    assert found == tensor.nbytes
    assert found / 1024 == pytest.approx(kilobytes, abs=0.3)


@pytest.mark.parametrize("sigma", [2.0, 4.0])
@pytest.mark.parametrize("uncertainty", [0.0, 1.0, 3.0])
def test_uncertainty_lowers_a_peak_by_the_law(uncertainty, sigma):
    spread = stats.norm.ppf(even(1000) + 0.5) * uncertainty
    peak = vectors(20 + spread, sigma, 41).mean(0).max().item()
    assert peak == pytest.approx(scores.vector_peak(sigma, uncertainty), rel=2e-3)
    random = np.random.default_rng(0).normal(20, uncertainty, (20_000, 1, 2))
    plane = heatmaps.gaussian(torch.as_tensor(random), (sigma, sigma), (41, 41))[:, 0, 20, 20]
    assert plane.mean().item() == pytest.approx(scores.map_peak(sigma, uncertainty), rel=0.01)


# --- seeds ----------------------------------------------------------------------------------------


def test_a_sign_flip_test_is_no_surer_than_its_number_of_flips():
    differences = np.array([1.0, 2.0, 0.5, 3.0, 1.5])  # all of one sign: as sure as can be
    flips = np.array(list(itertools.product([-1, 1], repeat=5)))
    p = (np.abs(flips @ differences) >= differences.sum() - 1e-12).mean()
    assert seeds.least_p(5) == p == 0.0625


def test_equality_is_shown_as_often_as_planned_with_the_laws_seeds():
    needed = seeds.seeds_for_equality(0.11, 0.05, level=0.05, power=0.8)
    count = round(needed)
    assert needed == pytest.approx(40, rel=0.05)
    runs = np.random.default_rng(0).normal(0, 0.11, (20_000, count))
    half = stats.t.ppf(0.95, count - 1) * runs.std(-1, ddof=1) / math.sqrt(count)
    shown = (np.abs(runs.mean(-1)) + half < 0.05).mean()
    assert shown == pytest.approx(0.8, abs=0.04)
