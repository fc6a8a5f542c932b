import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from options import DECODERS, NDIMS, OF_WHOLE_MAPS, STRIDES, TARGETS, uniform_keypoints
from pairwise import covering, each
from scipy import ndimage, special, stats

from heatmap_research.codec import blurring, crest, gaussians, heatmaps
from heatmap_research.codec.decoders.argmax import Argmax
from heatmap_research.codec.decoders.coordinates import Coordinates
from heatmap_research.codec.decoders.dark import Dark
from heatmap_research.codec.decoders.dark_published import DarkPublished
from heatmap_research.codec.decoders.dark_simcc import DarkSimcc
from heatmap_research.codec.decoders.dark_udp import DarkUdp
from heatmap_research.codec.decoders.debiased_soft_argmax import DebiasedSoftArgmax
from heatmap_research.codec.decoders.expected_oks import ExpectedOks
from heatmap_research.codec.decoders.local_soft_argmax import LocalSoftArgmax
from heatmap_research.codec.decoders.quarter_offset import QuarterOffset
from heatmap_research.codec.decoders.smoothed import Smoothed
from heatmap_research.codec.decoders.soft_argmax import SoftArgmax
from heatmap_research.codec.grid import Grid
from heatmap_research.codec.targets.gaussian import Gaussian
from heatmap_research.codec.targets.gaussian_patch import GaussianPatch
from heatmap_research.codec.targets.laplace import Laplace
from heatmap_research.codec.targets.merged import Merged
from heatmap_research.codec.targets.normalised import Normalised
from heatmap_research.codec.targets.one_hot import OneHot
from heatmap_research.codec.targets.softened import Softened
from heatmap_research.types import IncompatibleError

OF_MAPS = {name: decoder for name, decoder in DECODERS.items() if decoder.needs != "coordinates"}
every_decoder = pytest.mark.parametrize("decoder", OF_MAPS.values(), ids=OF_MAPS)
both_layouts = each(ndim=NDIMS)
every_stride = pytest.mark.parametrize("stride", STRIDES, ids=lambda s: f"stride{s:.2f}")
IMAGES = {"oblong": (24, 36), "square": (30, 30)}  # bins

QUARTERS = ("quarter_offset", "quarter_published")
WHOLE_BINS = ("argmax", "argmax_blur", "rank_1", *QUARTERS)  # steps, without a gradient
SHY = {  # bins from the border within which published code does not do what it does elsewhere
    name: 8.0 if name in ("dark_published", "dark_udp", "dark_simcc", "quarter_published") else 0.0
    for name in OF_MAPS
}
by_name = pytest.mark.parametrize("name", OF_MAPS)

MEAN_DISTANCE = (math.sqrt(2) + math.asinh(1)) / 6  # of a uniform point from its square's centre
PIXEL = 1e-3  # what "sub-bin" means: the largest error allowed, in input pixels


def image_of(bins, stride):
    return round(bins[0] * stride), round(bins[1] * stride)


def error(grid, target, decoder, keypoints, normalised=False):
    """The decoded point minus the true one, in pixels: (count, 1, 2), x before y."""
    found = []
    for part in keypoints.split(500):
        labels = zip(grid.split(part), grid.shapes, grid.strides, strict=True)
        maps = [target(position, shape, stride) for position, shape, stride in labels]
        maps = [heatmaps.normalise(heatmap) if normalised else heatmap for heatmap in maps]
        found.append(grid.join([decoder(heatmap, grid.stride) for heatmap in maps]))
    return torch.cat(found) - keypoints


def gaussian(position, sigma, shape):
    """A Gaussian that is `sigma` bins wide along every axis."""
    return gaussians.gaussian(position, (sigma,) * len(shape), shape)


def bumps(shape, count=24, seed=0, room=0.3):
    """Maps that sum to one, of noise and a peak far from the border: (count / 3, 3, *shape)."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(count // 3, 3, len(shape), generator=generator) * (1 - 2 * room) + room
    peak = gaussian(share * torch.tensor([float(size) for size in shape]), 1.8, shape)
    return heatmaps.normalise(peak + 0.02 * torch.rand(peak.shape, generator=generator))


def from_border(grid, keypoints):
    """How many bins lie between a keypoint and the nearer end of each axis: x before y."""
    ends = torch.tensor([grid.bins[1] / 1.0, grid.bins[0] / 1.0])
    bins = (keypoints + 0.5) / grid.stride
    return torch.minimum(bins, ends - bins)


# --- dark ---------------------------------------------------------------------------------------


@covering(
    ("ndim2", "stride0.667", "oblong", "sum_one"),  # bins that no float holds, axes that differ
    ndim=NDIMS,
    stride=STRIDES,
    bins=IMAGES,
    normalised={"peak_one": False, "sum_one": True},
)
def test_dark_is_exact_wherever_its_neighbourhood_lies_in_the_map(ndim, stride, bins, normalised):
    grid = Grid(image_of(bins, stride), stride, ndim)
    for seed, sigma in enumerate((0.2, 0.3, 0.5, 1.0, 2.0, 4.0, 8.0)):  # bins
        keypoints = uniform_keypoints(1000, grid.image_size, seed=seed)
        off = error(grid, Gaussian(sigma * stride), Dark(1e-30), keypoints, normalised).abs()
        border = from_border(grid, keypoints)
        assert off[border > 1.001].max() < PIXEL
        assert off[border < 0.999].max() <= stride / 2 + PIXEL


def test_dark_of_a_one_hot_map_is_its_bin():
    grid = Grid((48, 64), 4, 2)
    keypoints = uniform_keypoints(500, grid.image_size)
    torch.testing.assert_close(
        error(grid, OneHot(0.0), Dark(1e-30), keypoints),
        error(grid, OneHot(0.0), Argmax(), keypoints),
        atol=1e-5,
        rtol=0,
    )


@pytest.mark.parametrize("floor", [0, -1e-3])
def test_dark_needs_a_floor_above_zero(floor):
    with pytest.raises(ValueError, match=r"decoder\.dark\.floor"):
        Dark(floor)


# --- expectations -------------------------------------------------------------------------------


EXPECTATIONS = {  # of a label's width, and whether they read a map that sums to one
    "soft_argmax": (lambda sigma: SoftArgmax(1.0), True),
    "local_on_sum_one": (lambda sigma: LocalSoftArgmax(sigma, reach=5.0), True),
    "local_on_peak_one": (lambda sigma: LocalSoftArgmax(sigma, reach=5.0), False),
    "local_wider": (lambda sigma: LocalSoftArgmax(sigma, reach=6.5), False),
}


@covering(
    ("ndim2", "stride0.667", "oblong", "soft_argmax"),
    ("ndim2", "stride0.667", "oblong", "local_on_peak_one"),
    ndim=NDIMS,
    stride=STRIDES,
    bins=IMAGES,
    expectation=EXPECTATIONS,
)
def test_an_expectation_is_exact_five_sigmas_from_the_border(ndim, stride, bins, expectation):
    decoder_of, normalised = expectation
    grid = Grid(image_of(bins, stride), stride, ndim)
    for seed, sigma in enumerate((0.8, 1.0, 1.5, 2.3)):  # bins
        width = sigma * stride
        keypoints = uniform_keypoints(500, grid.image_size, margin=5 * width, seed=seed)
        off = error(grid, Gaussian(width), decoder_of(width), keypoints, normalised).abs()
        assert off.max() < PIXEL


@pytest.mark.parametrize("image_size", [(256, 192), (192, 192)], ids=str)
@both_layouts
def test_sub_bin_decoders_are_exact_on_large_images(ndim, image_size):
    grid = Grid(image_size, 1, ndim)
    keypoints = uniform_keypoints(200, image_size, margin=5 * 6.0)
    for decoder in (SoftArgmax(1.0), Dark(1e-30), LocalSoftArgmax(6.0, 5.0)):
        assert error(grid, Gaussian(6.0), decoder, keypoints, normalised=True).abs().max() < PIXEL


@pytest.mark.parametrize("sigma", [2.0, 3.0])
@both_layouts
def test_a_border_pulls_an_expectation_by_the_mean_of_a_cut_gaussian(ndim, sigma):
    grid = Grid((60, 48), 1, ndim)
    keypoints = uniform_keypoints(2000, grid.image_size)
    off = error(grid, Gaussian(sigma), SoftArgmax(1.0), keypoints, normalised=True)
    for axis, size in ((0, 48), (1, 60)):
        true = keypoints[..., axis].double().numpy()
        low, high = (-0.5 - true) / sigma, (size - 0.5 - true) / sigma
        expected = stats.truncnorm.mean(low, high, loc=true, scale=sigma) - true
        np.testing.assert_allclose(off[..., axis].numpy(), expected, atol=0.01 * sigma, rtol=0)


@pytest.mark.parametrize("sigma", [0.4, 0.5, 0.6])
def test_a_sharp_expectation_is_pulled_to_the_bin_by_the_law_of_aliasing(sigma):
    phase = torch.linspace(-0.5, 0.5, 201)
    heatmap = heatmaps.normalise(gaussian(phase[None, :, None] + 15, sigma, (31,)))
    off = SoftArgmax(1.0)(heatmap, 1.0)[0, :, 0] - 15 - phase
    height = 4 * math.pi * sigma**2 * math.exp(-2 * math.pi**2 * sigma**2)
    law = -height * torch.sin(2 * math.pi * phase)
    assert off.abs().max().item() == pytest.approx(height, rel=0.03)
    assert (off - law).abs().max() < 0.15 * height  # harmonics shift it by more than they raise it


@pytest.mark.parametrize("logit", [1.0, 5.0, 10.0])
@both_layouts
def test_the_background_of_a_softmax_pulls_an_expectation_to_the_middle(ndim, logit):
    shape, sigma = (64, 48)[:ndim], 2.0
    phases = torch.arange(16)[:, None, None] / 16  # in their mean no aliasing is left
    true = torch.tensor([17.0, 30.0][:ndim]) + phases
    scores = logit * gaussian(true, sigma, shape)
    pull = (SoftArgmax(1.0)(heatmaps.activate(scores, "softmax"), 1.0) - true).mean((0, 1))
    if ndim == 2:
        peak = 2 * math.pi * sigma**2 * (special.expi(logit) - math.log(logit) - np.euler_gamma)
    else:
        terms = (logit**n / math.factorial(n) * math.sqrt(2 * math.pi / n) for n in range(1, 60))
        peak = sigma * sum(terms)
    background = math.prod(shape) / (math.prod(shape) + peak)
    middle = (torch.tensor(shape) - 1) / 2
    expected = background * (middle - true.mean((0, 1)))
    torch.testing.assert_close(pull, expected, atol=2e-4, rtol=5e-4)


# --- a window cuts the label's tails --------------------------------------------------------------


def window_mean(position, sigma, size, radius):
    """The mean of a Gaussian cut off `radius` bins from its nearest bin, added up bin by bin."""
    nearest = round(position)
    mass = moment = 0.0
    for bin_ in range(max(0, nearest - radius), min(size - 1, nearest + radius) + 1):
        weight = math.exp(-0.5 * ((bin_ - position) / sigma) ** 2)
        mass += weight
        moment += weight * bin_
    return moment / mass


@covering(ndim=NDIMS, stride=[4, 2 / 3], sigma=[0.5, 0.8, 1.0, 2.0, 4.0])  # bins
def test_a_small_window_errs_by_the_tails_it_cuts(ndim, stride, sigma):
    for reach in (0.3, 0.5, 1.0, 2.0, 3.0, 4.0):
        grid = Grid(image_of((24, 36), stride), stride, ndim)
        decoder = LocalSoftArgmax(sigma * stride, reach)
        keypoints = uniform_keypoints(200, grid.image_size)
        found = grid.split(error(grid, Gaussian(sigma * stride), decoder, keypoints) + keypoints)
        found, true = torch.cat(found, -1)[:, 0], torch.cat(grid.split(keypoints), -1)[:, 0]
        radius = max(1, math.ceil(round(reach * sigma, 6)))
        for axis, size in enumerate(grid.bins):
            clear = ((true[:, axis] % 1) - 0.5).abs() > 1e-4  # not halfway between two bins
            expected = [window_mean(p, sigma, size, radius) for p in true[clear, axis].tolist()]
            np.testing.assert_allclose(found[clear, axis].numpy(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("sigma", [1.0, 2.0, 4.0, 8.0])  # bins
def test_a_small_window_errs_nearly_by_the_mean_of_a_cut_gaussian(sigma):
    for reach in (1.0, 2.0, 3.0):
        phase = torch.linspace(-0.499, 0.499, 101, dtype=torch.float64)
        middle = 60
        heatmap = gaussian(phase[None, :, None] + middle, sigma, (121,))
        found = LocalSoftArgmax(sigma, reach)(heatmap, 1.0)[0, :, 0].numpy() - middle
        half = max(1, math.ceil(reach * sigma)) + 0.5
        true = phase.numpy()
        expected = stats.truncnorm.mean(
            (-half - true) / sigma, (half - true) / sigma, loc=true, scale=sigma
        )
        np.testing.assert_allclose(found, expected, atol=0.02 / sigma**2, rtol=0)


@pytest.mark.parametrize("reach", [0.0, -1.0])
def test_a_window_reaches_somewhere(reach):
    with pytest.raises(ValueError, match="reach"):
        LocalSoftArgmax(2.0, reach)


def test_a_window_is_not_pulled_by_what_lies_beyond_it():
    true = torch.tensor([[[20.3, 15.8]]])
    near = gaussian(true, 1.5, (48, 64))
    far = gaussian(torch.tensor([[[38.0, 50.0]]]), 1.5, (48, 64))
    found = LocalSoftArgmax(1.5, 5.0)(near + 0.9 * far, 1.0)
    torch.testing.assert_close(found, true, atol=1e-4, rtol=0)


# --- quantisation ---------------------------------------------------------------------------------


@covering(ndim=NDIMS, stride=STRIDES, bins=IMAGES)
def test_argmax_is_off_by_the_law_of_quantisation_over_the_whole_crop(ndim, stride, bins):
    grid = Grid(image_of(bins, stride), stride, ndim)
    keypoints = uniform_keypoints(10_000, grid.image_size)
    off = error(grid, Gaussian(2.0 * stride), Argmax(), keypoints)
    assert off.abs().max() <= stride / 2 + 1e-4
    assert off.abs().mean().item() == pytest.approx(stride / 4, rel=0.02)
    assert off.norm(dim=-1).mean().item() == pytest.approx(MEAN_DISTANCE * stride, rel=0.02)
    assert off.square().mean().sqrt().item() == pytest.approx(stride / math.sqrt(12), rel=0.02)


@covering(ndim=NDIMS, stride=STRIDES, bins=IMAGES)
def test_a_quarter_offset_halves_quantisation_in_the_interior(ndim, stride, bins):
    grid = Grid(image_of(bins, stride), stride, ndim)
    keypoints = uniform_keypoints(10_000, grid.image_size, margin=1.001 * stride)
    off = error(grid, Gaussian(2.0 * stride), DECODERS["quarter_offset"], keypoints)
    assert off.abs().max() <= stride / 4 + 1e-4
    assert off.abs().mean().item() == pytest.approx(stride / 8, rel=0.02)
    assert off.norm(dim=-1).mean().item() == pytest.approx(MEAN_DISTANCE / 2 * stride, rel=0.02)


@both_layouts
def test_a_quarter_offset_stays_in_a_border_bin(ndim):
    for stride in STRIDES:
        grid = Grid(image_of((24, 36), stride), stride, ndim)
        keypoints = uniform_keypoints(10_000, grid.image_size)
        border = from_border(grid, keypoints) < 0.999
        quarter, argmax = (
            error(grid, Gaussian(2.0 * stride), decoder, keypoints)
            for decoder in (DECODERS["quarter_offset"], Argmax())
        )
        assert border.sum() > 500
        assert torch.equal(quarter[border], argmax[border])


@pytest.mark.parametrize("axes", [1, 2])
def test_a_quarter_offset_takes_no_side_at_a_bin_centre(axes):
    for sigma in (0.5, 2.0, 8.0):
        centres = torch.cartesian_prod(*[torch.arange(1.0, 16)] * axes).view(1, -1, axes)
        heatmap = heatmaps.normalise(gaussian(centres, sigma, (17,) * axes))
        assert torch.equal(QuarterOffset(0.25, 1e-6, "none")(heatmap, 1.0), centres)


@pytest.mark.parametrize("axes", [1, 2])
def test_a_quarter_offset_stays_within_its_dead_zone(axes):
    heatmap = torch.zeros(1, 2, *[3] * axes)
    middle = (..., *[1] * axes)
    after = (..., *[1] * (axes - 1), 2)
    heatmap[middle] = 1.0
    heatmap[after] = torch.tensor([1e-6, 4e-6])  # slopes of half as much
    expected = [[[1.0] * axes, [1.0] * (axes - 1) + [1.25]]]
    assert QuarterOffset(0.25, 1e-6, "none")(heatmap, 1.0).tolist() == expected


@pytest.mark.parametrize("axes", [1, 2])
def test_halfway_between_two_bins_a_quarter_offset_is_a_quarter_off(axes):
    halfway = torch.cartesian_prod(*[torch.arange(1.5, 15)] * axes).view(1, -1, axes)
    heatmap = gaussian(halfway, 2.0, (17,) * axes)
    off = QuarterOffset(0.25, 1e-6, "none")(heatmap, 1.0) - halfway
    torch.testing.assert_close(off.abs(), torch.full_like(off, 0.25))


@pytest.mark.parametrize("name", ["argmax", "quarter_offset", "dark", "local_soft_argmax"])
@both_layouts
def test_no_decoder_finds_what_a_rounded_label_has_lost(ndim, name):
    grid = Grid((48, 64), 2, ndim)
    keypoints = uniform_keypoints(10_000, grid.image_size, margin=12.0)
    rounded = grid.join([position.round() for position in grid.split(keypoints)])
    off = error(grid, Gaussian(2.0), DECODERS[name], rounded) + rounded - keypoints
    assert off.norm(dim=-1).mean().item() == pytest.approx(MEAN_DISTANCE * 2, rel=0.02)


# --- smoothing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
@both_layouts
def test_smoothing_widens_a_label_without_moving_it(ndim, sigma):
    grid = Grid((128, 96), 1, ndim)
    keypoints = uniform_keypoints(300, grid.image_size, margin=10 * sigma)
    off = error(
        grid, Gaussian(sigma), Smoothed(Dark(1e-30), sigma, least=0.5, size=None), keypoints
    )
    assert off.abs().max() < PIXEL
    places = grid.split(keypoints.double())
    for place, shape in zip(places, grid.shapes, strict=True):
        assert_the_top_is_that_of_the_whole_blur(gaussian(place, sigma, shape), sigma)


def assert_the_top_is_that_of_the_whole_blur(label, sigma):
    """Also of maps whose top is anywhere, which are a part of a batch, all of it or most of it."""
    draws = torch.Generator().manual_seed(0)
    noise = torch.rand(label.shape, generator=draws, dtype=label.dtype)
    two = label + 0.999 * label.flip(0)
    few = torch.arange(len(label)).view(-1, *[1] * (label.ndim - 1)) % 9 == 0
    mixed = torch.where(few, noise, label + 0.1 * noise)
    found = crest._crest(mixed, sigma).missed
    assert 0 < found.sum() < found.numel() / 2
    for heatmap in (label, mixed, two, noise, -noise, label - 0.5):
        blurred = blurring.blur(heatmap, sigma)
        for decoder in (Argmax(), Dark(1e-30)):
            near = Smoothed(decoder, sigma, least=0.5, size=None)(heatmap, 1.0)
            torch.testing.assert_close(near, decoder(blurred, 1.0), atol=1e-9, rtol=0)


def test_smoothing_takes_noise_out_of_a_map():
    random = torch.Generator().manual_seed(0)
    true = torch.rand(400, 1, 2, generator=random) * 20 + 14
    noisy = gaussian(true, 2.0, (48, 48))
    noisy = noisy + 0.05 * torch.randn(noisy.shape, generator=random)
    off = Smoothed(Dark(1e-10), 2.0, least=0.5, size=None)(noisy, 1.0) - true
    bound = 0.05 * math.sqrt(2 / math.pi)  # Cramér-Rao, bins an axis
    assert off.square().mean().sqrt().item() == pytest.approx(bound, rel=0.1)


def test_a_blur_is_never_narrower_than_its_least_width():
    heatmap = torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    coarse = Smoothed(SoftArgmax(1.0), sigma=1.0, least=0.7, size=None)(heatmap, 4.0)
    torch.testing.assert_close(coarse, SoftArgmax(1.0)(blurring.blur(heatmap, 0.7), 4.0))
    fine = Smoothed(SoftArgmax(1.0), sigma=1.0, least=0.7, size=None)(heatmap, 0.5)
    torch.testing.assert_close(fine, SoftArgmax(1.0)(blurring.blur(heatmap, 2.0), 0.5))


@pytest.mark.parametrize("sigma", [0.0, -1.0])
def test_a_blur_has_a_width(sigma):
    with pytest.raises(ValueError, match="sigma"):
        Smoothed(Argmax(), sigma, least=0.5, size=None)


def test_a_smoothed_decoder_needs_what_its_decoder_needs():
    assert Smoothed(SoftArgmax(1.0), 1.0, 0.5, None).needs == "softmax"
    assert Smoothed(Argmax(), 1.0, 0.5, None).needs is None


def test_smoothing_by_a_kernel_equals_its_convolution_bin_by_bin():
    heatmap = torch.rand(2, 3, 9, 12, generator=torch.Generator().manual_seed(0)).double()
    for size, sigma in ((11, 2.0), (17, 2.9)):
        taps = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * sigma**2))
        found = blurring.modulated(heatmap, size)
        for batch, joint in np.ndindex(2, 3):
            plane = heatmap[batch, joint].numpy()
            smooth = zero_padded(plane, taps / taps.sum())
            expected = smooth * plane.max() / smooth.max()
            np.testing.assert_allclose(found[batch, joint].numpy(), expected, rtol=1e-12)


MODULATED = {  # label's sigma and the kernel's size, bins: mean and largest error along an axis
    (1.0, 3): (6e-3, 1.3e-2),
    (2.0, 11): (2.2e-4, 4.6e-4),
    (3.0, 17): (5e-5, 9e-5),
}


@pytest.mark.parametrize(("sigma", "size"), MODULATED)
@both_layouts
@pytest.mark.parametrize(
    "decoder_of",
    [
        lambda size: Smoothed(Dark(1e-30), sigma=1.0, least=0.5, size=size),
        lambda size: DarkPublished(size, floor=1e-10),
    ],
    ids=["dark_blur", "dark_published"],
)
def test_the_published_blur_costs_dark_little(decoder_of, ndim, sigma, size):
    grid = Grid((96, 64), 1, ndim)
    keypoints = uniform_keypoints(500, grid.image_size, margin=8 * sigma).double()
    off = error(grid, Gaussian(sigma), decoder_of(size), keypoints).abs()
    mean, largest = MODULATED[sigma, size]
    assert off.mean() < mean
    assert off.max() < largest


@pytest.mark.parametrize(
    "make",
    [
        lambda size: Smoothed(Argmax(), 2.0, 0.5, size),
        lambda size: DarkPublished(size, 1e-10),
        lambda size: DarkUdp(size, 1e-3, 50.0, 1e-7),
        lambda size: DarkSimcc(size, 1e-3, 50.0, 1e-9),
    ],
    ids=["smoothed", "dark_published", "dark_udp", "dark_simcc"],
)
def test_a_kernel_has_a_middle_bin_and_a_flank(make):
    for size in (1, 4, 0):
        with pytest.raises(ValueError, match=f"size={size}: .*odd"):
            make(size)


# --- published variants, one bin at a time in double precision ------------------------------------

TAPS = np.exp(-((np.arange(11) - 5) ** 2) / 8) / np.exp(-((np.arange(11) - 5) ** 2) / 8).sum()


def zero_padded(plane, taps):
    for axis in range(plane.ndim):
        plane = ndimage.convolve1d(plane, taps, axis, mode="constant")
    return plane


def as_high(plane):
    smooth = zero_padded(plane, TAPS)
    return smooth * plane.max() / smooth.max()


def bins_of(plane):
    """Returns a function of bins that answers with the map, and beyond it with its outer bins."""
    ends = np.array(plane.shape) - 1
    return lambda *bins: plane[tuple(np.clip(bins, 0, ends))]


def dark_published(plane):
    y, x = np.unravel_index(plane.argmax(), plane.shape)
    height, width = plane.shape
    f = bins_of(np.log(np.maximum(as_high(plane), 1e-10)))
    if not (1 < x < width - 2 and 1 < y < height - 2):
        return y, x
    slope = np.array([f(y + 1, x) - f(y - 1, x), f(y, x + 1) - f(y, x - 1)]) / 2
    down = (f(y + 2, x) - 2 * f(y, x) + f(y - 2, x)) / 4
    across = (f(y, x + 2) - 2 * f(y, x) + f(y, x - 2)) / 4
    both = f(y + 1, x + 1) - f(y - 1, x + 1) - f(y + 1, x - 1) + f(y - 1, x - 1)
    curve = np.array([[down, both / 4], [both / 4, across]])
    return np.array([y, x]) - np.linalg.inv(curve) @ slope


def dark_udp(plane):
    y, x = np.unravel_index(plane.argmax(), plane.shape)
    f = bins_of(np.log(np.clip(as_high(plane), 1e-3, 50)))
    slope = np.array([f(y + 1, x) - f(y - 1, x), f(y, x + 1) - f(y, x - 1)]) / 2
    down = f(y + 1, x) - 2 * f(y, x) + f(y - 1, x)
    across = f(y, x + 1) - 2 * f(y, x) + f(y, x - 1)
    both = f(y + 1, x + 1) - f(y, x + 1) - f(y + 1, x) + 2 * f(y, x)
    both = both - f(y, x - 1) - f(y - 1, x) + f(y - 1, x - 1)
    curve = np.array([[down, both / 2], [both / 2, across]]) + 2.0**-23 * np.eye(2)
    return np.array([y, x]) - np.linalg.inv(curve) @ slope


def dark_simcc(line):
    x = line.argmax()
    f = bins_of(np.log(np.clip(as_high(line), 1e-3, 50)))
    slope = (f(x + 1) - f(x - 1)) / 2
    return [x - slope / (1e-9 + (f(x + 2) - 2 * f(x) + f(x - 2)) / 4)]


@pytest.mark.parametrize(
    ("name", "loop", "shape"),
    [
        ("dark_published", dark_published, (14, 17)),
        ("dark_udp", dark_udp, (14, 17)),
        ("dark_simcc", dark_simcc, (30,)),
    ],
)
def test_a_published_variant_equals_its_loop(name, loop, shape):
    for scale in (1.0, 0.02, 30.0):
        heatmap = scale * bumps(shape, count=150, room=0.0).double()
        found = DECODERS[name](heatmap, 1.0)
        for batch, joint in np.ndindex(50, 3):
            expected = loop(heatmap[batch, joint].numpy())
            np.testing.assert_allclose(found[batch, joint].numpy(), expected, rtol=1e-6, atol=1e-6)


def quarter_hrnet(plane, y, x):
    height, width = plane.shape
    if 1 < x < width - 1 and 1 < y < height - 1:
        return quarter_of(plane, y, x, True, True)
    return y, x


def quarter_mmpose(plane, y, x):
    height, width = plane.shape
    down, across = 1 < y < height - 1 and 0 < x < width, 1 < x < width - 1 and 0 < y < height
    return quarter_of(plane, y, x, down, across)


def quarter_of(plane, y, x, down, across):
    y_step = np.sign(plane[y + 1, x] - plane[y - 1, x]) / 4 if down else 0
    x_step = np.sign(plane[y, x + 1] - plane[y, x - 1]) / 4 if across else 0
    return y + y_step, x + x_step


@pytest.mark.parametrize(("border", "loop"), [("hrnet", quarter_hrnet), ("mmpose", quarter_mmpose)])
def test_a_published_quarter_step_keeps_off_the_border_by_its_rule(border, loop):
    decoder = QuarterOffset(0.25, 0.0, border)
    noise = torch.rand(6, 7, generator=torch.Generator().manual_seed(0))
    for y, x in np.ndindex(6, 7):
        plane = noise.clone()
        plane[y, x] = 2.0
        found = decoder(plane[None, None], 1.0)[0, 0].tolist()
        assert found == list(loop(plane.numpy(), y, x))


# --- debiased -------------------------------------------------------------------------------------


def debiased(plane, beta):
    """Computes (C mean - n middle) / (C - n) by adding up one bin after another."""
    total, moment = 0.0, np.zeros(plane.ndim)
    for index in np.ndindex(plane.shape):
        weight = math.exp(beta * plane[index])
        total += weight
        moment += weight * np.array(index)
    middle = (np.array(plane.shape) - 1) / 2
    return (moment - plane.size * middle) / (total - plane.size)


@pytest.mark.parametrize("shape", [(20,), (9, 12)])
@pytest.mark.parametrize("beta", [0.3, 1.0, 10.0])
def test_debiasing_equals_its_sum_bin_by_bin(beta, shape):
    heatmap = 3 * bumps(shape).double()
    found = DebiasedSoftArgmax(beta)(heatmap, 1.0)
    for batch, joint in np.ndindex(8, 3):
        expected = debiased(heatmap[batch, joint].numpy(), beta)
        np.testing.assert_allclose(found[batch, joint].numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize(("sigma", "logit"), [(2.0, 0.1), (2.0, 1.0), (2.0, 6.25), (3.0, 14.0)])
def test_debiasing_takes_out_the_pull_of_the_background(sigma, logit):
    for shape in ((64, 48), (256, 192), (192,)):
        """As far as aliasing allows: from a width of sigma / sqrt(logit) = 0.8 bins on."""
        random = torch.Generator().manual_seed(0)
        size = torch.tensor([float(bins) for bins in shape]) - 14 * sigma
        true = torch.rand(50, 1, len(shape), generator=random) * size + 7 * sigma
        heatmap = gaussian(true, sigma, shape)
        assert (DebiasedSoftArgmax(logit)(heatmap, 1.0) - true).abs().max() < PIXEL


def test_debiasing_matters_where_a_map_is_wide_and_its_peak_is_low():
    true = torch.tensor([[[20.3, 40.8]], [[12.7, 50.1]]])
    heatmap = 5 * gaussian(true, 2.0, (64, 64))
    plain = SoftArgmax(1.0)(heatmaps.activate(heatmap, "softmax"), 1.0)
    assert (plain - true).norm(dim=-1).min() > 5
    assert (DebiasedSoftArgmax(1.0)(heatmap, 1.0) - true).norm(dim=-1).max() < PIXEL


@pytest.mark.parametrize("value", [0.0, 1e-12, -1e-3, -5.0, -1e4])
def test_debiasing_a_map_without_a_peak_finds_its_middle(value):
    found = DebiasedSoftArgmax(1.0)(torch.full((1, 1, 8, 5), value), 1.0)
    torch.testing.assert_close(found, torch.tensor([[[3.5, 2.0]]]))


@given(
    scale=st.floats(-20, 20),
    noise=st.floats(0, 3),
    beta=st.floats(0.01, 30),
    seed=st.integers(0, 99),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_debiasing_stays_within_the_map_whatever_the_map(scale, noise, beta, seed):
    random = torch.Generator().manual_seed(seed)
    heatmap = scale + noise * torch.randn(2, 3, 6, 9, generator=random)
    found = DebiasedSoftArgmax(beta)(heatmap, 1.0)
    assert (found >= -0.5).all()
    assert (found <= torch.tensor([5.5, 8.5])).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DebiasedSoftArgmax(0.0), r"decoder\.debiased_soft_argmax\.beta=0"),
        (lambda: SoftArgmax(0.0), r"decoder\.soft_argmax\.temperature=0"),
        (lambda: SoftArgmax(-1.0), r"decoder\.soft_argmax\.temperature=-1"),
        (lambda: DarkPublished(11, 0.0), r"decoder\.dark_published\.floor=0"),
        (lambda: DarkUdp(11, 0.0, 50.0, 1e-7), r"decoder\.dark_udp\.low=0"),
        (lambda: DarkSimcc(11, 2.0, 1.0, 1e-7), r"decoder\.dark_simcc\.low=2"),
        (lambda: ExpectedOks([], [64, 64], 0.3), r"decoder\.expected_oks\.tolerances"),
        (lambda: ExpectedOks([0.1, 0.0], [64, 64], 0.3), r"decoder\.expected_oks\.tolerances"),
        (lambda: ExpectedOks([0.1], [64, 64], 0.0), r"decoder\.expected_oks\.area=0"),
    ],
)
def test_a_senseless_value_is_refused_by_name(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_an_unknown_rule_at_the_border_is_refused_by_name():
    decoder = QuarterOffset(0.25, 0.0, "none")
    vars(decoder).update(border="wide")  # past the types, which only a test run checks
    with pytest.raises(ValueError, match=r"decoder\.quarter_offset\.border=wide: choose none"):
        decoder.__post_init__()


# --- temperature ----------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.05, 0.5, 1.0, 3.0])
def test_a_temperature_is_a_power_of_the_map(temperature):
    for shape in ((12,), (6, 8)):
        heatmap = heatmaps.normalise(bumps(shape).double())
        found = SoftArgmax(temperature)(heatmap, 1.0)
        for batch, joint in np.ndindex(8, 3):
            power = heatmap[batch, joint].numpy() ** (1 / temperature)
            expected = ndimage.center_of_mass(power / power.sum())
            np.testing.assert_allclose(found[batch, joint].numpy(), expected, rtol=1e-9)


def test_a_low_temperature_finds_the_highest_bin():
    heatmap = torch.tensor([[[0.1, 0.3, 0.2, 0.4]]])
    assert SoftArgmax(1e-2)(heatmap, 1.0).item() == pytest.approx(3.0)
    assert SoftArgmax(1e2)(heatmap, 1.0).item() == pytest.approx(1.5, abs=0.05)


# --- expected OKS ---------------------------------------------------------------------------------


@covering(ndim=NDIMS, stride=STRIDES, sigma=[1.0, 2.0, 4.0], tolerance=[0.025, 0.107])
def test_the_best_expected_oks_of_a_label_is_at_its_point(ndim, stride, sigma, tolerance):
    grid = Grid(image_of((48, 60), stride), stride, ndim)
    keypoints = uniform_keypoints(200, grid.image_size, margin=5 * sigma * stride)
    decoder = ExpectedOks([tolerance], grid.image_size, area=0.32)
    off = error(
        grid, Gaussian(sigma * stride), decoder, keypoints, normalised=True
    )  # sigma in bins
    assert off.abs().max() < PIXEL


@both_layouts
def test_the_best_bin_for_oks_is_found_one_bin_at_a_time(ndim):
    tolerances, image_size, stride = [0.03, 0.08, 0.2], (16, 22), 2
    grid = Grid(image_size, stride, ndim)
    for shape in grid.shapes:
        heatmap = heatmaps.normalise(bumps(shape, count=6, room=0.1).square())
        found = ExpectedOks(tolerances, image_size, 0.4)(heatmap, stride)
        for batch, joint in np.ndindex(2, 3):
            width = 2 * tolerances[joint] * math.sqrt(0.4 * 16 * 22)  # pixels at which OKS falls
            gain = np.zeros(shape)
            for here in np.ndindex(shape):
                for there in np.ndindex(shape):
                    far = sum((stride * (a - b)) ** 2 for a, b in zip(here, there, strict=True))
                    gain[here] += heatmap[batch, joint][there] * math.exp(-far / (2 * width**2))
            best = np.unravel_index(gain.argmax(), shape)
            step = np.abs(found[batch, joint].numpy() - best)
            assert (step <= 1).all()


def test_a_tolerant_joint_is_placed_among_many_chances_and_a_strict_one_on_the_best():
    heatmap = torch.zeros(1, 2, 60)
    heatmap[..., 10] = 0.4
    heatmap[..., [40, 43, 46]] = 0.2
    strict, tolerant = ExpectedOks([0.005, 0.05], [60, 60], 0.3)(heatmap, 1.0)[0, :, 0].tolist()
    assert strict == pytest.approx(10, abs=0.5)
    assert tolerant == pytest.approx(43, abs=0.5)


def test_a_wrong_number_of_tolerances_is_refused_in_words():
    decoder = ExpectedOks([0.1, 0.2], [64, 64], 0.3)
    with pytest.raises(IncompatibleError, match=r"has 2 OKS sigmas, but maps have 3 joints"):
        decoder(bumps((16, 16)), 4.0)


# --- labels that are not Gaussian, and how they are drawn ----------------------------------------

FAMILY = {
    "gaussian_sum": lambda sigma: Normalised(Gaussian(sigma)),
    "merged": lambda sigma: Merged(Gaussian(sigma), "sum"),
    "gaussian_patch": lambda sigma: GaussianPatch(sigma, 3.0, "nearest"),
}


@covering(ndim=NDIMS, stride=[4, 1, 2 / 3], family=list(FAMILY))
def test_dark_is_exact_for_all_of_the_gaussian_family(ndim, stride, family):
    grid = Grid(image_of((24, 36), stride), stride, ndim)
    for seed, sigma in enumerate((0.5, 1.0, 2.0, 4.0)):  # bins
        keypoints = uniform_keypoints(500, grid.image_size, margin=1.001 * stride, seed=seed)
        off = error(grid, FAMILY[family](sigma * stride), Dark(1e-30), keypoints)
        assert off.abs().max() < PIXEL


@covering(ndim=NDIMS, stride=[4, 1, 2 / 3], family=["gaussian_sum", "merged"])
def test_an_expectation_is_exact_for_labels_with_all_their_tails(ndim, stride, family):
    grid = Grid(image_of((24, 36), stride), stride, ndim)
    for seed, sigma in enumerate((0.8, 1.5, 2.3)):  # bins
        width = sigma * stride
        keypoints = uniform_keypoints(500, grid.image_size, margin=5 * width, seed=seed)
        for decoder in (SoftArgmax(1.0), LocalSoftArgmax(width, 5.0)):
            off = error(grid, FAMILY[family](width), decoder, keypoints, normalised=True)
            assert off.abs().max() < PIXEL


@given(
    sigmas=st.tuples(st.floats(0.8, 5), st.floats(0.8, 5)),
    place=st.tuples(st.floats(20, 40), st.floats(20, 40)),
)
@settings(max_examples=50, deadline=None, derandomize=True)
def test_labels_that_are_wider_along_one_axis_are_decoded_exactly(sigmas, place):
    true = torch.tensor([[place]])
    heatmap = gaussians.gaussian(true, sigmas, (61, 61))
    torch.testing.assert_close(Dark(1e-30)(heatmap, 1.0), true, atol=PIXEL, rtol=0)


@pytest.mark.parametrize("sigma", [0.7, 2.0, 8.0])
@pytest.mark.parametrize("axes", [1, 2])
def test_dark_on_a_laplace_label_errs_by_its_phase_alone(axes, sigma):
    phase = torch.linspace(-0.5, 0.5, 1001, dtype=torch.float64)
    position = (phase[:, None, None] + 20).expand(-1, 1, axes)
    label = Laplace(sigma)(position, (41,) * axes, (1.0,) * axes)
    off = (Dark(1e-300)(label, 1.0) - position)[1:-1]
    step = phase / (2 * (1 - phase.abs()))  # the flanks are straight lines on a log scale
    expected = (step - phase)[1:-1, None, None].expand_as(off)
    torch.testing.assert_close(off, expected, atol=1e-9, rtol=0)
    assert off.abs().max().item() == pytest.approx(1.5 - math.sqrt(2), abs=1e-6)  # 0.086 bins


def test_an_expectation_on_a_patch_errs_by_the_tails_its_window_cuts():
    phase = torch.linspace(-0.499, 0.499, 101, dtype=torch.float64)
    patch = GaussianPatch(2.0, 3.0, "nearest")(phase[:, None, None] + 30, (61,), (1.0,))
    found = SoftArgmax(1.0)(heatmaps.normalise(patch), 1.0)[:, 0, 0].numpy()
    expected = [window_mean(p, 2.0, 61, 6) for p in (phase + 30).tolist()]
    np.testing.assert_allclose(found, expected, atol=1e-12, rtol=0)
    assert np.abs(found - (phase + 30).numpy()).max() == pytest.approx(0.0066, abs=2e-4)


@pytest.mark.parametrize("sigma", [4.9, 5.66])  # bins, RTMPose's at 192 and 256 pixels
def test_the_floor_of_a_softened_label_pulls_its_expectation_to_the_middle(sigma):
    beta, size, place = 10.0, 512, 100.0
    label = Softened(Gaussian(sigma), beta)(
        torch.tensor([[[place]]], dtype=torch.float64), (size,), (1.0,)
    )
    terms = (beta**n / math.factorial(n) * math.sqrt(2 * math.pi / n) for n in range(1, 80))
    background = size / (size + sigma * sum(terms))
    pull = SoftArgmax(1.0)(label, 1.0).item() - place
    assert pull == pytest.approx(background * ((size - 1) / 2 - place), rel=1e-6)
    assert 0.6 < pull < 0.9


@pytest.mark.parametrize("sigma", [2.0, 4.9, 5.66])
def test_dark_on_a_softened_label_errs_by_how_a_gaussian_differs_from_a_parabola(sigma):
    phase = torch.linspace(-0.499, 0.499, 1001, dtype=torch.float64)
    label = Softened(Gaussian(sigma), 10.0)(phase[:, None, None] + 50, (101,), (1.0,))
    found = Dark(1e-30)(label, 1.0)[:, 0, 0].numpy() - 50
    near, phase = math.exp(-0.5 / sigma**2), phase.numpy()
    slope = near * np.sinh(phase / sigma**2)
    expected = slope / (2 * (1 - near * np.cosh(phase / sigma**2)))  # whatever beta
    np.testing.assert_allclose(found, expected, atol=1e-9, rtol=0)
    if sigma > 4:
        assert np.abs(found - phase).max() < 0.003


@pytest.mark.parametrize("name", [name for name in OF_MAPS if name != "dark_udp"])
def test_what_a_rounded_label_has_lost_is_found_by_no_decoder(name):
    grid = Grid((48, 64), 2, 2)
    keypoints = uniform_keypoints(4000, grid.image_size, margin=16.0)
    for target in ("gaussian_rounded", "patch_rounded", "blurred", "one_hot"):
        off = error(grid, TARGETS[target], DECODERS[name], keypoints, normalised=True)
        assert off.norm(dim=-1).mean().item() == pytest.approx(MEAN_DISTANCE * 2, rel=0.03)


# --- the two layouts ------------------------------------------------------------------------------


def test_the_expectation_of_a_map_is_that_of_its_marginals():
    heatmap = bumps((20, 31))
    rows, columns = heatmap.sum(-1), heatmap.sum(-2)
    apart = torch.cat([heatmaps.expectation(rows), heatmaps.expectation(columns)], -1)
    torch.testing.assert_close(heatmaps.expectation(heatmap), apart, atol=2e-6, rtol=0)


TAYLOR = ("dark", "dark_blur", "dark_published", "dark_udp", "dark_simcc")


@pytest.mark.parametrize("name", TAYLOR)
@given(
    place=st.tuples(st.floats(13, 27), st.floats(13, 27)),
    sigmas=st.tuples(st.floats(1.5, 4), st.floats(1.5, 4)),
    steep=st.floats(1.2, 3),
)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_a_taylor_step_on_a_product_of_profiles_is_one_step_an_axis(name, place, sigmas, steep):
    """For a Gaussian, and for profiles with other flanks along either axis."""
    for power in (2.0, steep):
        true = torch.tensor([[place]], dtype=torch.float64)
        pairs = zip(heatmaps.distances(true, (41, 41)), sigmas, strict=True)
        rows, columns = ((-0.5 * (d / s).abs() ** power).exp() for d, s in pairs)
        both = DECODERS[name](gaussians.outer([rows, columns]), 1.0)
        apart = torch.cat([DECODERS[name](rows, 1.0), DECODERS[name](columns, 1.0)], -1)
        torch.testing.assert_close(both, apart, atol=1e-5, rtol=0)


# --- every decoder --------------------------------------------------------------------------------


@each(stride=STRIDES)
@covering(ndim=NDIMS, name=list(OF_MAPS))
def test_a_decoded_label_is_within_half_a_bin(ndim, stride, name):
    grid = Grid((48, 64), stride, ndim)
    keypoints = uniform_keypoints(100, grid.image_size, margin=max(10.0, 2 * stride))
    for target in TARGETS:
        if target == "softened" and name in OF_WHOLE_MAPS:
            continue  # its even floor pulls an expectation by a law of its own
        off = error(grid, TARGETS[target], DECODERS[name], keypoints, normalised=True)
        assert off.abs().max() <= stride / 2 + PIXEL, target


@by_name
def test_decoding_a_mirrored_map_mirrors_the_keypoint(name):
    for ndim in NDIMS:
        grid, decoder = Grid((48, 64), 2, ndim), DECODERS[name]
        keypoints = uniform_keypoints(200, grid.image_size, margin=2 * SHY[name])
        labels = zip(grid.split(keypoints), grid.shapes, grid.strides, strict=True)
        maps = tuple(heatmaps.normalise(Gaussian(2.5)(*label)) for label in labels)
        here, there = (
            grid.join([decoder(heatmap, 2) for heatmap in arm]) for arm in (maps, grid.mirror(maps))
        )
        expected = torch.stack([63 - here[..., 0], here[..., 1]], -1)
        torch.testing.assert_close(there, expected, atol=PIXEL, rtol=0)


@every_decoder
def test_decoding_treats_the_axes_alike(decoder):
    heatmap = bumps((24, 17))
    turned = decoder(heatmap.mT.contiguous(), 1.0).flip(-1)
    torch.testing.assert_close(turned, decoder(heatmap, 1.0), atol=1e-3, rtol=0)


@by_name
def test_the_map_of_an_outer_product_decodes_like_its_two_vectors(name):
    room, decoder = 8.0 if name in OF_WHOLE_MAPS else SHY[name], DECODERS[name]
    random = torch.Generator().manual_seed(0)
    size = torch.tensor([30.0, 40.0]) - 2 * room
    position = torch.rand(200, 1, 2, generator=random) * size + room - 0.5
    maps = [position, position[..., :1], position[..., 1:]]
    shapes = [(30, 40), (30,), (40,)]
    both, rows, columns = (
        decoder(heatmaps.normalise(gaussian(p, 1.7, shape)), 1.0)
        for p, shape in zip(maps, shapes, strict=True)
    )
    torch.testing.assert_close(both, torch.cat([rows, columns], -1), atol=1e-4, rtol=0)


@every_decoder
def test_every_joint_is_decoded_alone(decoder):
    for shape in ((16,), (12, 16)):
        heatmap = bumps(shape, count=12)
        together = decoder(heatmap, 1.0)
        assert together.shape == (4, 3, len(shape))
        for batch, joint in np.ndindex(4, 3):
            alone = decoder(heatmap[batch : batch + 1, joint : joint + 1], 1.0)
            torch.testing.assert_close(alone[0, 0], together[batch, joint], atol=1e-5, rtol=1e-5)


@every_decoder
def test_a_map_without_a_shape_to_read_has_a_finite_prediction(decoder):
    """Constant, smaller than a neighbourhood, or negative throughout."""
    random = torch.Generator().manual_seed(0)
    for shape in ((16,), (12, 16)):
        for value in (0.0, 1.0, -1.0, 1e4, -1e4, 1e30, -1e30, 1e-42):
            assert decoder(torch.full((1, 2, *shape), value), 1.0).isfinite().all()
        negative = -1 - torch.rand(4, 3, *shape, generator=random)
        assert decoder(negative, 1.0).isfinite().all()
    for shape in ((1,), (2,), (1, 1), (1, 5), (2, 2)):
        small = heatmaps.normalise(torch.rand(4, 3, *shape, generator=random))
        assert decoder(small, 1.0).isfinite().all()


@by_name
def test_double_precision_stays_and_agrees_with_single(name):
    for shape in ((40,), (40, 50)):
        random, decoder = torch.Generator().manual_seed(0), DECODERS[name]
        size = torch.tensor(shape, dtype=torch.float64) - 2 * SHY[name]
        share = torch.rand(20, 3, len(shape), generator=random, dtype=torch.float64)
        position = share * size + SHY[name] - 0.5
        heatmap = heatmaps.normalise(gaussian(position, 2.0, shape))
        double, single = decoder(heatmap, 1.0), decoder(heatmap.float(), 1.0)
        assert double.dtype == torch.float64
        assert single.dtype == torch.float32
        torch.testing.assert_close(single.double(), double, atol=1e-4, rtol=0)


class Exported(torch.nn.Module):
    """Wraps a decoder as a module of one argument, which is what can be exported."""

    def __init__(self, decoder):
        super().__init__()
        self.decoder = decoder

    def forward(self, heatmap):
        return self.decoder(heatmap, 1.0)


@every_decoder
def test_a_decoder_can_be_exported(decoder):
    for shape in ((12,), (9, 12)):
        heatmap = bumps(shape, count=6)
        graph = torch.export.export(Exported(decoder), (heatmap,), strict=False).module()
        for seed in (0, 1):
            other = bumps(shape, count=6, seed=seed)
            torch.testing.assert_close(graph(other), decoder(other, 1.0))


FORMULAS = [name for name in OF_MAPS if name not in WHOLE_BINS]


@pytest.mark.parametrize("name", FORMULAS)
def test_the_gradient_of_a_formula_is_its_numeric_one(name):
    for shape in ((11,), (6, 8)):
        heatmap = bumps(shape, count=3)[:, :1].double().requires_grad_()
        assert torch.autograd.gradcheck(lambda h: DECODERS[name](h, 1.0), (heatmap,), atol=1e-4)


@pytest.mark.parametrize("name", ["soft_argmax", "debiased_soft_argmax", "expected_oks"])
def test_the_gradient_of_a_constant_map_is_finite(name):
    for value in (0.0, -1e4, 1e4):
        heatmap = torch.full((1, 2, 5, 6), value).requires_grad_()
        (gradient,) = torch.autograd.grad(DECODERS[name](heatmap, 1.0).sum(), heatmap)
        assert gradient.isfinite().all()


def test_a_coordinate_is_decoded_as_it_is():
    coordinates = torch.rand(3, 4, 2)
    assert torch.equal(Coordinates()(coordinates, 4.0), coordinates)
    torch.export.export(Exported(Coordinates()), (coordinates,), strict=False)
