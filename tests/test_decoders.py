import math

import numpy as np
import pytest
import torch
from options import DECODERS, NDIMS, STRIDES, TARGETS, uniform_keypoints
from scipy import special, stats

from heatmap_research import heatmaps
from heatmap_research.decoders.argmax import Argmax
from heatmap_research.decoders.dark import Dark
from heatmap_research.decoders.local_soft_argmax import LocalSoftArgmax
from heatmap_research.decoders.quarter_offset import QuarterOffset
from heatmap_research.decoders.smoothed import Smoothed
from heatmap_research.decoders.soft_argmax import SoftArgmax
from heatmap_research.grid import Grid
from heatmap_research.targets.gaussian import Gaussian
from heatmap_research.targets.one_hot import OneHot

every_decoder = pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
every_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
both_layouts = pytest.mark.parametrize("ndim", NDIMS)
every_stride = pytest.mark.parametrize("stride", STRIDES, ids=lambda s: f"stride{s:.2f}")
square_or_not = pytest.mark.parametrize("bins", [(24, 36), (30, 30)], ids=str)

MEAN_DISTANCE = (math.sqrt(2) + math.asinh(1)) / 6  # of a uniform point from its square's centre
PIXEL = 1e-3  # what "sub-bin" means: the largest error allowed, in input pixels


def image_of(bins, stride):
    return round(bins[0] * stride), round(bins[1] * stride)


def error(grid, target, decoder, keypoints, normalised=False):
    """Decoded minus true, in pixels, x and y."""
    found = []
    for part in keypoints.split(500):
        pairs = zip(grid.split(part), grid.shapes, strict=True)
        maps = [target(position, shape, grid.stride) for position, shape in pairs]
        maps = [heatmaps.normalise(heatmap) if normalised else heatmap for heatmap in maps]
        found.append(grid.join([decoder(heatmap, grid.stride) for heatmap in maps]))
    return torch.cat(found) - keypoints


def from_border(grid, keypoints):
    """Bins between a keypoint and the nearer end of each axis: x, y."""
    ends = torch.tensor([grid.bins[1] / 1.0, grid.bins[0] / 1.0])
    bins = (keypoints + 0.5) / grid.stride
    return torch.minimum(bins, ends - bins)


# --- dark ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("normalised", [False, True], ids=["peak_one", "sum_one"])
@square_or_not
@every_stride
@both_layouts
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
        error(grid, OneHot(), Dark(1e-30), keypoints),
        error(grid, OneHot(), Argmax(), keypoints),
        atol=1e-5,
        rtol=0,
    )


@pytest.mark.parametrize("floor", [0, -1e-3])
def test_dark_needs_a_floor_above_zero(floor):
    with pytest.raises(ValueError, match=r"decoder\.dark\.floor"):
        Dark(floor)


# --- expectations -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decoder_of", "normalised"),
    [
        (lambda sigma: SoftArgmax(), True),
        (lambda sigma: LocalSoftArgmax(sigma, reach=5.0), True),
        (lambda sigma: LocalSoftArgmax(sigma, reach=5.0), False),
        (lambda sigma: LocalSoftArgmax(sigma, reach=6.5), False),
    ],
    ids=["soft_argmax", "local_on_sum_one", "local_on_peak_one", "local_wider"],
)
@square_or_not
@every_stride
@both_layouts
def test_an_expectation_is_exact_five_sigmas_from_the_border(
    ndim, stride, bins, decoder_of, normalised
):
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
    for decoder in (SoftArgmax(), Dark(1e-30), LocalSoftArgmax(6.0, 5.0)):
        assert error(grid, Gaussian(6.0), decoder, keypoints, normalised=True).abs().max() < PIXEL


@pytest.mark.parametrize("sigma", [2.0, 3.0])
@both_layouts
def test_a_border_pulls_an_expectation_by_the_mean_of_a_cut_gaussian(ndim, sigma):
    grid = Grid((60, 48), 1, ndim)
    keypoints = uniform_keypoints(2000, grid.image_size)
    off = error(grid, Gaussian(sigma), SoftArgmax(), keypoints, normalised=True)
    for axis, size in ((0, 48), (1, 60)):
        true = keypoints[..., axis].double().numpy()
        low, high = (-0.5 - true) / sigma, (size - 0.5 - true) / sigma
        expected = stats.truncnorm.mean(low, high, loc=true, scale=sigma) - true
        np.testing.assert_allclose(off[..., axis].numpy(), expected, atol=0.01 * sigma, rtol=0)


@pytest.mark.parametrize("sigma", [0.4, 0.5, 0.6])
def test_a_sharp_expectation_is_pulled_to_the_bin_by_the_law_of_aliasing(sigma):
    phase = torch.linspace(-0.5, 0.5, 201)
    heatmap = heatmaps.normalise(heatmaps.gaussian(phase[None, :, None] + 15, sigma, (31,)))
    off = SoftArgmax()(heatmap, 1.0)[0, :, 0] - 15 - phase
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
    scores = logit * heatmaps.gaussian(true, sigma, shape)
    pull = (SoftArgmax()(heatmaps.activate(scores, "softmax"), 1.0) - true).mean((0, 1))
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
    """Mean bin of a Gaussian within a radius of its nearest bin: float64, one bin at a time."""
    nearest = round(position)
    mass = moment = 0.0
    for bin_ in range(max(0, nearest - radius), min(size - 1, nearest + radius) + 1):
        weight = math.exp(-0.5 * ((bin_ - position) / sigma) ** 2)
        mass += weight
        moment += weight * bin_
    return moment / mass


@pytest.mark.parametrize("reach", [0.3, 0.5, 1.0, 2.0, 3.0, 4.0])
@pytest.mark.parametrize("sigma", [0.5, 0.8, 1.0, 2.0, 4.0])  # bins
@pytest.mark.parametrize("stride", [4, 2 / 3])
@both_layouts
def test_a_small_window_errs_by_the_tails_it_cuts(ndim, stride, sigma, reach):
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


@pytest.mark.parametrize("reach", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("sigma", [1.0, 2.0, 4.0, 8.0])  # bins
def test_a_small_window_errs_nearly_by_the_mean_of_a_cut_gaussian(sigma, reach):
    phase = torch.linspace(-0.499, 0.499, 101, dtype=torch.float64)
    middle = 60
    heatmap = heatmaps.gaussian(phase[None, :, None] + middle, sigma, (121,))
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
    near = heatmaps.gaussian(true, 1.5, (48, 64))
    far = heatmaps.gaussian(torch.tensor([[[38.0, 50.0]]]), 1.5, (48, 64))
    found = LocalSoftArgmax(1.5, 5.0)(near + 0.9 * far, 1.0)
    torch.testing.assert_close(found, true, atol=1e-4, rtol=0)


# --- quantisation ---------------------------------------------------------------------------------


@square_or_not
@every_stride
@both_layouts
def test_argmax_is_off_by_the_law_of_quantisation_over_the_whole_crop(ndim, stride, bins):
    grid = Grid(image_of(bins, stride), stride, ndim)
    keypoints = uniform_keypoints(10_000, grid.image_size)
    off = error(grid, Gaussian(2.0 * stride), Argmax(), keypoints)
    assert off.abs().max() <= stride / 2 + 1e-4
    assert off.abs().mean().item() == pytest.approx(stride / 4, rel=0.02)
    assert off.norm(dim=-1).mean().item() == pytest.approx(MEAN_DISTANCE * stride, rel=0.02)
    assert off.square().mean().sqrt().item() == pytest.approx(stride / math.sqrt(12), rel=0.02)


@square_or_not
@every_stride
@both_layouts
def test_a_quarter_offset_halves_quantisation_in_the_interior(ndim, stride, bins):
    grid = Grid(image_of(bins, stride), stride, ndim)
    keypoints = uniform_keypoints(10_000, grid.image_size, margin=1.001 * stride)
    off = error(grid, Gaussian(2.0 * stride), DECODERS["quarter_offset"], keypoints)
    assert off.abs().max() <= stride / 4 + 1e-4
    assert off.abs().mean().item() == pytest.approx(stride / 8, rel=0.02)
    assert off.norm(dim=-1).mean().item() == pytest.approx(MEAN_DISTANCE / 2 * stride, rel=0.02)


@every_stride
@both_layouts
def test_a_quarter_offset_stays_in_a_border_bin(ndim, stride):
    grid = Grid(image_of((24, 36), stride), stride, ndim)
    keypoints = uniform_keypoints(10_000, grid.image_size)
    border = from_border(grid, keypoints) < 0.999
    quarter, argmax = (
        error(grid, Gaussian(2.0 * stride), decoder, keypoints)
        for decoder in (DECODERS["quarter_offset"], Argmax())
    )
    assert border.sum() > 500
    assert torch.equal(quarter[border], argmax[border])


@pytest.mark.parametrize("sigma", [0.5, 2.0, 8.0])
@pytest.mark.parametrize("axes", [1, 2])
def test_a_quarter_offset_takes_no_side_at_a_bin_centre(axes, sigma):
    centres = torch.cartesian_prod(*[torch.arange(1.0, 16)] * axes).view(1, -1, axes)
    heatmap = heatmaps.normalise(heatmaps.gaussian(centres, sigma, (17,) * axes))
    assert torch.equal(QuarterOffset(0.25, 1e-6)(heatmap, 1.0), centres)


@pytest.mark.parametrize("axes", [1, 2])
def test_a_quarter_offset_stays_within_its_dead_zone(axes):
    heatmap = torch.zeros(1, 2, *[3] * axes)
    middle = (..., *[1] * axes)
    after = (..., *[1] * (axes - 1), 2)
    heatmap[middle] = 1.0
    heatmap[after] = torch.tensor([1e-6, 4e-6])  # slopes of half as much
    expected = [[[1.0] * axes, [1.0] * (axes - 1) + [1.25]]]
    assert QuarterOffset(0.25, 1e-6)(heatmap, 1.0).tolist() == expected


@pytest.mark.parametrize("axes", [1, 2])
def test_halfway_between_two_bins_a_quarter_offset_is_a_quarter_off(axes):
    halfway = torch.cartesian_prod(*[torch.arange(1.5, 15)] * axes).view(1, -1, axes)
    heatmap = heatmaps.gaussian(halfway, 2.0, (17,) * axes)
    off = QuarterOffset(0.25, 1e-6)(heatmap, 1.0) - halfway
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
    off = error(grid, Gaussian(sigma), Smoothed(Dark(1e-30), sigma, least=0.5), keypoints)
    assert off.abs().max() < PIXEL


def test_smoothing_takes_noise_out_of_a_map():
    random = torch.Generator().manual_seed(0)
    true = torch.rand(400, 1, 2, generator=random) * 20 + 14
    noisy = heatmaps.gaussian(true, 2.0, (48, 48))
    noisy = noisy + 0.05 * torch.randn(noisy.shape, generator=random)
    off = Smoothed(Dark(1e-10), 2.0, least=0.5)(noisy, 1.0) - true
    bound = 0.05 * math.sqrt(2 / math.pi)  # Cramér-Rao, bins an axis
    assert off.square().mean().sqrt().item() == pytest.approx(bound, rel=0.1)


def test_a_blur_is_never_narrower_than_its_least_width():
    heatmap = torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    coarse = Smoothed(SoftArgmax(), sigma=1.0, least=0.7)(heatmap, 4.0)
    torch.testing.assert_close(coarse, SoftArgmax()(heatmaps.blur(heatmap, 0.7), 4.0))
    fine = Smoothed(SoftArgmax(), sigma=1.0, least=0.7)(heatmap, 0.5)
    torch.testing.assert_close(fine, SoftArgmax()(heatmaps.blur(heatmap, 2.0), 0.5))


@pytest.mark.parametrize("sigma", [0.0, -1.0])
def test_a_blur_has_a_width(sigma):
    with pytest.raises(ValueError, match="sigma"):
        Smoothed(Argmax(), sigma, least=0.5)


def test_a_smoothed_decoder_needs_what_its_decoder_needs():
    assert Smoothed(SoftArgmax(), 1.0, 0.5).needs == "softmax"
    assert Smoothed(Argmax(), 1.0, 0.5).needs is None


# --- every decoder --------------------------------------------------------------------------------


@every_target
@every_decoder
@every_stride
@both_layouts
def test_a_decoded_label_is_within_half_a_bin(ndim, stride, decoder, target):
    grid = Grid((48, 64), stride, ndim)
    keypoints = uniform_keypoints(100, grid.image_size, margin=max(10.0, 2 * stride))
    off = error(grid, target, decoder, keypoints, normalised=True)
    assert off.abs().max() <= stride / 2 + PIXEL


@every_decoder
@both_layouts
def test_decoding_a_mirrored_map_mirrors_the_keypoint(ndim, decoder):
    grid = Grid((48, 64), 2, ndim)
    keypoints = uniform_keypoints(200, grid.image_size)
    pairs = zip(grid.split(keypoints), grid.shapes, strict=True)
    maps = tuple(heatmaps.normalise(Gaussian(2.5)(p, shape, 2)) for p, shape in pairs)
    here, there = (
        grid.join([decoder(heatmap, 2) for heatmap in arm]) for arm in (maps, grid.mirror(maps))
    )
    expected = torch.stack([63 - here[..., 0], here[..., 1]], -1)
    torch.testing.assert_close(there, expected, atol=PIXEL, rtol=0)


@every_decoder
def test_decoding_treats_the_axes_alike(decoder):
    random = torch.Generator().manual_seed(0)
    heatmap = heatmaps.normalise(torch.rand(8, 3, 12, 17, generator=random))
    turned = decoder(heatmap.mT.contiguous(), 1.0).flip(-1)
    torch.testing.assert_close(turned, decoder(heatmap, 1.0), atol=1e-3, rtol=0)


@every_decoder
def test_the_map_of_an_outer_product_decodes_like_its_two_vectors(decoder):
    random = torch.Generator().manual_seed(0)
    position = torch.rand(200, 1, 2, generator=random) * torch.tensor([30.0, 40.0]) - 0.5
    maps = [position, position[..., :1], position[..., 1:]]
    shapes = [(30, 40), (30,), (40,)]
    both, rows, columns = (
        decoder(heatmaps.normalise(heatmaps.gaussian(p, 1.7, shape)), 1.0)
        for p, shape in zip(maps, shapes, strict=True)
    )
    torch.testing.assert_close(both, torch.cat([rows, columns], -1), atol=1e-4, rtol=0)


@every_decoder
@pytest.mark.parametrize("shape", [(16,), (12, 16)])
def test_every_joint_is_decoded_alone(shape, decoder):
    random = torch.Generator().manual_seed(0)
    heatmap = heatmaps.normalise(torch.rand(3, 4, *shape, generator=random))
    together = decoder(heatmap, 1.0)
    assert together.shape == (3, 4, len(shape))
    for batch, joint in np.ndindex(3, 4):
        alone = decoder(heatmap[batch : batch + 1, joint : joint + 1], 1.0)
        torch.testing.assert_close(alone[0, 0], together[batch, joint], atol=1e-5, rtol=1e-5)


@every_decoder
@pytest.mark.parametrize("shape", [(16,), (12, 16)])
@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 1e4, -1e4, 1e30, -1e30, 1e-42])
def test_a_constant_map_has_a_finite_prediction(value, shape, decoder):
    assert decoder(torch.full((1, 2, *shape), value), 1.0).isfinite().all()


@every_decoder
@pytest.mark.parametrize("shape", [(1,), (2,), (1, 1), (1, 5), (2, 2)])
def test_a_map_smaller_than_a_neighbourhood_has_a_finite_prediction(shape, decoder):
    random = torch.Generator().manual_seed(0)
    heatmap = torch.rand(4, 3, *shape, generator=random)
    assert decoder(heatmaps.normalise(heatmap), 1.0).isfinite().all()


@every_decoder
@pytest.mark.parametrize("shape", [(16,), (12, 16)])
def test_an_all_negative_map_has_a_finite_prediction(shape, decoder):
    heatmap = -1 - torch.rand(4, 3, *shape, generator=torch.Generator().manual_seed(0))
    assert decoder(heatmap, 1.0).isfinite().all()


@every_decoder
@pytest.mark.parametrize("shape", [(40,), (40, 50)])
def test_double_precision_stays_and_agrees_with_single(shape, decoder):
    random = torch.Generator().manual_seed(0)
    size = torch.tensor(shape, dtype=torch.float64)
    position = torch.rand(20, 3, len(shape), generator=random, dtype=torch.float64) * size - 0.5
    heatmap = heatmaps.normalise(heatmaps.gaussian(position, 2.0, shape))
    double, single = decoder(heatmap, 1.0), decoder(heatmap.float(), 1.0)
    assert double.dtype == torch.float64
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, atol=1e-4, rtol=0)
