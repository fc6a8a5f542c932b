import math

import numpy as np
import pytest
import torch
from options import LOSSES, NDIMS, STRIDES, TARGETS, perfect_scores, uniform_keypoints
from scipy import stats

from heatmap_research import heatmaps
from heatmap_research.grid import Grid
from heatmap_research.losses.cross_entropy import CrossEntropy
from heatmap_research.losses.mse import Mse
from heatmap_research.targets.gaussian import Gaussian
from heatmap_research.targets.one_hot import OneHot
from heatmap_research.types import Label

every_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
every_shape = pytest.mark.parametrize("shape", [(9,), (5, 7)], ids=str)
both_layouts = pytest.mark.parametrize("ndim", NDIMS)
every_stride = pytest.mark.parametrize("stride", STRIDES, ids=lambda s: f"stride{s:.2f}")


def random(shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def label_of(target, shape, seed=0, dtype=torch.float64, joints=3):
    """Labels at random positions inside a map, drawn at a stride of one."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(2, joints, len(shape), generator=generator, dtype=dtype)
    position = share * torch.tensor(shape, dtype=dtype) - 0.5
    return Label(target(position, shape, 1.0), position, torch.ones(2, joints, dtype=dtype))


def encoded(target, grid, keypoints):
    pairs = zip(grid.split(keypoints), grid.shapes, strict=True)
    return tuple(target(position, shape, grid.stride) for position, shape in pairs)


# --- targets --------------------------------------------------------------------------------------


@every_stride
@both_layouts
def test_a_gaussian_label_equals_its_formula_in_pixels(ndim, stride):
    grid = Grid((16, 24), stride, ndim)
    keypoints = uniform_keypoints(12, grid.image_size)
    sigma = 1.5 * stride + 0.5
    maps = encoded(Gaussian(sigma), grid, keypoints)
    rows = [(i + 0.5) * stride - 0.5 for i in range(grid.bins[0])]
    columns = [(i + 0.5) * stride - 0.5 for i in range(grid.bins[1])]
    for n, (x, y) in enumerate(keypoints[:, 0].tolist()):
        down = np.array([math.exp(-((row - y) ** 2) / (2 * sigma**2)) for row in rows])
        right = np.array([math.exp(-((column - x) ** 2) / (2 * sigma**2)) for column in columns])
        expected = (np.outer(down, right),) if ndim == 2 else (down, right)
        for heatmap, wanted in zip(maps, expected, strict=True):
            np.testing.assert_allclose(heatmap[n, 0].numpy(), wanted, atol=1e-5, rtol=0)


@every_stride
@both_layouts
def test_a_one_hot_label_marks_the_bin_that_holds_the_point(ndim, stride):
    grid = Grid((16, 24), stride, ndim)
    keypoints = uniform_keypoints(200, grid.image_size)
    maps = encoded(OneHot(), grid, keypoints)
    for n, (x, y) in enumerate(keypoints[:, 0].tolist()):
        row, column = math.floor((y + 0.5) / stride), math.floor((x + 0.5) / stride)
        expected = [(row, column)] if ndim == 2 else [(row,), (column,)]
        for heatmap, wanted in zip(maps, expected, strict=True):
            assert heatmap[n, 0].nonzero().tolist() == [list(wanted)]
            assert heatmap[n, 0][wanted] == 1


@every_target
@every_stride
def test_a_map_is_the_outer_product_of_its_two_vectors(stride, target):
    keypoints = uniform_keypoints(200, (32, 24))
    (both,) = encoded(target, Grid((32, 24), stride, 2), keypoints)
    rows, columns = encoded(target, Grid((32, 24), stride, 1), keypoints)
    torch.testing.assert_close(both, rows[..., :, None] * columns[..., None, :])


@every_target
@every_stride
def test_the_marginals_of_a_normalised_map_are_its_normalised_vectors(stride, target):
    keypoints = uniform_keypoints(200, (32, 24))
    (both,) = encoded(target, Grid((32, 24), stride, 2), keypoints)
    rows, columns = encoded(target, Grid((32, 24), stride, 1), keypoints)
    joint = heatmaps.normalise(both)
    torch.testing.assert_close(joint.sum(-1), heatmaps.normalise(rows), atol=1e-6, rtol=0)
    torch.testing.assert_close(joint.sum(-2), heatmaps.normalise(columns), atol=1e-6, rtol=0)


@every_target
@every_stride
@both_layouts
def test_the_mirrored_label_is_the_label_of_the_mirrored_point(ndim, stride, target):
    grid = Grid((32, 24), stride, ndim)
    keypoints = uniform_keypoints(1000, grid.image_size)
    reflected = torch.stack([23 - keypoints[..., 0], keypoints[..., 1]], -1)
    mirrored = grid.mirror(encoded(target, grid, keypoints))
    for a, b in zip(mirrored, encoded(target, grid, reflected), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


@every_target
@every_stride
@both_layouts
def test_a_label_is_highest_in_the_bin_of_its_point(ndim, stride, target):
    grid = Grid((32, 24), stride, ndim)
    keypoints = uniform_keypoints(1000, grid.image_size)
    found = grid.join([heatmaps.argmax(m) for m in encoded(target, grid, keypoints)])
    assert (found - keypoints).abs().max() <= stride / 2 + 1e-4


@every_target
@both_layouts
def test_a_label_lies_between_zero_and_one_also_far_from_the_crop(ndim, target):
    grid = Grid((32, 24), 2, ndim)
    far = torch.tensor([[[-3.0, 10.0], [10.0, 60.0], [-1e3, -1e3], [1e6, 5.0], [-0.5, 31.5]]])
    for heatmap in encoded(target, grid, far):
        assert heatmap.isfinite().all()
        assert heatmap.min() >= 0
        assert heatmap.max() <= 1


@every_target
@every_shape
def test_a_label_has_the_precision_of_its_position(shape, target):
    for dtype in (torch.float32, torch.float64):
        assert label_of(target, shape, dtype=dtype).heatmap.dtype == dtype


@pytest.mark.parametrize("sigma", [0.0, -2.0])
def test_a_label_has_a_width(sigma):
    with pytest.raises(ValueError, match=f"sigma={sigma:g}"):
        Gaussian(sigma)


# --- losses ---------------------------------------------------------------------------------------


@every_target
@every_loss
@every_shape
def test_the_gradient_of_a_loss_is_its_numeric_one(shape, loss, target):
    label = label_of(target, shape)
    scores = random((2, 3, *shape)).requires_grad_()
    assert torch.autograd.gradcheck(lambda scores: loss(scores, label), (scores,))


@every_target
@every_loss
@every_shape
def test_a_loss_is_least_at_its_label(shape, loss, target):
    label = label_of(target, shape)
    scores = perfect_scores(loss, label.heatmap).requires_grad_()
    value = loss(scores, label)
    torch.testing.assert_close(value, loss.least(label), atol=1e-9, rtol=0)
    (gradient,) = torch.autograd.grad(value.sum(), scores)
    assert gradient.abs().max() < 1e-9
    for seed in range(20):
        nudged = scores.detach() + 0.1 * random(scores.shape, seed)
        assert (loss(nudged, label) >= loss.least(label)).all()
        assert (loss(random(scores.shape, seed), label) > loss.least(label)).all()


@every_target
@every_loss
@every_shape
def test_a_loss_is_never_below_its_least(shape, loss, target):
    label = label_of(target, shape, dtype=torch.float32)
    for seed in range(20):
        scores = 10 * random((2, 3, *shape), seed, torch.float32)
        assert (loss(scores, label) >= loss.least(label)).all()


@every_target
@every_loss
@every_shape
def test_a_loss_is_one_number_per_joint_from_that_joint_alone(shape, loss, target):
    label = label_of(target, shape)
    scores = random((2, 3, *shape)).requires_grad_()
    value = loss(scores, label)
    assert value.shape == loss.least(label).shape == (2, 3)
    (gradient,) = torch.autograd.grad(value[1, 2], scores)
    assert gradient[1, 2].abs().max() > 0
    gradient[1, 2] = 0
    assert gradient.abs().max() == 0


@every_target
@every_loss
@every_shape
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_a_loss_and_its_gradient_are_finite_for_huge_scores(size, shape, loss, target):
    label = label_of(target, shape, dtype=torch.float32)
    scores = (size * random((2, 3, *shape), dtype=torch.float32).sign()).requires_grad_()
    value = loss(scores, label)
    (gradient,) = torch.autograd.grad(value.sum(), scores)
    assert value.isfinite().all()
    assert gradient.isfinite().all()


@every_target
@every_loss
def test_a_loss_depends_on_the_order_of_bins_only_through_the_label(loss, target):
    label = label_of(target, (5, 7))
    scores = random((2, 3, 5, 7))
    turned = Label(label.heatmap.mT, label.position.flip(-1), label.visible)
    torch.testing.assert_close(loss(scores.mT, turned), loss(scores, label))


@every_shape
def test_the_least_cross_entropy_is_the_entropy_of_the_label(shape):
    label = label_of(Gaussian(1.2), shape)
    expected = stats.entropy(label.heatmap.flatten(2).numpy(), axis=-1)  # it normalises
    np.testing.assert_allclose(CrossEntropy().least(label).numpy(), expected, atol=1e-12, rtol=0)


@every_target
@every_shape
def test_cross_entropy_equals_its_sum_in_double_precision(shape, target):
    label = label_of(target, shape, dtype=torch.float32)
    scores = 3 * random((2, 3, *shape), dtype=torch.float32)
    value = CrossEntropy()(scores, label)
    for batch, joint in np.ndindex(2, 3):
        wanted = label.heatmap[batch, joint].double().numpy()
        given = scores[batch, joint].double().numpy()
        expected = 0.0
        for index in np.ndindex(shape):
            logarithm = given[index] - np.log(np.exp(given).sum())
            expected -= wanted[index] / wanted.sum() * logarithm
        assert value[batch, joint].item() == pytest.approx(expected, rel=1e-5)


@every_shape
def test_cross_entropy_reads_scores_up_to_a_constant(shape):
    label = label_of(Gaussian(1.2), shape)
    scores = random((2, 3, *shape))
    torch.testing.assert_close(CrossEntropy()(scores + 7, label), CrossEntropy()(scores, label))


@every_target
@every_stride
def test_cross_entropy_of_an_outer_sum_is_the_sum_over_its_two_vectors(stride, target):
    keypoints = uniform_keypoints(20, (16, 24)).double()
    plane, lines = Grid((16, 24), stride, 2), Grid((16, 24), stride, 1)
    down = random((20, 1, plane.bins[0]))
    right = random((20, 1, plane.bins[1]), seed=1)
    ones = torch.ones(20, 1, dtype=torch.float64)

    def labels(grid):
        maps = zip(encoded(target, grid, keypoints), grid.split(keypoints), strict=True)
        return [Label(heatmap, position, ones) for heatmap, position in maps]

    loss, (both,), (rows, columns) = CrossEntropy(), labels(plane), labels(lines)
    joint = loss(down[..., :, None] + right[..., None, :], both)
    torch.testing.assert_close(joint, loss(down, rows) + loss(right, columns))
    torch.testing.assert_close(loss.least(both), loss.least(rows) + loss.least(columns))


@both_layouts
@pytest.mark.parametrize("stride", [2, 1, 1 / 2, 2 / 3])
def test_the_excess_of_a_wider_prediction_is_its_divergence_at_any_resolution(stride, ndim):
    grid = Grid((96, 64), stride, ndim)
    keypoints = uniform_keypoints(20, grid.image_size, margin=25.0)
    narrow, wide = 2.5, 4.0  # pixels
    divergence = 2 * (math.log(wide / narrow) + narrow**2 / (2 * wide**2) - 0.5)  # x and y
    total = torch.zeros(20, 1)
    targets = (Gaussian(narrow), Gaussian(wide))
    maps = zip(*(encoded(target, grid, keypoints) for target in targets), strict=True)
    for (heatmap, guess), position in zip(maps, grid.split(keypoints), strict=True):
        label = Label(heatmap, position, torch.ones(20, 1))
        total += CrossEntropy()(guess.log(), label) - CrossEntropy().least(label)
    torch.testing.assert_close(total, torch.full_like(total, divergence), atol=2e-4, rtol=0)


@every_target
@every_stride
@both_layouts
def test_the_squared_error_of_an_empty_map_is_one_at_any_resolution(ndim, stride, target):
    grid = Grid((32, 24), stride, ndim)
    keypoints = uniform_keypoints(200, grid.image_size)
    for heatmap, position in zip(
        encoded(target, grid, keypoints), grid.split(keypoints), strict=True
    ):
        value = Mse()(torch.zeros_like(heatmap), Label(heatmap, position, torch.ones(200, 1)))
        torch.testing.assert_close(value, torch.ones(200, 1))


def test_the_squared_error_of_a_hand_made_map():
    label = Label(torch.tensor([[[0.0, 2.0, 1.0]]]), torch.ones(1, 1, 1), torch.ones(1, 1))
    scores = torch.tensor([[[1.0, 0.0, 1.0]]])
    assert Mse()(scores, label).item() == 1.0  # (1 + 4 + 0) / (0 + 4 + 1)
    assert Mse().least(label).item() == 0.0
