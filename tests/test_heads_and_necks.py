import pytest
import torch
from torch.nn.functional import interpolate

from heatmap_research.grid import Grid
from heatmap_research.heads.conv1x1 import Conv1x1
from heatmap_research.heads.deconv import Deconv
from heatmap_research.heads.marginal import Marginal
from heatmap_research.heads.simcc import Simcc
from heatmap_research.necks.identity import Identity
from heatmap_research.necks.top_down import TopDown
from heatmap_research.types import IncompatibleError, Level

SIZE = (64, 48)  # height, width
JOINTS = 5
PYRAMID = (Level(8, 4), Level(12, 8), Level(16, 16))
COARSE = (Level(16, 16),)
FINE = (Level(8, 4),)


def features_of(levels, size=SIZE, seed=0):
    generator = torch.Generator().manual_seed(seed)
    height, width = size
    return [
        torch.randn(2, channels, height // stride, width // stride, generator=generator)
        for channels, stride in levels
    ]


def grid_of(head, stride):
    return Grid(SIZE, stride, head.ndim)


def made(head, stride, levels=FINE, **knobs):
    return head(levels=levels, grid=grid_of(head, stride), joints=JOINTS, **knobs)


HEADS = {
    "conv1x1": (Conv1x1, 4, FINE, {"init_std": 0.1}),
    "conv1x1 on a middle level": (Conv1x1, 8, PYRAMID, {"init_std": 0.1}),
    "deconv": (Deconv, 4, COARSE, {"channels": 8, "init_std": 0.1}),
    "deconv finer than a pixel": (Deconv, 0.5, FINE, {"channels": 8, "init_std": 0.1}),
    "marginal": (Marginal, 0.5, FINE, {"init_std": 0.1}),
    "marginal of thirds": (Marginal, 2 / 3, PYRAMID, {"init_std": 0.1}),
    "simcc": (Simcc, 0.5, FINE, {"least_cells": 16}),
    "simcc of thirds": (Simcc, 2 / 3, COARSE, {"least_cells": 2}),
}
every_head = pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)


@every_head
def test_a_head_predicts_a_map_of_the_grids_shape_per_joint(head):
    kind, stride, levels, knobs = head
    scores = made(kind, stride, levels, **knobs)(features_of(levels))
    shapes = grid_of(kind, stride).shapes
    assert [tuple(score.shape) for score in scores] == [(2, JOINTS, *shape) for shape in shapes]


@every_head
def test_every_weight_of_a_head_is_trained(head):
    kind, stride, levels, knobs = head
    net = made(kind, stride, levels, **knobs)
    sum(score.square().sum() for score in net(features_of(levels))).backward()
    # The scores of one joint and axis share a bias that a later norm or softmax may take out.
    idle = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_conv1x1_is_a_dot_product_per_cell():
    net = made(Conv1x1, 4, init_std=0.5)
    (features,) = features_of(FINE)
    (scores,) = net([features])
    weight, bias = net.joint.weight.detach()[:, :, 0, 0], net.joint.bias.detach()
    by_hand = weight @ features[1, :, 3, 7] + bias
    torch.testing.assert_close(scores[1, :, 3, 7].detach(), by_hand)


@pytest.mark.parametrize("head", [Conv1x1, Marginal])
def test_a_local_head_of_mirrored_features_predicts_mirrored_maps(head):
    net = made(head, 4 if head.ndim == 2 else 0.5, init_std=0.5)
    (features,) = features_of(FINE)
    straight, mirrored = net([features]), net([features.flip(-1)])
    *others, last = straight
    torch.testing.assert_close(mirrored[-1], last.flip(-1))
    for one, other in zip(others, mirrored[:-1], strict=True):
        torch.testing.assert_close(one, other)


def test_conv1x1_says_which_strides_its_levels_have():
    with pytest.raises(IncompatibleError, match="none has stride=2: choose stride=4 or 8 or 16"):
        made(Conv1x1, 2, PYRAMID, init_std=0.1)


@pytest.mark.parametrize(("stride", "doublings"), [(8, 1), (4, 2), (2, 3), (1, 4), (0.5, 5)])
def test_deconv_doubles_as_often_as_its_stride_needs(stride, doublings):
    net = made(Deconv, stride, COARSE, channels=4, init_std=0.1)
    assert len(net.up) == doublings


def test_deconv_has_the_layers_of_its_paper():
    """Kernel 4, stride 2, 256 channels, batch norm, then 1x1 (Xiao et al., 2018)."""
    levels = (Level(2048, 32),)
    net = Deconv(levels, Grid((256, 192), 4, 2), joints=17, channels=256, init_std=1e-3)
    weights = [tuple(p.shape) for p in net.parameters() if p.ndim == 4]
    assert weights == [(2048, 256, 4, 4), (256, 256, 4, 4), (256, 256, 4, 4), (17, 256, 1, 1)]


def test_deconv_with_nothing_to_double_points_to_conv1x1():
    with pytest.raises(IncompatibleError, match="choose head=conv1x1"):
        made(Deconv, 16, COARSE, channels=4, init_std=0.1)


@pytest.mark.parametrize("levels", [FINE, COARSE])
def test_deconv_refuses_a_stride_off_its_powers_of_two(levels):
    grid = Grid((96, 96), 6, 2)
    with pytest.raises(IncompatibleError, match="divided by a power of two"):
        Deconv(levels, grid, JOINTS, channels=4, init_std=0.1)


def test_simcc_refuses_features_that_are_too_few_cells():
    with pytest.raises(IncompatibleError, match=r"sees 12 cells of stride 16.*neck=top_down"):
        made(Simcc, 0.5, COARSE, least_cells=16)


def test_a_marginal_is_a_2d_map_summed_over_the_other_axis():
    """With a bin per cell nothing is stretched: softmax commutes with the sum."""
    net = made(Marginal, 4, init_std=1.0)
    (features,) = features_of(FINE)
    rows, columns = (score.softmax(-1) for score in net([features]))
    first, second = net.joint(features).chunk(2, dim=1)
    joint = [s.flatten(2).softmax(-1).view_as(s) for s in (first, second)]
    torch.testing.assert_close(rows, joint[0].sum(3))
    torch.testing.assert_close(columns, joint[1].sum(2))


def test_a_stretched_marginal_peaks_where_its_cell_is():
    net = made(Marginal, 0.5, init_std=0.0)
    torch.nn.init.ones_(net.joint.weight)
    features = torch.zeros(1, 8, 16, 12)
    features[0, :, 9, 2] = 10.0  # covers pixels 36..39 down and 8..11 across
    rows, columns = (score[0, 0].softmax(-1) for score in net([features]))
    for weights, middle in ((rows, 37.5), (columns, 9.5)):
        bins = torch.arange(len(weights))
        mean = (weights * ((bins + 0.5) * 0.5 - 0.5)).sum()
        assert float(mean.detach()) == pytest.approx(middle, abs=1e-2)


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_maps_start_near_zero_so_that_losses_start_alike(head):
    kind, stride, levels, knobs = head
    if "init_std" not in knobs:
        pytest.skip("initialised as its layers are")
    net = made(kind, stride, levels, **knobs | {"init_std": 1e-3})
    scores = net(features_of(levels))
    assert all((score - score.mean()).abs().max() < 0.1 for score in scores)


def test_identity_hands_the_levels_on():
    neck = Identity(PYRAMID)
    features = features_of(PYRAMID)
    assert neck.levels == PYRAMID
    assert neck(features) is features


@pytest.mark.parametrize("levels", [PYRAMID, COARSE, FINE])
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_top_down_gives_one_map_of_its_own_stride(levels, stride):
    neck = TopDown(levels, stride, channels=6)
    (found,) = neck(features_of(levels))
    assert neck.levels == (Level(6, stride),)
    assert found.shape == (2, 6, 64 // stride, 48 // stride)


def test_top_down_leaves_out_levels_that_are_finer_than_it():
    neck = TopDown(PYRAMID, 8, channels=6)
    coarse = features_of(PYRAMID)
    other = [torch.zeros_like(coarse[0]), *coarse[1:]]
    assert neck(coarse)[0].shape == (2, 6, 8, 6)
    neck.eval()
    assert torch.equal(neck(coarse)[0], neck(other)[0])


def test_top_down_uses_every_level_that_is_not():
    neck = TopDown(PYRAMID, 4, channels=6)
    features = [feature.requires_grad_() for feature in features_of(PYRAMID)]
    neck(features)[0].square().sum().backward()
    assert all(feature.grad.any() for feature in features)


def test_top_down_adds_up_from_the_coarsest():
    neck = TopDown(PYRAMID, 4, channels=6)
    neck.smooth = torch.nn.Identity()
    features = features_of(PYRAMID)
    fine, middle, coarse = (c(f) for c, f in zip(neck.lateral, features, strict=True))
    up = middle + interpolate(coarse, scale_factor=2, mode="bilinear")
    expected = fine + interpolate(up, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(neck(features)[0], expected)


def test_top_down_says_which_strides_it_can_have():
    with pytest.raises(IncompatibleError, match=r"neck.stride=32 is coarser.*\(4, 8, 16\)"):
        TopDown(PYRAMID, 32, channels=6)


@pytest.mark.parametrize(("head", "stride", "maps"), [(Conv1x1, 4, 1), (Marginal, 0.5, 2)])
def test_a_local_head_is_one_linear_map_whatever_its_stride(head, stride, maps):
    net = made(head, stride, init_std=1.0)
    assert sum(p.numel() for p in net.parameters()) == maps * JOINTS * (8 + 1)
