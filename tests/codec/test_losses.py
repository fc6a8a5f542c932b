import math

import numpy as np
import pytest
import torch
from options import (
    COORDINATE_LOSSES,
    LOSSES,
    NDIMS,
    STRIDES,
    labels_of,
    perfect_scores,
    uniform_keypoints,
)
from pairwise import covering, each
from scipy import stats
from scipy.spatial.distance import jensenshannon

from heatmap_research.codec.coordinate_codec import CoordinateCodec
from heatmap_research.codec.decoders.coordinates import Coordinates
from heatmap_research.codec.grid import Grid
from heatmap_research.codec.losses.adaptive_wing import AdaptiveWing
from heatmap_research.codec.losses.cross_entropy import CrossEntropy
from heatmap_research.codec.losses.dsnt import Dsnt
from heatmap_research.codec.losses.emd import Emd
from heatmap_research.codec.losses.expectation import KINDS, Expectation
from heatmap_research.codec.losses.js import Js
from heatmap_research.codec.losses.kl import Kl
from heatmap_research.codec.losses.l1 import L1
from heatmap_research.codec.losses.l2 import L2
from heatmap_research.codec.losses.mse import Mse
from heatmap_research.codec.losses.ohkm import Ohkm
from heatmap_research.codec.losses.rle import DENSITIES, Flow, Rle
from heatmap_research.codec.losses.smooth_l1 import SmoothL1
from heatmap_research.codec.losses.wing import Wing
from heatmap_research.codec.targets.gaussian import Gaussian
from heatmap_research.codec.targets.one_hot import OneHot
from heatmap_research.types import Label

TARGETS = {"gaussian": Gaussian(sigma=2.0), "one_hot": OneHot(smoothing=0.0)}
VARIANTS = {
    **{n: loss for n, loss in LOSSES.items() if n != "expectation"},
    **{f"expectation_{kind}": Expectation(kind, beta=1.0) for kind in KINDS},
    "ohkm_cross_entropy": Ohkm(CrossEntropy(), hardest=2),
}
SMOOTH = ("mse", "ohkm", "adaptive_wing", "cross_entropy", "kl", "js", "ohkm_cross_entropy")
AWING = LOSSES["adaptive_wing"]

every_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
every_loss = pytest.mark.parametrize("loss", VARIANTS.values(), ids=VARIANTS)
every_coordinate_loss = pytest.mark.parametrize("name", COORDINATE_LOSSES)
SHAPES = [(9,), (5, 7)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
both_layouts = each(ndim=NDIMS)
every_density = pytest.mark.parametrize("density", DENSITIES)


def random(shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def label_at(position, target, shape, stride=None):
    """Draws a label at each position, which is in bins; every joint is to be learnt."""
    stride = stride or (1.0,) * len(shape)
    middle = torch.tensor([size // 2 for size in shape], dtype=position.dtype)
    ideal = target(middle.expand(1, position.shape[1], -1), shape, stride)
    return Label(
        heatmap=target(position, shape, stride),
        position=position,
        visible=torch.ones_like(position[..., 0]),
        stride=stride,
        energy=ideal.square().flatten(2).sum(-1),
    )


def label_of(target, shape, seed=0, dtype=torch.float64, joints=3):
    """Draws labels at random positions anywhere in a map, of which a bin is a pixel."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(2, joints, len(shape), generator=generator, dtype=dtype)
    return label_at(share * torch.tensor(shape, dtype=dtype) - 0.5, target, shape)


def labels_of_every_kind(dtype=torch.float64):
    """Labels in a vector and in a map, of a target that is wide and of one that is a single bin."""
    return [label_of(t, shape, dtype=dtype) for shape in SHAPES for t in TARGETS.values()]


def labels_at(pixels, target, image_size, stride, ndim):
    """Draws a label a map at points in (y, x) pixels; the outer bins end where the image does."""
    bins = (pixels + 0.5) / stride - 0.5
    shape = tuple(round(size / stride) for size in image_size)
    if ndim == 2:
        return [label_at(bins, target, shape, (stride, stride))]
    parts = zip(bins.split(1, dim=-1), shape, strict=True)
    return [label_at(position, target, (size,), (stride,)) for position, size in parts]


def inside(image_size, count=20, margin=25.0):
    """Returns points in (y, x) pixels that are `margin` pixels or more from the border."""
    return uniform_keypoints(count, image_size, margin).flip(-1).double()


def tents(label):
    """Scores of a map that is shared among the bins about a position: its mean is there."""
    result = label.position.new_ones(())
    for axis, size in enumerate(label.heatmap.shape[2:]):
        bins = torch.arange(size, dtype=label.position.dtype)
        place = label.position[..., axis, None].clamp(0, size - 1)
        tent = (1 - (bins - place).abs()).clamp(min=0)
        result = result[..., None] * tent.view(*tent.shape[:2], *[1] * axis, size)
    return result.clamp(min=1e-300).log()


def best_scores(loss, label):
    return tents(label) if isinstance(loss, Expectation) else perfect_scores(loss, label.heatmap)


# --- every loss of maps ---------------------------------------------------------------------------


@every_loss
def test_the_gradient_of_a_loss_is_its_numeric_one(loss):
    for label in labels_of_every_kind():
        scores = random(label.heatmap.shape).requires_grad_()
        assert torch.autograd.gradcheck(lambda scores, label=label: loss(scores, label), (scores,))


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "dsnt"])
def test_a_loss_is_least_at_its_label(name):
    loss = VARIANTS[name]
    for label in labels_of_every_kind():
        scores = best_scores(loss, label).requires_grad_()
        value, least = loss(scores, label), loss.least(label)
        torch.testing.assert_close(value, least, atol=1e-9, rtol=0)
        if name in SMOOTH:
            (gradient,) = torch.autograd.grad(value.sum(), scores)
            assert gradient.abs().max() < 1e-9
        for seed in range(20):
            nudged = scores.detach() + 0.1 * random(scores.shape, seed)
            assert (loss(nudged, label).sum(1) >= least.sum(1) - 1e-9).all()
            assert (loss(random(scores.shape, seed), label).sum(1) > least.sum(1)).all()


@pytest.mark.parametrize("loss", [Dsnt(32.0), Dsnt(0.0), *(Expectation(k, 1.0) for k in KINDS)])
def test_a_mean_is_least_at_a_wide_label_far_from_the_border(loss):
    for shape in ((41,), (41, 31)):
        position = torch.tensor([[[20.3, 14.6][: len(shape)]]], dtype=torch.float64)
        label = label_at(position, Gaussian(1.5), shape)
        scores = perfect_scores(loss, label.heatmap)
        torch.testing.assert_close(loss(scores, label), loss.least(label), atol=1e-6, rtol=0)
        for axis in range(len(shape)):
            moved = perfect_scores(loss, label.heatmap.roll(1, 2 + axis))
            assert loss(moved, label).item() > 0.4


@every_loss
def test_a_loss_is_never_below_its_least(loss):
    for label in labels_of_every_kind(torch.float32):
        for seed in range(20):
            scores = 10 * random(label.heatmap.shape, seed, torch.float32)
            assert (loss(scores, label).sum(1) >= loss.least(label).sum(1)).all()


@every_loss
def test_a_loss_is_one_number_per_joint_from_that_joint_alone(loss):
    for label in labels_of_every_kind():
        scores = random(label.heatmap.shape).requires_grad_()
        value = loss(scores, label)
        assert value.shape == loss.least(label).shape == (2, 3)
        worst = int(value[1].argmax())  # ohkm forgets the others
        (gradient,) = torch.autograd.grad(value[1, worst], scores)
        assert gradient[1, worst].abs().max() > 0
        gradient[1, worst] = 0
        assert gradient.abs().max() == 0


@every_loss
def test_a_batch_beside_itself_has_the_same_losses(loss):
    for label in labels_of_every_kind():
        scores = random(label.heatmap.shape)
        heatmap, position, visible = (torch.cat([part, part]) for part in label[:3])
        twice = label._replace(heatmap=heatmap, position=position, visible=visible)
        value = loss(torch.cat([scores, scores]), twice)
        torch.testing.assert_close(value, loss(scores, label).repeat(2, 1), rtol=1e-12, atol=0)
        torch.testing.assert_close(loss.least(twice), loss.least(label).repeat(2, 1))


@every_loss
def test_a_loss_and_its_gradient_are_finite_for_huge_scores(loss):
    for size in (1e4, -1e4):
        for label in labels_of_every_kind(torch.float32):
            for seed in range(5):
                signs = random(label.heatmap.shape, seed, torch.float32).sign()
                for pattern in (signs, torch.ones_like(signs), signs.clamp(min=0)):
                    scores = (size * pattern).requires_grad_()
                    value = loss(scores, label)
                    (gradient,) = torch.autograd.grad(value.sum(), scores)
                    assert value.isfinite().all()
                    assert gradient.isfinite().all()


@every_loss
def test_a_loss_depends_on_the_order_of_bins_only_through_the_label(loss):
    for target in TARGETS.values():
        label = label_of(target, (5, 7))._replace(stride=(2.0, 3.0))
        scores = random((2, 3, 5, 7))
        turned = label._replace(
            heatmap=label.heatmap.mT, position=label.position.flip(-1), stride=(3.0, 2.0)
        )
        torch.testing.assert_close(loss(scores.mT, turned), loss(scores, label))


# --- the same error at another resolution ---------------------------------------------------------


def excess_of_an_error(loss, stride, ndim, image_size, narrow=8.0, wide=9.0, shift=(3.0, -5.0)):
    """What maps cost above the least, if they are a pixel too wide and some pixels off."""
    pixels = inside(image_size, count=5, margin=60.0)
    moved = pixels + torch.tensor(shift, dtype=torch.float64)
    labels = labels_at(pixels, Gaussian(narrow), image_size, stride, ndim)
    guesses = labels_at(moved, Gaussian(wide), image_size, stride, ndim)
    pairs = zip(labels, guesses, strict=True)
    return sum(
        loss(perfect_scores(loss, guess.heatmap), label) - loss.least(label)
        for label, guess in pairs
    )


@every_loss
def test_the_same_error_costs_the_same_at_another_resolution(loss):
    for ndim in NDIMS:
        expected = excess_of_an_error(loss, 1.0, ndim, (160, 192))
        assert expected.min() > 0
        for stride in (4.0, 2.0, 0.5):
            value = excess_of_an_error(loss, stride, ndim, (160, 192))
            torch.testing.assert_close(value, expected, rtol=0.01, atol=0)


@every_loss
@both_layouts
def test_the_same_error_costs_the_same_on_longer_axes(ndim, loss):
    """Means see what a float leaves of the tails: the label stops at e^-40."""
    pixels = torch.tensor([[[70.25, 81.5]]], dtype=torch.float64)
    moved = pixels + torch.tensor([3.0, -5.0], dtype=torch.float64)

    def total(size):
        labels = labels_at(pixels, Gaussian(8.0), size, 2.0, ndim)
        guesses = labels_at(moved, Gaussian(9.0), size, 2.0, ndim)
        pairs = list(zip(labels, guesses, strict=True))
        return sum(loss(perfect_scores(loss, g.heatmap), label) for label, g in pairs)

    torch.testing.assert_close(total((320, 640)), total((160, 160)), rtol=1e-6, atol=1e-9)


@every_loss
def test_the_axes_of_a_point_weigh_the_same(loss):
    """An error along y in a short map costs what it costs along x in a long one."""
    pixels = torch.tensor([[[60.0, 60.0]]], dtype=torch.float64)
    labels = labels_at(pixels, Gaussian(8.0), (128, 256), 2.0, 1)
    guesses = labels_at(pixels + 4, Gaussian(8.0), (128, 256), 2.0, 1)
    down, right = (
        loss(perfect_scores(loss, guess.heatmap), label)
        for label, guess in zip(labels, guesses, strict=True)
    )
    torch.testing.assert_close(down, right, rtol=1e-6, atol=0)


# --- mse, ohkm, adaptive wing ---------------------------------------------------------------------


@both_layouts
def test_the_squared_error_of_an_empty_map_is_one_at_any_resolution(ndim):
    for stride in STRIDES:
        pixels = inside((96, 64), count=200)
        for label in labels_at(pixels, Gaussian(4.0), (96, 64), stride, ndim):
            value = Mse()(torch.zeros_like(label.heatmap), label)
            torch.testing.assert_close(value, torch.ones_like(value), rtol=1e-3, atol=0)


def test_a_label_cut_by_the_border_weighs_what_a_whole_one_does():
    """The same error at the same bins: half of the label's energy lies outside the map."""
    edge = torch.tensor([[[-0.5, 32.0]]], dtype=torch.float64)
    cut = label_at(edge, Gaussian(3.0), (64, 64))
    error = torch.zeros(1, 1, 64, 64, dtype=torch.float64)
    error[..., 40, 40] = 0.5
    whole = label_at(edge + 32, Gaussian(3.0), (64, 64))
    costs = [Mse()(label.heatmap + error, label) for label in (cut, whole)]
    torch.testing.assert_close(*costs)


def test_the_squared_error_of_a_hand_made_map():
    label = Label(
        heatmap=torch.tensor([[[0.0, 2.0, 1.0]]]),
        position=torch.ones(1, 1, 1),
        visible=torch.ones(1, 1),
        stride=(1.0,),
        energy=torch.tensor([[4.0]]),
    )
    scores = torch.tensor([[[1.0, 0.0, 1.0]]])
    assert Mse()(scores, label).item() == 1.25  # (1 + 4 + 0) / 4
    assert Mse().least(label).item() == 0.0


class Given:
    """A loss whose value for each joint is its score."""

    activation = "sigmoid"

    def __call__(self, scores, label):
        return scores.sum(-1)

    def least(self, label):
        return label.position.sum(-1)


def losses_of(values, visible):
    values, visible = torch.tensor(values), torch.tensor(visible)
    label = Label(values[..., None], values[..., None], visible, (1.0,), torch.ones(1, 1))
    return values[..., None].clone().requires_grad_(), label


@pytest.mark.parametrize(
    ("visible", "picked"),
    [
        ([[1.0, 1.0, 1.0, 1.0]], [[5.0, 0.0, 7.0, 0.0]]),
        ([[1.0, 1.0, 0.0, 1.0]], [[5.0, 2.0, 0.0, 0.0]]),
        ([[0.0, 1.0, 0.0, 0.0]], [[0.0, 2.0, 0.0, 0.0]]),
        ([[0.0, 0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, 0.0]]),
    ],
    ids=["all", "not_the_worst", "too_few", "none"],
)
def test_the_worst_learnt_joints_are_picked_and_their_mean_is_kept(visible, picked):
    scores, label = losses_of([[5.0, 2.0, 7.0, 1.0]], visible)
    loss = Ohkm(Given(), hardest=2)
    value = loss(scores, label)
    picked = torch.tensor(picked)
    assert torch.equal(value > 0, picked > 0)
    torch.testing.assert_close(loss.least(label), value)
    mean = (value * label.visible).sum() / label.visible.sum().clamp(min=1)
    torch.testing.assert_close(mean, picked.sum() / (picked > 0).sum().clamp(min=1))
    (gradient,) = torch.autograd.grad(value.sum(), scores)
    assert torch.equal(gradient[..., 0] > 0, picked > 0)
    assert gradient.isfinite().all()


def test_the_mean_is_over_all_picked_joints_of_a_batch():
    scores, label = losses_of(
        [[5.0, 2.0, 7.0], [1.0, 3.0, 9.0]], [[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]
    )
    value = Ohkm(Given(), hardest=2)(scores, label)
    mean = (value * label.visible).sum() / label.visible.sum()
    torch.testing.assert_close(mean, torch.tensor((5.0 + 7.0 + 1.0) / 3))


def test_picking_every_joint_changes_nothing():
    label, scores = label_of(Gaussian(1.2), (5, 7)), random((2, 3, 5, 7))
    for hardest in (3, 8):
        value = Ohkm(Mse(), hardest)(scores, label)
        torch.testing.assert_close(value, Mse()(scores, label))


def test_a_loss_that_cannot_be_told_of_an_unlearnt_joint_does_no_harm():
    scores, label = losses_of([[5.0, torch.nan, 7.0]], [[1.0, 0.0, 1.0]])
    value = Ohkm(Given(), hardest=2)(scores, label)
    assert value.tolist() == [[5.0, 0.0, 7.0]]


def test_ohkm_is_read_as_the_loss_it_wraps():
    assert Ohkm(CrossEntropy(), 8).activation == "softmax"
    assert Ohkm(Mse(), 8).activation == "identity"


@every_shape
def test_adaptive_wing_equals_its_formula(shape):
    for target in TARGETS.values():
        label = label_of(target, shape)
        scores = random((2, 3, *shape))
        value = AWING(scores, label)
        alpha, omega, epsilon, theta = 2.1, 14.0, 1.0, 0.5
        for batch, joint in np.ndindex(2, 3):
            total = 0.0
            for index in np.ndindex(shape):
                y = label.heatmap[batch, joint][index].item()
                error = abs(y - scores[batch, joint][index].item())
                power = alpha - y
                ratio = theta / epsilon
                slope = omega / (1 + ratio**power) * power * ratio ** (power - 1) / epsilon
                offset = theta * slope - omega * math.log(1 + ratio**power)
                if error < theta:
                    total += omega * math.log(1 + (error / epsilon) ** power)
                else:
                    total += slope * error - offset
            expected = total / label.energy[0, joint].item()
            assert value[batch, joint].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("height", [0.0, 0.3, 1.0])
def test_adaptive_wing_and_its_slope_are_continuous_at_theta(height):
    def at(error):
        scores = torch.full((1, 1, 1), height + error, dtype=torch.float64).requires_grad_()
        one = torch.ones(1, 1, 1, dtype=torch.float64)
        value = AWING(scores, Label(height * one, 0 * one, one[0], (1.0,), one[0]))
        return value.item(), torch.autograd.grad(value.sum(), scores)[0].item()

    (before, slope_before), (after, slope_after) = at(0.5 - 1e-9), at(0.5 + 1e-9)
    assert after == pytest.approx(before, abs=1e-7)
    assert slope_after == pytest.approx(slope_before, rel=1e-6)


# --- distributions --------------------------------------------------------------------------------


@every_shape
def test_the_least_cross_entropy_is_the_entropy_of_the_label(shape):
    label = label_of(Gaussian(1.2), shape)
    expected = stats.entropy(label.heatmap.flatten(2).numpy(), axis=-1)  # it normalises
    np.testing.assert_allclose(CrossEntropy().least(label).numpy(), expected, atol=1e-12, rtol=0)


def in_double(scores, label, batch, joint):
    """Returns the softmax of the scores and the normalised label of one joint, in NumPy."""
    given = np.exp(scores[batch, joint].double().numpy())
    wanted = label.heatmap[batch, joint].double().numpy()
    return given / given.sum(), wanted / wanted.sum()


@every_shape
def test_divergences_equal_their_sums_in_double_precision(shape):
    for target in TARGETS.values():
        label = label_of(target, shape, dtype=torch.float32)
        scores = 3 * random((2, 3, *shape), dtype=torch.float32)
        entropy, kl, js = (loss(scores, label) for loss in (CrossEntropy(), Kl(), Js()))
        for at in np.ndindex(2, 3):
            given, wanted = in_double(scores, label, *at)
            expected = -sum(wanted[i] * np.log(given[i]) for i in np.ndindex(shape))
            assert entropy[at].item() == pytest.approx(expected, rel=1e-5)
            divergence = stats.entropy(wanted.ravel(), given.ravel())
            assert kl[at].item() == pytest.approx(divergence, rel=1e-5)
            assert js[at].item() == pytest.approx(
                jensenshannon(wanted.ravel(), given.ravel()) ** 2, rel=1e-4
            )


@pytest.mark.parametrize("loss", [CrossEntropy(), Kl(), Js(), Emd(), Dsnt(32.0)])
def test_distributions_are_read_from_scores_up_to_a_constant(loss):
    for shape in SHAPES:
        label = label_of(Gaussian(1.2), shape)
        scores = random((2, 3, *shape))
        torch.testing.assert_close(loss(scores + 7, label), loss(scores, label))


@every_shape
def test_kl_is_the_cross_entropy_above_its_least(shape):
    for target in TARGETS.values():
        label = label_of(target, shape)
        scores = random((2, 3, *shape)).requires_grad_()
        above = CrossEntropy()(scores, label) - CrossEntropy().least(label)
        torch.testing.assert_close(Kl()(scores, label), above)
        ours, theirs = (
            torch.autograd.grad(loss(scores, label).sum(), scores)[0]
            for loss in (Kl(), CrossEntropy())
        )
        torch.testing.assert_close(ours, theirs)


@every_target
@pytest.mark.parametrize("loss", [CrossEntropy(), Kl(), Emd(), Expectation("l1", 1.0)])
def test_an_outer_sum_costs_what_its_two_vectors_cost_together(loss, target):
    for stride in STRIDES:
        pixels = inside((16, 24), count=20, margin=0.0)
        (both,) = labels_at(pixels, target, (16, 24), stride, 2)
        rows, columns = labels_at(pixels, target, (16, 24), stride, 1)
        down = random((20, 1, rows.heatmap.shape[-1]))
        right = random((20, 1, columns.heatmap.shape[-1]), seed=1)
        joint = loss(down[..., :, None] + right[..., None, :], both)
        torch.testing.assert_close(joint, loss(down, rows) + loss(right, columns))
        torch.testing.assert_close(loss.least(both), loss.least(rows) + loss.least(columns))


@covering(ndim=NDIMS, stride=[2, 1, 1 / 2, 2 / 3], loss=[CrossEntropy(), Kl()])
def test_the_excess_of_a_wider_prediction_is_its_divergence_at_any_resolution(stride, ndim, loss):
    pixels = inside((96, 64))
    narrow, wide = 2.5, 4.0  # pixels
    divergence = 2 * (math.log(wide / narrow) + narrow**2 / (2 * wide**2) - 0.5)  # x and y
    labels, guesses = (
        labels_at(pixels, Gaussian(sigma), (96, 64), stride, ndim) for sigma in (narrow, wide)
    )
    total = sum(
        loss(guess.heatmap.log(), label) - loss.least(label)
        for label, guess in zip(labels, guesses, strict=True)
    )
    torch.testing.assert_close(total, torch.full_like(total, divergence), atol=2e-4, rtol=0)


@every_shape
def test_jensen_shannon_is_a_bit_where_map_and_label_do_not_meet(shape):
    label = label_of(TARGETS["one_hot"], shape)
    away = -1e4 * label.heatmap  # nothing where the label has all
    value = Js()(away, label)
    torch.testing.assert_close(value, torch.full_like(value, math.log(2)))
    assert torch.equal(Js()(1e4 * label.heatmap, label), torch.zeros(2, 3, dtype=torch.float64))


# --- earth mover's distance -----------------------------------------------------------------------


@covering(ndim=NDIMS, stride=STRIDES, shift=[(3.0, -5.0), (0.0, 2.25), (-4.5, 0.0)])
def test_moving_a_gaussian_costs_the_pixels_it_is_moved_by(shift, stride, ndim):
    pixels = inside((128, 160), margin=50.0)
    moved = pixels + torch.tensor(shift, dtype=torch.float64)
    labels, guesses = (
        labels_at(places, Gaussian(6.0), (128, 160), stride, ndim) for places in (pixels, moved)
    )
    pairs = zip(labels, guesses, strict=True)
    total = sum(Emd()(guess.heatmap.log(), label) for label, guess in pairs)
    expected = sum(abs(length) for length in shift)
    torch.testing.assert_close(total, torch.full_like(total, expected), atol=1e-4, rtol=0)


@every_shape
def test_the_distance_moved_equals_scipys_along_each_axis(shape):
    for target in TARGETS.values():
        stride = (2.0, 3.0)[: len(shape)]
        label = label_of(target, shape)._replace(stride=stride)
        scores = random((2, 3, *shape))
        value = Emd()(scores, label)
        for at in np.ndindex(2, 3):
            given, wanted = in_double(scores, label, *at)
            expected = 0.0
            for axis, size in enumerate(shape):
                others = tuple(other for other in range(len(shape)) if other != axis)
                bins = np.arange(size)
                expected += stride[axis] * stats.wasserstein_distance(
                    bins, bins, wanted.sum(others), given.sum(others)
                )
            assert value[at].item() == pytest.approx(expected, rel=1e-10)


def test_the_distance_moved_does_not_saturate():
    """Where divergences have no gradient left, this one still tells far from near."""
    label = label_at(
        torch.tensor([[[2.0]]], dtype=torch.float64), TARGETS["one_hot"], (64,), (4.0,)
    )
    for far in (10, 20, 61):
        scores = torch.full((1, 1, 64), -1e4, dtype=torch.float64)
        scores[..., far] = 0
        assert Emd()(scores, label).item() == pytest.approx(4 * (far - 2))


# --- expectation and dsnt -------------------------------------------------------------------------


def hand_made():
    """A map of 3 x 4 bins with 1/4 in each of four of them, so that its mean is (1.25, 1.5)."""
    share = torch.zeros(1, 1, 3, 4, dtype=torch.float64)
    for place in ((0, 0), (1, 1), (2, 2), (2, 3)):
        share[0, 0][place] = 0.25
    position = torch.tensor([[[2.0, 1.0]]], dtype=torch.float64)
    ones = torch.ones(1, 1, dtype=torch.float64)
    return share.clamp(min=1e-300).log(), Label(share, position, ones, (4.0, 2.0), ones)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [  # 0.75 bins of 4 pixels too high, 0.5 bins of 2 pixels too far right
        (Expectation("l1", 1.0), 3 + 1),
        (Expectation("l2", 1.0), 9 + 1),
        (Expectation("smooth_l1", 2.0), (3 - 1) + 1 / 4),
        (Dsnt(0.0), math.sqrt(9 + 1)),
        (Dsnt(5.0), math.sqrt(9 + 1)),  # the map is its label, which lies elsewhere
    ],
    ids=str,
)
def test_the_mean_of_a_hand_made_map_is_off_by_what_it_is_off(loss, expected):
    scores, label = hand_made()
    assert loss(scores, label).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("loss", [*(Expectation(kind, 1.0) for kind in KINDS), Dsnt(32.0)], ids=str)
def test_a_mean_at_its_place_has_a_finite_gradient(loss):
    ones = torch.ones(1, 1, dtype=torch.float64)
    heatmap = torch.ones(1, 1, 5, 7, dtype=torch.float64)
    position = torch.tensor([[[2.0, 3.0]]], dtype=torch.float64)
    scores = torch.zeros_like(heatmap).requires_grad_()
    value = loss(scores, Label(heatmap, position, ones, (4.0, 4.0), ones))
    (gradient,) = torch.autograd.grad(value.sum(), scores)
    assert value.item() == pytest.approx(0, abs=1e-12)
    assert gradient.isfinite().all()


@every_shape
def test_dsnt_is_its_distance_and_the_divergence_in_pixels(shape):
    for target in TARGETS.values():
        label = label_of(target, shape)._replace(stride=(2.0, 3.0)[: len(shape)])
        scores = random((2, 3, *shape))
        value = Dsnt(7.0)(scores, label)
        for at in np.ndindex(2, 3):
            given, wanted = in_double(scores, label, *at)
            mean = [np.sum(bins * given) for bins in np.indices(shape)]
            gap = (mean - label.position[at].numpy()) * np.array(label.stride)
            divergence = jensenshannon(wanted.ravel(), given.ravel()) ** 2
            assert value[at].item() == pytest.approx(
                np.hypot.reduce(gap) + 7 * divergence, rel=1e-9
            )


@pytest.mark.parametrize("loss", [*(Expectation(kind, 1.0) for kind in KINDS), Dsnt(0.0)], ids=str)
def test_the_least_a_mean_can_cost_counts_the_half_bin_no_mean_reaches(loss):
    """A point on the image's edge lies half a bin beyond the outer bins' middles."""
    position = torch.tensor([[[-0.5, 3.0], [4.25, 7.5]]], dtype=torch.float64)
    label = label_at(position, TARGETS["gaussian"], (5, 8), (4.0, 2.0))
    nearest = torch.full((1, 2, 5, 8), -1e4, dtype=torch.float64)
    nearest[0, 0, 0, 3] = nearest[0, 1, 4, 7] = 0
    torch.testing.assert_close(loss(nearest, label), loss.least(label))
    assert (loss.least(label) > 0.4).all()


# --- coordinates ----------------------------------------------------------------------------------


def points(seed=0, dtype=torch.float64):
    """Returns predicted points, true points, and predicted widths, all in pixels."""
    predicted, wanted, spread = (20 * random((2, 3, 2), seed + n, dtype) for n in range(3))
    return predicted, wanted, spread.abs() + 0.5


def coordinate_loss(name):
    """Returns a loss by name; one with weights in double precision, with weights far from 0."""
    if name != "rle":
        return COORDINATE_LOSSES[name]
    return rle(flow=shaken(Flow()))


def rle(density="laplace", residual=True, published=False, least=1e-2, flow=None):
    loss = Rle(density, residual, published, least)
    loss.flow = flow or loss.flow
    return loss.double()


def shaken(flow, size=0.2, seed=0):
    """Draws the weights of a flow anew, so that it has some shape."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in flow.parameters():
            weights.copy_(size * torch.randn(weights.shape, generator=generator))
    return flow.double()


def still(flow):
    """Sets the weights of a flow to zero: it moves nothing and is a standard normal."""
    with torch.no_grad():
        for weights in flow.parameters():
            weights.zero_()
    return flow


@every_coordinate_loss
def test_the_gradient_of_a_coordinate_loss_is_its_numeric_one(name):
    loss = coordinate_loss(name)
    given = tuple(each.requires_grad_() for each in points())
    assert torch.autograd.gradcheck(lambda *each: loss(*each), given)


@every_coordinate_loss
def test_a_coordinate_loss_is_one_number_per_joint_from_that_joint_alone(name):
    predicted, wanted, spread = points()
    predicted.requires_grad_()
    value = coordinate_loss(name)(predicted, wanted, spread)
    assert value.shape == (2, 3)
    (gradient,) = torch.autograd.grad(value[1, 2], predicted)
    assert (gradient[1, 2] != 0).all()
    gradient[1, 2] = 0
    assert not gradient.any()


@every_coordinate_loss
def test_a_batch_beside_itself_has_the_same_coordinate_losses(name):
    loss, given = coordinate_loss(name), points()
    twice = loss(*(torch.cat([each, each]) for each in given))
    torch.testing.assert_close(twice, loss(*given).repeat(2, 1), rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", [name for name in COORDINATE_LOSSES if name != "rle"])
def test_a_coordinate_loss_is_zero_at_its_point_and_grows_with_distance(name):
    loss = COORDINATE_LOSSES[name]
    _, wanted, _ = points()
    before = loss(wanted, wanted, None)
    assert not before.any()
    for pixels in (0.1, 0.9, 1.1, 5.0, 9.9, 10.1, 30.0):
        for sign in (1, -1):
            value = loss(wanted + sign * pixels, wanted, None)
            assert (value > before).all()
        before = value


@pytest.mark.parametrize(
    ("loss", "expected"),
    [  # 3 pixels left, 0.5 pixels down
        (L1(), 3.5),
        (L2(), 9.25),
        (SmoothL1(1.0), 2.5 + 0.125),
        (SmoothL1(6.0), 9 / 12 + 0.25 / 12),
        (Wing(10.0, 2.0), 10 * math.log(2.5) + 10 * math.log(1.25)),
        (Wing(2.0, 0.5), (3 - 2 + 2 * math.log(5)) + 2 * math.log(2)),
    ],
    ids=str,
)
def test_coordinate_losses_of_one_error(loss, expected):
    wanted = torch.tensor([[[40.0, 20.0]]], dtype=torch.float64)
    error = torch.tensor([-3.0, 0.5], dtype=torch.float64)
    assert loss(wanted + error, wanted, None).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("loss", [Wing(10.0, 2.0), SmoothL1(10.0)], ids=str)
def test_a_coordinate_loss_does_not_jump_where_it_turns_straight(loss):
    wanted = torch.zeros(1, 1, 2, dtype=torch.float64)
    below, above = (loss(wanted + 10 + step, wanted, None).item() for step in (-1e-9, 1e-9))
    assert above == pytest.approx(below, abs=1e-7)


@every_coordinate_loss
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_huge_coordinates_have_a_finite_cost_and_gradient(size, name):
    """The scores lie 1e4 crops from the middle; the width is none at all, or huge."""
    loss = coordinate_loss(name).float() if name == "rle" else COORDINATE_LOSSES[name]
    signs = random((2, 3, 2), dtype=torch.float32).sign()
    for width in (0.0, 1e-8, 1.0, 256.0):
        predicted = (256 * size * signs).requires_grad_()
        spread = torch.full((2, 3, 2), width).requires_grad_()
        value = loss(predicted, torch.zeros(2, 3, 2), spread)
        value.sum().backward()
        assert value.isfinite().all()
        assert predicted.grad.isfinite().all()
        assert spread.grad is None or spread.grad.isfinite().all()
    if name == "rle":
        assert all(weights.grad.isfinite().all() for weights in loss.parameters())


def codec_of(name):
    grid, decoders = Grid((64, 48), 4, 0), {"coordinates": Coordinates()}
    return CoordinateCodec(grid, COORDINATE_LOSSES[name], decoders, labels_of())


def scores_of(name, people=4, seed=0):
    return random((people, 3, 4 if name == "rle" else 2), seed, torch.float32)


@every_coordinate_loss
def test_joints_without_a_label_cost_nothing_and_learn_nothing(name):
    codec, scores = codec_of(name), scores_of(name).requires_grad_()
    places = uniform_keypoints(12, (64, 48)).view(4, 3, 2)
    once = codec.training_loss((scores[:, :1],), places[:, :1], torch.full((4, 1), 2)).loss
    places[:, 1], places[:, 2] = torch.nan, 1e6  # unlabelled, outside
    loss = codec.training_loss((scores,), places, torch.tensor([[2, 0, 2]] * 4)).loss
    torch.testing.assert_close(loss, once)
    (gradient,) = torch.autograd.grad(loss, scores)
    assert gradient[:, 0].any()
    assert not gradient[:, 1:].any()


@every_coordinate_loss
def test_a_repeated_batch_of_coordinates_costs_the_same(name):
    codec, scores = codec_of(name), scores_of(name)
    places, seen = uniform_keypoints(12, (64, 48)).view(4, 3, 2), torch.full((4, 3), 2)
    once = codec.training_loss((scores,), places, seen).loss
    twice = codec.training_loss(
        (scores.repeat(2, 1, 1),), places.repeat(2, 1, 1), seen.repeat(2, 1)
    )
    torch.testing.assert_close(twice.loss, once)


@every_coordinate_loss
def test_half_precision_coordinates_cost_what_the_same_numbers_cost_in_single(name):
    for size in (1.0, 1e4):
        codec = codec_of(name)
        half = (size * scores_of(name)).bfloat16().requires_grad_()
        single = half.detach().float().requires_grad_()
        places, seen = uniform_keypoints(12, (64, 48)).view(4, 3, 2), torch.full((4, 3), 2)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = codec.training_loss((half,), places, seen).loss
        expected = codec.training_loss((single,), places, seen).loss
        assert loss.isfinite()
        assert torch.equal(loss, expected)
        rough, fine = (torch.autograd.grad(c, s)[0] for c, s in ((loss, half), (expected, single)))
        assert rough.isfinite().all()
        assert torch.equal(rough, fine.bfloat16())


# --- residual log-likelihood ----------------------------------------------------------------------

FAMILIES = {"laplace": stats.laplace, "gaussian": stats.norm}


@every_density
def test_a_flow_that_moves_nothing_leaves_the_simple_densitys_likelihood(density):
    given = points()
    predicted, wanted, spread = (each.numpy() for each in given)
    value = rle(density, flow=still(Flow()))(*given)
    simple = FAMILIES[density].logpdf(predicted, wanted, spread).sum(-1)
    residue = stats.norm.logpdf((predicted - wanted) / spread).sum(-1)
    np.testing.assert_allclose(value.detach().numpy(), -simple - residue, rtol=1e-12)


@every_density
def test_without_a_residual_the_flow_is_the_whole_likelihood(density):
    given = points()
    predicted, wanted, spread = (each.numpy() for each in given)
    value = rle(density, residual=False, flow=still(Flow()))(*given)
    expected = -stats.norm.logpdf(predicted, wanted, spread).sum(-1)
    np.testing.assert_allclose(value.detach().numpy(), expected, rtol=1e-12)


@every_density
@pytest.mark.parametrize("residual", [True, False])
def test_the_published_form_counts_the_flow_and_the_spread_once_more(density, residual):
    given, flow = points(), shaken(Flow())
    ours, published = (rle(density, residual, form, flow=flow)(*given) for form in (False, True))
    predicted, wanted, spread = given
    again = -flow.log_density(((predicted - wanted) / spread).view(-1, 2)).view(2, 3)
    if residual:
        again = again + spread.log().sum(-1)
    torch.testing.assert_close(published - ours, again)


def test_the_best_width_of_a_gaussian_without_a_residual_is_the_errors_own():
    """-log N(e; 0, s) is least at s = |e|."""
    loss = rle("gaussian", residual=False, flow=still(Flow()))
    error = torch.full((1, 1, 2), 3.0, dtype=torch.float64)
    spread = error.clone().requires_grad_()
    loss(error, torch.zeros_like(error), spread).sum().backward()
    torch.testing.assert_close(spread.grad, torch.zeros_like(spread))


@pytest.mark.parametrize("seed", range(3))
def test_the_density_of_a_flow_holds_one_in_all(seed):
    flow, step = shaken(Flow(), size=0.15, seed=seed), 0.1
    line = torch.arange(-15, 15, step, dtype=torch.float64)
    with torch.no_grad():
        total = flow.log_density(torch.cartesian_prod(line, line)).exp().sum() * step**2
    assert total.item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_a_flow_can_be_undone(seed):
    flow = shaken(Flow(), seed=seed)
    start = 5 * random((50, 2))
    place, _ = flow.standardise(start)
    assert (place - start).abs().max() > 0.1
    for kept, scale, shift in zip(flow.kept, flow.scales, flow.shifts, strict=True):
        given = place * kept
        place = given + (1 - kept) * (place * scale(given).exp() + shift(given))
    torch.testing.assert_close(place, start)


@pytest.mark.parametrize("seed", range(3))
def test_the_volume_ratio_of_a_flow_is_its_jacobian(seed):
    flow = shaken(Flow(), seed=seed)
    places = 5 * random((20, 2))
    _, log_volume = flow.standardise(places)
    for place, expected in zip(places, log_volume, strict=True):
        jacobian = torch.autograd.functional.jacobian(
            lambda each: flow.standardise(each[None])[0][0], place
        )
        torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, expected)


def test_a_new_flow_hardly_moves_a_point():
    torch.manual_seed(0)
    places = random((50, 2), dtype=torch.float32)
    moved, log_volume = Flow().standardise(places)
    assert (moved - places).abs().max() < 1
    assert log_volume.abs().max() < 1


def test_a_flow_learns_the_shape_of_an_error():
    """Errors of a ring, which no simple density resembles."""
    torch.manual_seed(0)
    angle = 2 * math.pi * torch.rand(512)
    ring = torch.stack([angle.cos(), angle.sin()], -1) + 0.1 * torch.randn(512, 2)
    flow = Flow()
    optimizer = torch.optim.Adam(flow.parameters(), lr=5e-3)
    losses = []
    for _ in range(150):
        optimizer.zero_grad()
        loss = -flow.log_density(ring).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.5


def test_no_spread_is_read_as_narrower_than_the_least():
    predicted, wanted, _ = points()
    loss = rle(least=0.25)
    narrow, least = (torch.full_like(wanted, width) for width in (1e-6, 0.25))
    torch.testing.assert_close(
        loss(predicted, wanted, narrow), loss(predicted, wanted, least), rtol=0, atol=0
    )


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Ohkm(Mse(), 0), "loss.hardest=0"),
        (lambda: AdaptiveWing(2.0, 14.0, 1.0, 0.5), "loss.alpha=2:"),
        (lambda: AdaptiveWing(2.1, 0.0, 1.0, 0.5), "loss.omega=0:"),
        (lambda: AdaptiveWing(2.1, 14.0, -1.0, 0.5), "loss.epsilon=-1:"),
        (lambda: AdaptiveWing(2.1, 14.0, 1.0, 0.0), "loss.theta=0:"),
        (lambda: Expectation("l3", 1.0), "loss.kind=l3: choose l1, l2, smooth_l1"),
        (lambda: Expectation("l1", 0.0), "loss.beta=0:"),
        (lambda: Dsnt(-1.0), "loss.weight=-1:"),
        (lambda: SmoothL1(0.0), "loss.beta=0:"),
        (lambda: Wing(0.0, 2.0), "loss.width=0:"),
        (lambda: Wing(10.0, -2.0), "loss.curvature=-2:"),
        (lambda: Rle("cauchy", True, False, 1e-2), "loss.density=cauchy: choose laplace, gaussian"),
        (lambda: Rle("laplace", True, False, 0.0), "loss.least=0:"),
    ],
)
def test_a_value_without_a_meaning_is_refused_in_the_words_of_the_command_line(make, message):
    with pytest.raises(ValueError, match=message):
        make()
