import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from options import JOINED, NDIMS, OUTER, STRIDES, TARGETS, uniform_keypoints
from pairwise import covering, each
from scipy import ndimage

from heatmap_research.codec import blurring, heatmaps
from heatmap_research.codec.grid import Grid
from heatmap_research.codec.targets.blurred import Blurred
from heatmap_research.codec.targets.gaussian import Gaussian
from heatmap_research.codec.targets.gaussian_patch import GaussianPatch
from heatmap_research.codec.targets.laplace import Laplace
from heatmap_research.codec.targets.merged import Merged
from heatmap_research.codec.targets.normalised import Normalised
from heatmap_research.codec.targets.one_hot import OneHot
from heatmap_research.codec.targets.rounded import Rounded
from heatmap_research.codec.targets.softened import Softened

every_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
every_outer_target = pytest.mark.parametrize("target", OUTER.values(), ids=OUTER)
every_shape = pytest.mark.parametrize("shape", [(9,), (5, 7)], ids=str)
both_layouts = each(ndim=NDIMS)

BINS = (1.0, 1.0)  # strides at which pixels are bins
DISTRIBUTIONS = {
    "gaussian_sum": TARGETS["gaussian_sum"],
    "one_hot": TARGETS["one_hot"],
    "one_hot_smoothed": OneHot(smoothing=0.1),
    "softened": TARGETS["softened"],
    "laplace_sum": Normalised(Laplace(sigma=2.0)),
    "patch_sum": Normalised(GaussianPatch(2.0, reach=3.0, rule="nearest")),
    "blurred_sum": Normalised(Blurred(size=15, sigma=2.0, border="zero")),
}


def encoded(target, grid, keypoints):
    maps = zip(grid.split(keypoints), grid.shapes, grid.strides, strict=True)
    return tuple(target(position, shape, stride) for position, shape, stride in maps)


def at(*places, dtype=torch.float64):
    """Positions of one person with a joint at each of these places: (1, K, axis)."""
    return torch.tensor(places, dtype=dtype)[None]


def anywhere(shape, count=50, seed=0, dtype=torch.float64):
    """Returns random positions inside a map: (count, 1, axis)."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(count, 1, len(shape), generator=generator, dtype=dtype)
    return share * torch.tensor(shape, dtype=dtype) - 0.5


# --- formulas -------------------------------------------------------------------------------------

PROFILES = {  # of a distance in pixels, for a width of 2
    "gaussian": (Gaussian(2.0), lambda d: math.exp(-(d**2) / 8)),
    "laplace": (Laplace(2.0), lambda d: math.exp(-abs(d) / math.sqrt(2))),
}


@covering(ndim=NDIMS, stride=STRIDES, name=list(PROFILES))
def test_a_label_equals_its_formula_in_pixels(ndim, stride, name):
    target, profile = PROFILES[name]
    grid = Grid((16, 24), stride, ndim)
    keypoints = uniform_keypoints(12, grid.image_size)
    maps = encoded(target, grid, keypoints)
    rows = [(i + 0.5) * stride - 0.5 for i in range(grid.bins[0])]
    columns = [(i + 0.5) * stride - 0.5 for i in range(grid.bins[1])]
    for n, (x, y) in enumerate(keypoints[:, 0].tolist()):
        down = np.array([profile(row - y) for row in rows])
        right = np.array([profile(column - x) for column in columns])
        expected = (np.outer(down, right),) if ndim == 2 else (down, right)
        for heatmap, wanted in zip(maps, expected, strict=True):
            np.testing.assert_allclose(heatmap[n, 0].numpy(), wanted, atol=1e-5, rtol=0)


def test_the_sigma_of_a_laplace_label_is_its_standard_deviation():
    heatmap = Normalised(Laplace(5.0))(at([100.0]), (201,), (1.0,))[0, 0]
    away = torch.arange(201.0, dtype=torch.float64) - 100
    assert (heatmap * away.square()).sum().sqrt().item() == pytest.approx(5.0, rel=0.01)


@both_layouts
def test_a_one_hot_label_marks_the_bin_that_holds_the_point(ndim):
    for stride in STRIDES:
        grid = Grid((16, 24), stride, ndim)
        keypoints = uniform_keypoints(200, grid.image_size)
        maps = encoded(OneHot(smoothing=0.0), grid, keypoints)
        for n, (x, y) in enumerate(keypoints[:, 0].tolist()):
            row, column = math.floor((y + 0.5) / stride), math.floor((x + 0.5) / stride)
            expected = [(row, column)] if ndim == 2 else [(row,), (column,)]
            for heatmap, wanted in zip(maps, expected, strict=True):
                assert heatmap[n, 0].nonzero().tolist() == [list(wanted)]
                assert heatmap[n, 0][wanted] == 1


def test_smoothing_spreads_a_share_evenly_over_all_other_bins_of_the_map():
    assert OneHot(0.4)(at([1.2]), (5,), (1.0,)).tolist() == [[[0.1, 0.6, 0.1, 0.1, 0.1]]]
    plane = OneHot(0.3)(at([0.0, 1.0]), (2, 2), BINS)
    torch.testing.assert_close(plane, torch.tensor([[[[0.1, 0.7], [0.1, 0.1]]]]).double())
    assert OneHot(0.4)(at([0.0]), (1,), (1.0,)).isfinite().all()


@every_shape
@pytest.mark.parametrize("beta", [1.0, 10.0])
def test_a_softened_label_is_the_softmax_of_a_multiple_of_its_target(beta, shape):
    position = anywhere(shape)
    hard = Gaussian(1.3)(position, shape, BINS[: len(shape)])
    soft = Softened(Gaussian(1.3), beta)(position, shape, BINS[: len(shape)])
    for n in range(len(position)):
        expected = np.exp(beta * hard[n, 0].numpy())
        np.testing.assert_allclose(soft[n, 0].numpy(), expected / expected.sum(), rtol=1e-12)


def test_a_softened_label_has_an_even_floor_of_half_a_percent_and_a_narrow_peak():
    """RTMPose at 256 pixels: sigma 5.66 of 512 bins, softmax of ten times the label."""
    soft = Softened(Gaussian(5.66), 10.0)(at([200.0]), (512,), (1.0,))[0, 0]
    floor = soft.min().item() * 512
    assert 0.004 < floor < 0.005
    log = soft[199:202].log()
    curve = (log[0] - 2 * log[1] + log[2]).item()
    assert curve == pytest.approx(-20 * (1 - math.exp(-0.5 / 5.66**2)))
    assert (-1 / curve) ** 0.5 == pytest.approx(5.66 / math.sqrt(10), rel=0.01)


# --- windows and kernels --------------------------------------------------------------------------


@covering(ndim=NDIMS, stride=STRIDES, reach=[1.0, 3.0])
def test_a_patch_is_the_gaussian_within_its_window_and_nothing_beyond(reach, ndim, stride):
    grid = Grid((32, 24), stride, ndim)
    keypoints = uniform_keypoints(100, grid.image_size)
    patches = encoded(GaussianPatch(3.0, reach, "nearest"), grid, keypoints)
    wholes = encoded(Gaussian(3.0), grid, keypoints)
    radius = math.floor(reach * 3.0 / stride + 1e-4)
    for patch, whole, position in zip(patches, wholes, grid.split(keypoints), strict=True):
        for n, place in enumerate(position[:, 0].tolist()):
            window = np.zeros(patch.shape[2:])
            nearest = [math.floor(p + 0.5) for p in place]
            window[tuple(slice(max(0, b - radius), max(0, b + radius + 1)) for b in nearest)] = 1
            np.testing.assert_array_equal(patch[n, 0].numpy(), whole[n, 0].numpy() * window)


def test_a_blurred_impulse_is_the_patch_of_its_kernels_radius():
    blurred = Blurred(size=15, sigma=8.0, border="zero")
    patch = GaussianPatch(sigma=8.0, reach=3.5, rule="nearest")
    for place in ([24.0, 32.0], [32.0, 24.0], [2.0, 45.0]):
        here = (at(place), (64, 48), (4.0, 4.0))
        torch.testing.assert_close(blurred(*here), patch(*here), atol=1e-12, rtol=0)


@pytest.mark.parametrize(("border", "mode"), [("zero", "constant"), ("reflect", "mirror")])
@pytest.mark.parametrize(("size", "sigma"), [(11, None), (15, 2.0), (5, 1.1), (3, None), (29, 3.0)])
def test_a_blurred_label_equals_an_impulse_convolved_bin_by_bin(size, sigma, border, mode):
    for shape in ((12,), (9, 14), (2,), (1, 3)):
        target = Blurred(size, sigma, border)
        width = sigma or 0.3 * ((size - 1) / 2 - 1) + 0.8
        taps = np.exp(-0.5 * ((np.arange(size) - size // 2) / width) ** 2)
        taps = np.array([64, 128, 64]) / 256 if (size, sigma) == (3, None) else taps / taps.sum()
        for index in np.ndindex(shape):
            impulse = np.zeros(shape)
            impulse[index] = 1
            for axis in range(len(shape)):
                impulse = ndimage.convolve1d(impulse, taps, axis, mode=mode)
            label = target(at([i + 0.3 for i in index]), shape, BINS[: len(shape)])[0, 0].numpy()
            np.testing.assert_allclose(label, impulse / impulse[index], atol=1e-12, rtol=0)


def test_opencvs_kernels_are_tables_where_they_are_small_and_a_rule_beyond():
    double = torch.zeros((), dtype=torch.float64)
    assert blurring.kernel(3, None, double).tolist() == [0.25, 0.5, 0.25]
    assert blurring.kernel(5, None, double).tolist() == [1 / 16, 1 / 4, 3 / 8, 1 / 4, 1 / 16]
    for size, sigma in [(11, 2.0), (15, 2.6), (17, 2.9)]:
        away = np.arange(size) - size // 2
        expected = np.exp(-(away**2) / (2 * sigma**2))
        found = blurring.kernel(size, None, double).numpy()
        np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-12)


# --- rounding -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("nearest", [2, 2, 3, 4, 0, -1, -1]),
        ("even", [2, 2, 2, 4, 0, -1, -1]),
        ("hrnet", [2, 2, 3, 4, 0, 0, 0]),
        ("truncate", [1, 2, 2, 3, 0, 0, -1]),
    ],
)
def test_a_rule_rounds_to_a_bin_by_hand(rule, expected):
    position = at([1.6, 2.2, 2.5, 3.5, -0.4, -0.9, -1.4])
    assert heatmaps.rounded(position, rule).tolist() == [[expected]]


@both_layouts
def test_a_rounded_label_is_the_label_of_the_bin_that_holds_the_point(ndim):
    for stride in STRIDES:
        grid = Grid((32, 24), stride, ndim)
        keypoints = uniform_keypoints(100, grid.image_size)
        middles = grid.join([(position + 0.5).floor() for position in grid.split(keypoints)])
        for name in ("gaussian_rounded", "patch_rounded"):
            labels = encoded(TARGETS[name], grid, keypoints)
            wanted = encoded(TARGETS[name].target, grid, middles)
            for found, expected in zip(labels, wanted, strict=True):
                torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


# --- distributions --------------------------------------------------------------------------------


@pytest.mark.parametrize("target", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
@both_layouts
def test_a_distribution_sums_to_one_also_at_the_border(ndim, target):
    for stride in STRIDES:
        grid = Grid((32, 24), stride, ndim)
        corners = torch.tensor(
            [[[-0.49, -0.49]], [[23.49, 31.49]], [[-0.49, 31.49]], [[0.0, 12.0]]]
        )
        keypoints = torch.cat([corners, uniform_keypoints(100, grid.image_size)])
        for heatmap in encoded(target, grid, keypoints):
            total = heatmap.flatten(2).sum(-1)
            torch.testing.assert_close(total, torch.ones_like(total), atol=1e-5, rtol=0)


@pytest.mark.parametrize("stride", STRIDES)
def test_the_marginals_of_a_two_dimensional_gaussian_are_the_one_dimensional_targets(stride):
    keypoints = uniform_keypoints(200, (32, 24))
    target = TARGETS["gaussian_sum"]
    (both,) = encoded(target, Grid((32, 24), stride, 2), keypoints)
    rows, columns = encoded(target, Grid((32, 24), stride, 1), keypoints)
    torch.testing.assert_close(both.sum(-1), rows, atol=1e-6, rtol=0)
    torch.testing.assert_close(both.sum(-2), columns, atol=1e-6, rtol=0)


# --- merged ---------------------------------------------------------------------------------------


def test_two_people_merge_by_hand():
    one, two = math.exp(-0.5), math.exp(-2.0)  # a Gaussian one and two bins away
    people = torch.tensor([[[[1.0]], [[3.0]]]], dtype=torch.float64)  # person by person
    highest = Merged(Gaussian(1.0), "maximum")(people, (5,), (1.0,))[0, 0]
    added = Merged(Gaussian(1.0), "sum")(people, (5,), (1.0,))[0, 0]
    three = math.exp(-4.5)
    expected = torch.tensor([one, 1, one, 1, one], dtype=torch.float64)
    torch.testing.assert_close(highest, expected)
    flank, peak = one + three, 1 + two
    total = torch.tensor([flank, peak, 2 * one, peak, flank], dtype=torch.float64)
    torch.testing.assert_close(added, total / total.max())


@pytest.mark.parametrize("rule", ["maximum", "sum"])
@pytest.mark.parametrize("shape", [(20,), (16, 20)], ids=str)
def test_who_is_absent_leaves_no_trace(shape, rule):
    generator = torch.Generator().manual_seed(0)
    people = torch.rand(2, 3, 4, len(shape), generator=generator) * 14
    people[:, 1, 2] = torch.nan  # one joint of one person
    people[1] = torch.nan
    merged = Merged(Gaussian(1.5), rule)(people, shape, BINS[: len(shape)])
    assert merged.shape == (2, 4, *shape)
    assert (merged[1] == 0).all()
    others = people[:1, [0, 2], 2:3]
    alone = Merged(Gaussian(1.5), rule)(others, shape, BINS[: len(shape)])
    torch.testing.assert_close(merged[:1, 2:3], alone)


@every_shape
def test_without_people_a_merged_label_is_its_target(shape):
    position = anywhere(shape)
    for rule in ("maximum", "sum"):
        merged = Merged(Gaussian(1.5), rule)(position, shape, BINS[: len(shape)])
        torch.testing.assert_close(merged, Gaussian(1.5)(position, shape, BINS[: len(shape)]))


# --- every target ---------------------------------------------------------------------------------


@every_outer_target
def test_a_map_is_the_outer_product_of_its_two_vectors(target):
    for stride in STRIDES:
        keypoints = uniform_keypoints(200, (32, 24))
        (both,) = encoded(target, Grid((32, 24), stride, 2), keypoints)
        rows, columns = encoded(target, Grid((32, 24), stride, 1), keypoints)
        torch.testing.assert_close(both, rows[..., :, None] * columns[..., None, :])


@every_outer_target
def test_the_marginals_of_a_normalised_map_are_its_normalised_vectors(target):
    for stride in STRIDES:
        keypoints = uniform_keypoints(200, (32, 24))
        (both,) = encoded(target, Grid((32, 24), stride, 2), keypoints)
        rows, columns = encoded(target, Grid((32, 24), stride, 1), keypoints)
        joint = heatmaps.normalise(both)
        torch.testing.assert_close(joint.sum(-1), heatmaps.normalise(rows), atol=1e-6, rtol=0)
        torch.testing.assert_close(joint.sum(-2), heatmaps.normalise(columns), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", JOINED)
def test_a_joined_target_is_not_the_outer_product_of_its_vectors(name):
    keypoints = uniform_keypoints(20, (32, 24))
    (both,) = encoded(TARGETS[name], Grid((32, 24), 2, 2), keypoints)
    rows, columns = encoded(TARGETS[name], Grid((32, 24), 2, 1), keypoints)
    assert (both - rows[..., :, None] * columns[..., None, :]).abs().max() > 1e-3


@every_target
@both_layouts
def test_the_mirrored_label_is_the_label_of_the_mirrored_point(ndim, target):
    for stride in STRIDES:
        grid = Grid((32, 24), stride, ndim)
        keypoints = uniform_keypoints(1000, grid.image_size)
        reflected = torch.stack([23 - keypoints[..., 0], keypoints[..., 1]], -1)
        mirrored = grid.mirror(encoded(target, grid, keypoints))
        for a, b in zip(mirrored, encoded(target, grid, reflected), strict=True):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


@every_target
@both_layouts
def test_a_label_is_highest_in_the_bin_of_its_point(ndim, target):
    for stride in STRIDES:
        grid = Grid((32, 24), stride, ndim)
        keypoints = uniform_keypoints(1000, grid.image_size)
        found = grid.join([heatmaps.argmax(m) for m in encoded(target, grid, keypoints)])
        assert (found - keypoints).abs().max() <= stride / 2 + 1e-4


@every_target
def test_a_label_lies_between_zero_and_one_also_far_from_the_crop(target):
    for ndim in NDIMS:
        grid = Grid((32, 24), 2, ndim)
        far = torch.tensor([[[-3.0, 10.0], [10.0, 60.0], [-1e3, -1e3], [1e6, 5.0], [-0.5, 31.5]]])
        for heatmap in encoded(target, grid, far):
            assert heatmap.isfinite().all()
            assert heatmap.min() >= 0
            assert heatmap.max() <= 1


@every_target
def test_a_label_of_a_tiny_map_is_finite(target):
    for shape in ((1,), (2,), (1, 1), (1, 5), (2, 2)):
        heatmap = target(anywhere(shape), shape, BINS[: len(shape)])
        assert heatmap.shape == (50, 1, *shape)
        assert heatmap.isfinite().all()
        assert (heatmap.flatten(2).amax(-1) > 0).all()


@every_target
def test_a_label_has_the_precision_of_its_position(target):
    for shape in ((9,), (5, 7)):
        for dtype in (torch.float32, torch.float64):
            heatmap = target(anywhere(shape, dtype=dtype), shape, BINS[: len(shape)])
            assert heatmap.dtype == dtype


@every_target
def test_joints_may_have_labels_of_their_own_width(target):
    for shape in ((24,), (24, 20)):
        position = anywhere(shape, count=6).expand(6, 3, len(shape))
        shares = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
        together = target(position, shape, tuple(1 / shares[:, None] for _ in shape))
        for joint, share in enumerate(shares.tolist()):
            alone = target(position[:, :1], shape, tuple(1 / share for _ in shape))
            torch.testing.assert_close(together[:, joint : joint + 1], alone)


@every_outer_target
def test_a_label_may_be_wider_along_one_axis(target):
    position = anywhere((24, 20))
    both = target(position, (24, 20), (1.0, 0.5))
    rows = target(position[..., :1], (24,), (1.0,))
    columns = target(position[..., 1:], (20,), (0.5,))
    torch.testing.assert_close(both, rows[..., :, None] * columns[..., None, :])


@given(
    name=st.sampled_from([n for n in TARGETS if n not in ("one_hot", "softened")]),
    stride=st.sampled_from([1, 1 / 2, 2 / 3]),
    place=st.tuples(st.floats(24, 44), st.floats(24, 44)),
    move=st.integers(-12, 12),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_label_moves_with_its_point_by_whole_bins(name, stride, place, move):
    shape, position = (144, 144), at([p / stride for p in place])
    here = TARGETS[name](position, shape, (stride, stride))
    there = TARGETS[name](position + move, shape, (stride, stride))
    rolled = here.roll((move, move), (-2, -1))
    inner = (..., slice(15, -15), slice(15, -15))
    torch.testing.assert_close(there[inner], rolled[inner], atol=1e-6, rtol=0)


@every_target
def test_a_label_is_differentiable_or_constant_in_its_position(target):
    position = anywhere((9, 7)).requires_grad_()
    heatmap = target(position, (9, 7), BINS)
    if heatmap.requires_grad:
        (gradient,) = torch.autograd.grad(heatmap.sum(), position)
        assert gradient.isfinite().all()


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.0, -2.0])
@pytest.mark.parametrize(
    "make",
    [
        Gaussian,
        Laplace,
        lambda sigma: GaussianPatch(sigma, 3.0, "nearest"),
        lambda sigma: Blurred(15, sigma, "zero"),
    ],
    ids=["gaussian", "laplace", "gaussian_patch", "blurred"],
)
def test_a_label_has_a_width(make, sigma):
    with pytest.raises(ValueError, match=f"sigma={sigma:g}"):
        make(sigma)


@pytest.mark.parametrize("size", [0, 4, -3])
def test_a_kernel_has_a_middle_bin(size):
    with pytest.raises(ValueError, match=rf"target\.size={size}: .* odd"):
        Blurred(size, None, "zero")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: GaussianPatch(1.0, 0.0, "nearest"), r"target\.reach=0"),
        (lambda: OneHot(1.0), r"target\.smoothing=1"),
        (lambda: OneHot(-0.1), r"target\.smoothing=-0\.1"),
        (lambda: Softened(Gaussian(1.0), 0.0), r"target\.beta=0"),
    ],
)
def test_a_senseless_number_is_refused_by_name(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    ("target", "change", "words"),
    [
        (Rounded(Gaussian(1.0), "nearest"), {"rule": "up"}, r"target\.rule=up: choose nearest"),
        (GaussianPatch(1.0, 3.0, "nearest"), {"rule": "up"}, r"target\.rule=up: choose nearest"),
        (Blurred(3, None, "zero"), {"border": "wrap"}, r"target\.border=wrap: choose zero or"),
        (Merged(Gaussian(1.0), "sum"), {"rule": "mean"}, r"target\.rule=mean: choose maximum or"),
    ],
    ids=["rounded", "gaussian_patch", "blurred", "merged"],
)
def test_a_senseless_word_is_refused_by_name(target, change, words):
    vars(target).update(change)  # past the types, which only a test run checks
    with pytest.raises(ValueError, match=words):
        target.__post_init__()
