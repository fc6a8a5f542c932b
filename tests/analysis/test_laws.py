"""Each law against a simulation that does not know it, and against figures from elsewhere."""

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
    quantisation,
)
from heatmap_research.codec import gaussians, heatmaps
from heatmap_research.codec.decoders.argmax import Argmax
from heatmap_research.codec.decoders.dark import Dark
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
    return gaussians.gaussian(places, (sigma,), (size,))


def decoded(decoder, heatmap):
    """Of one axis, in bins."""
    return decoder(heatmap, 1.0)[:, 0, 0].numpy()


def off_in_a_square(decoder, count=400):
    """Errors y and x, in bins, for truths that a fine square lattice puts in one bin."""
    phase = even(count)
    places = torch.as_tensor(np.stack(np.meshgrid(phase, phase, indexing="ij"), -1).reshape(-1, 2))
    found = [
        decoder(gaussians.gaussian(part[:, None] + 3, (1.0, 1.0), (7, 7)), 1.0)[:, 0] - 3 - part
        for part in places.split(40_000)
    ]
    return torch.cat(found).numpy()


def rms(values):
    return math.sqrt(np.square(values).mean())


# --- quantisation ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("decoder", "side"), [(Argmax(), 1.0), (QUARTER, 0.5)])
def test_a_decoder_that_answers_with_one_point_of_a_bin_fills_a_square_with_its_errors(
    decoder, side
):
    off = off_in_a_square(decoder)
    distance = np.hypot(*off.T)
    assert np.abs(off).mean() == pytest.approx(side / 4, rel=1e-4)
    assert rms(off) == pytest.approx(side / math.sqrt(12), rel=1e-4)
    assert distance.mean() == pytest.approx(quantisation.mean_distance(side, side), rel=1e-4)
    assert rms(distance) == pytest.approx(side / math.sqrt(6), rel=1e-4)


def test_the_constants_of_quantisation_are_those_known():
    assert quantisation.mean_distance(1, 1) == pytest.approx((math.sqrt(2) + math.asinh(1)) / 6)
    assert quantisation.mean_distance(1, 1) == pytest.approx(0.38260, abs=5e-6)
    assert quantisation.mean_distance(0.5, 0.5) == pytest.approx(0.19130, abs=5e-6)
    assert quantisation.mean_distance(4, 4) == pytest.approx(1.530, abs=5e-4)


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


@pytest.mark.parametrize("side", [0.1, 1.0, 4.0, 20.0])
@pytest.mark.parametrize("tolerance", [1.0, 5.0])
def test_quantisation_takes_from_oks_what_the_law_says(tolerance, side):
    along = np.exp(-np.square(side * even(4000) / tolerance) / 2)
    similarity = np.outer(along, along).mean()
    law = quantisation.expected_oks(side, tolerance)
    assert 1 - law == pytest.approx(1 - similarity, rel=0.002)


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
    found = grid.join([Argmax()(gaussians.gaussian(p, (2.0,), s), 1.0) for p, s in labels])
    return found[:, 0, 0].numpy() - pixels


def test_unit_lengths_spread_bins_wider_than_a_stride():
    spacing = 63 / 15
    pixels = spacing * ((np.arange(14_000) + 0.5) / 1000 + 0.5)  # the bins that lie inside
    off = off_in_a_crop(Geometry(0, -1, None), 64, 4, pixels)
    assert np.abs(off).mean() == pytest.approx(spacing / 4, rel=1e-4)
    assert np.abs(off).max() <= spacing / 2


def test_bins_on_multiples_of_the_stride_keep_the_law_up_to_their_own_end():
    geometry = Geometry(0, 0, None)
    inside = np.linspace(2, 62, 15 * 200 + 1)[:-1] + 0.01
    off = off_in_a_crop(geometry, 64, 4, inside)
    assert np.abs(off).mean() == pytest.approx(1, rel=1e-4)
    assert np.abs(off).max() <= 2
    edge = off_in_a_crop(geometry, 64, 4, np.array([63.5]))
    assert edge.item() == -3.5


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
    heatmap = logit * gaussians.gaussian(
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
    back = DebiasedSoftArgmax(1.0)(heatmap, 1.0)[:, 0].numpy() - truth
    assert np.abs(back).max() < (1e-3 if logit <= 5 else 5e-3)  # aliasing is left


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


def test_labels_that_are_no_gaussian_move_dark_by_the_law():
    phase = even(200)
    places = torch.as_tensor(phase)[:, None, None] + 20
    laplace = decoded(Dark(1e-300), Laplace(2.0)(places, (41,), (1.0,))) - 20 - phase
    np.testing.assert_allclose(laplace, phase / (2 * (1 - np.abs(phase))) - phase, atol=1e-9)
    softened = Softened(Gaussian(4.9), 10.0)(places, (41,), (1.0,))
    off = decoded(Dark(1e-300), softened) - 20 - phase
    near, far = np.exp(-0.5 / 4.9**2), phase / 4.9**2
    step = near * np.sinh(far) / (2 * (1 - near * np.cosh(far)))
    np.testing.assert_allclose(off, step - phase, atol=1e-9)


# --- noise ----------------------------------------------------------------------------------------


def noisy(truth, noise, sigma, shape, seed=0):
    """Maps of peak 1 with noise of their own in every bin."""
    label = gaussians.gaussian(
        torch.as_tensor(truth)[:, None].float(), (sigma,) * len(shape), shape
    )
    random = torch.Generator().manual_seed(seed)
    return label + noise * torch.randn(label.shape, generator=random)


def test_dark_after_a_matched_blur_reaches_the_bound_of_a_map():
    random = np.random.default_rng(0)
    truth, noise = random.uniform(14, 26, (4000, 2)), 0.05
    off = MATCHED(noisy(truth, noise, 2.0, (40, 40)), 1.0)[:, 0].numpy() - truth
    assert rms(off) == pytest.approx(math.sqrt(2 / math.pi) * noise, rel=0.05)  # Cramér-Rao


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
        * heatmaps.normalise(
            gaussians.gaussian(torch.tensor([[at]]).double(), (2.0, 2.0), (80, 96))
        )
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


# --- costs ----------------------------------------------------------------------------------------


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
