import copy
import math
from functools import partial

import pytest
import torch
from torch.nn.functional import cross_entropy, interpolate

from heatmap_research.codec import gaussians, heatmaps
from heatmap_research.codec.grid import Grid
from heatmap_research.network.heads.conv1x1 import Conv1x1
from heatmap_research.network.heads.deconv import Deconv
from heatmap_research.network.heads.dense_2d import Dense2d
from heatmap_research.network.heads.lixel import LineShuffle, Lixel
from heatmap_research.network.heads.low_rank import LowRank
from heatmap_research.network.heads.marginal import Marginal
from heatmap_research.network.heads.outer import Outer
from heatmap_research.network.heads.pixel_shuffle import PixelShuffle
from heatmap_research.network.heads.regression import Regression
from heatmap_research.network.heads.rtmcc import GatedAttention, Rtmcc, ScaleNorm
from heatmap_research.network.heads.rtmcc_2d import Rtmcc2d
from heatmap_research.network.heads.simcc import Simcc
from heatmap_research.network.heads.summed import Summed
from heatmap_research.network.heads.upsample import Upsample
from heatmap_research.network.necks.deconv import Deconv as DeconvNeck
from heatmap_research.network.necks.identity import Identity
from heatmap_research.network.necks.top_down import TopDown
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


def grid_of(head, stride, size=SIZE):
    return Grid(size, stride, head.ndim)


def made(head, stride, levels=FINE, size=SIZE, **knobs):
    return head(levels=levels, grid=grid_of(head, stride, size), joints=JOINTS, **knobs)


NEAR_ZERO = {"init_std": 0.1}
DEEP = {"channels": 8, "init_std": 0.1}
STRIPED = {"rank": 2, "reach": 0.5, "em": "soft"}
DENSE = {"least_cells": 2, "rank": None, "init": "default"}
DENSE_2D = {"least_cells": 2, "rank": None}
GATED = (
    {"kernel": 7, "hidden": 16, "attention": 8, "expansion": 2} | NEAR_ZERO | {"linear_std": 0.1}
)
POOLED = {"pool": True, "hidden": [], "dropout": 0.0, "spread": False, "init_std": 0.1}
CONNECTED = POOLED | {"pool": False, "hidden": [16, 12]}
SIMCC = partial(Simcc, **DENSE)
MARGINAL = partial(Marginal, init_std=0.1)

HEADS = {
    "conv1x1": (Conv1x1, 4, FINE, NEAR_ZERO),
    "conv1x1 on a middle level": (Conv1x1, 8, PYRAMID, NEAR_ZERO),
    "deconv": (Deconv, 4, COARSE, DEEP),
    "deconv finer than a pixel": (Deconv, 0.5, FINE, DEEP),
    "dense_2d": (Dense2d, 4, FINE, DENSE_2D),
    "dense_2d of thirds": (Dense2d, 8 / 3, COARSE, DENSE_2D),
    "dense_2d of low rank": (Dense2d, 4, FINE, DENSE_2D | {"rank": 3}),
    "lixel": (Lixel, 0.5, FINE, DEEP),
    "lixel as fine as its features": (Lixel, 16, PYRAMID, DEEP),
    "low_rank": (LowRank, 1, FINE, STRIPED | {"rank": 3, "trunk": SIMCC}),
    "low_rank of one component": (LowRank, 2, PYRAMID, STRIPED | {"rank": 1, "trunk": SIMCC}),
    "low_rank by hard em": (LowRank, 2, FINE, STRIPED | {"em": "hard", "trunk": MARGINAL}),
    "low_rank_local": (LowRank, 2, FINE, STRIPED | {"trunk": MARGINAL}),
    "marginal": (Marginal, 0.5, FINE, NEAR_ZERO),
    "marginal of thirds": (Marginal, 2 / 3, PYRAMID, NEAR_ZERO),
    "outer": (Outer, 1, FINE, {"start": 0.1, "trunk": SIMCC}),
    "outer on lixels": (Outer, 2, FINE, {"start": 0.1, "trunk": partial(Lixel, **DEEP)}),
    "pixel_shuffle": (PixelShuffle, 4, COARSE, DEEP),
    "pixel_shuffle finer than a pixel": (PixelShuffle, 0.5, FINE, DEEP),
    "posenet": (Regression, 1, COARSE, CONNECTED),
    "regression": (Regression, 1, PYRAMID, POOLED),
    "rtmcc": (Rtmcc, 0.5, COARSE, GATED),
    "rtmcc_2d": (Rtmcc2d, 4, COARSE, GATED),
    "simcc": (Simcc, 0.5, FINE, DENSE),
    "simcc of thirds": (Simcc, 2 / 3, COARSE, DENSE),
    "simcc of low rank": (Simcc, 0.5, FINE, DENSE | {"rank": 3}),
    "simcc from pooling": (Simcc, 0.5, FINE, DENSE | {"init": "marginal"}),
    "summed": (Summed, 4, FINE, NEAR_ZERO),
    "summed of thirds": (Summed, 2 / 3, PYRAMID, NEAR_ZERO),
    "upsample": (Upsample, 1, COARSE, NEAR_ZERO),
    "upsample of thirds": (Upsample, 2 / 3, PYRAMID, NEAR_ZERO),
    "upsample of a bin and a half a cell": (Upsample, 8 / 3, FINE, NEAR_ZERO),
}
every_head = pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)

DRAWN = {h[0]: h for h in HEADS.values() if "init_std" in h[3]}  # one of each kind
ANY_SIZE = (Conv1x1, Deconv, Lixel, Marginal, PixelShuffle, Summed, Upsample)
of_any_size = pytest.mark.parametrize(
    "head", [h for h in HEADS.values() if h[0] in ANY_SIZE], ids=lambda h: f"{h[0].__name__} {h[1]}"
)


@every_head
def test_a_head_predicts_a_map_of_the_grids_shape_per_joint_and_every_weight_is_trained(head):
    kind, stride, levels, knobs = head
    net = made(kind, stride, levels, **knobs)
    scores = net(features_of(levels))
    shapes = grid_of(kind, stride).shapes
    assert [tuple(score.shape) for score in scores] == [(2, JOINTS, *shape) for shape in shapes]
    sum(score.square().sum() for score in scores).backward()
    # The scores of one joint and axis share a bias that a later norm or softmax may take out.
    idle = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


@every_head
def test_an_exported_head_gives_the_same_maps(head):
    kind, stride, levels, knobs = head
    net, features = made(kind, stride, levels, **knobs).eval(), features_of(levels)
    exported = torch.export.export(net, (features,)).module()
    for one, other in zip(exported(features), net(features), strict=True):
        torch.testing.assert_close(one, other)


@of_any_size
def test_weights_of_one_image_size_serve_another(head):
    kind, stride, levels, knobs = head
    small = made(kind, stride, levels, **knobs)
    large = made(kind, stride, levels, size=(96, 160), **knobs)
    large.load_state_dict(small.state_dict())
    shapes = grid_of(kind, stride, (96, 160)).shapes
    for net in (small, large):
        scores = net(features_of(levels, (96, 160)))
        assert [tuple(score.shape[2:]) for score in scores] == list(shapes)


def test_conv1x1_is_a_dot_product_per_cell():
    net = made(Conv1x1, 4, init_std=0.5)
    (features,) = features_of(FINE)
    (scores,) = net([features])
    weight, bias = net.joint.weight.detach()[:, :, 0, 0], net.joint.bias.detach()
    by_hand = weight @ features[1, :, 3, 7] + bias
    torch.testing.assert_close(scores[1, :, 3, 7].detach(), by_hand)


@pytest.mark.parametrize("head", [Conv1x1, Marginal, Summed, Upsample])
def test_a_local_head_of_mirrored_features_predicts_mirrored_maps(head):
    net = made(head, 4 if head.ndim == 2 else 0.5, init_std=0.5)
    (features,) = features_of(FINE)
    assert_mirrored(net([features.flip(-1)]), net([features]))


def assert_mirrored(found, straight):
    *others, last = straight
    for one, other in zip(found, (*others, last.flip(-1)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("head", "stride"), [(Deconv, 1), (PixelShuffle, 1), (Lixel, 0.5)])
def test_mirrored_kernels_of_mirrored_features_predict_mirrored_maps(head, stride):
    """So no doubling moves a map by a part of a cell."""
    torch.manual_seed(0)
    net = made(head, stride, channels=6, init_std=0.5).eval()
    mirrored = copy.deepcopy(net)
    for module in mirrored.axes[1].modules() if head is Lixel else mirrored.up.modules():
        if isinstance(module, torch.nn.modules.conv._ConvNd):
            weight = module.weight.data
            if head is PixelShuffle:  # (channel, row of a cell, column of a cell)
                weight = weight.unflatten(0, (-1, 2, 2)).flip(2).flatten(0, 2)
            elif head is Lixel and weight.shape[0] != JOINTS:
                weight = weight.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)
            module.weight.data = weight.flip(-1)
    if head is Lixel:
        mirrored.smooth[0].weight.data = net.smooth[0].weight.data.flip(-1)
    (features,) = features_of(FINE)
    assert_mirrored(mirrored([features.flip(-1)]), net([features]))


def test_conv1x1_says_which_strides_its_levels_have():
    with pytest.raises(IncompatibleError, match="none has stride=2: choose stride=4 or 8 or 16"):
        made(Conv1x1, 2, PYRAMID, init_std=0.1)


@pytest.mark.parametrize("head", [Deconv, PixelShuffle])
@pytest.mark.parametrize(("stride", "doublings"), [(8, 1), (4, 2), (2, 3), (1, 4), (0.5, 5)])
def test_a_head_doubles_as_often_as_its_stride_needs(head, stride, doublings):
    net = made(head, stride, COARSE, channels=4, init_std=0.1)
    assert len(net.up) == doublings


def test_deconv_has_the_layers_of_its_paper():
    """Kernel 4, stride 2, 256 channels, batch norm, then 1x1 (Xiao et al., 2018)."""
    levels = (Level(2048, 32),)
    net = Deconv(levels, Grid((256, 192), 4, 2), joints=17, channels=256, init_std=1e-3)
    weights = [tuple(p.shape) for p in net.parameters() if p.ndim == 4]
    assert weights == [(2048, 256, 4, 4), (256, 256, 4, 4), (256, 256, 4, 4), (17, 256, 1, 1)]


@pytest.mark.parametrize(("head", "name"), [(Deconv, "deconv"), (PixelShuffle, "pixel_shuffle")])
def test_a_head_with_nothing_to_double_points_to_conv1x1(head, name):
    with pytest.raises(IncompatibleError, match=f"head={name} has nothing.*choose head=conv1x1"):
        made(head, 16, COARSE, channels=4, init_std=0.1)


@pytest.mark.parametrize("levels", [FINE, COARSE])
@pytest.mark.parametrize(
    ("head", "name"), [(Deconv, "deconv"), (PixelShuffle, "pixel_shuffle"), (Lixel, "lixel")]
)
def test_a_head_that_doubles_refuses_a_stride_off_its_powers_of_two(head, name, levels):
    grid = Grid((96, 96), 6, head.ndim)
    with pytest.raises(IncompatibleError, match=f"head={name} .*divided by a power of two"):
        head(levels, grid, JOINTS, channels=4, init_std=0.1)


@pytest.mark.parametrize(
    ("head", "name"), [(Marginal, "marginal"), (Summed, "summed"), (Upsample, "upsample")]
)
def test_a_head_that_stretches_refuses_to_shrink(head, name):
    with pytest.raises(IncompatibleError, match=f"head={name} .*choose stride=4 or a finer one"):
        made(head, 8, FINE, init_std=0.1)


@pytest.mark.parametrize(
    ("head", "name", "knobs"), [(Simcc, "simcc", DENSE), (Dense2d, "dense_2d", DENSE_2D)]
)
def test_a_dense_head_refuses_features_that_are_too_few_cells(head, name, knobs):
    words = f"head={name} sees 12 cells of stride 16.*neck=top_down"
    with pytest.raises(IncompatibleError, match=words):
        made(head, 2, COARSE, **knobs | {"least_cells": 16})


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


@pytest.mark.parametrize("head", DRAWN.values(), ids=lambda head: head[0].__name__)
def test_maps_start_near_zero_so_that_losses_start_alike(head):
    kind, stride, levels, knobs = head
    small = {name: 1e-3 for name in ("init_std", "linear_std") if name in knobs}
    net = made(kind, stride, levels, **knobs | small)
    scores = net(features_of(levels))
    assert all((score - score.mean()).abs().max() < 0.1 for score in scores)


def test_pixel_shuffle_turns_channels_into_the_cells_of_a_cell():
    """Channel 2 i + j of four becomes row i, column j."""
    net = made(PixelShuffle, 2, channels=1, init_std=0.0).eval()
    torch.nn.init.ones_(net.out.weight)
    net.up[0][0].weight.data[range(4), range(4), 1, 1] = 1.0
    cell = torch.tensor([1.0, 2.0, 3.0, 4.0, 9.0, 9.0, 9.0, 9.0])
    features = torch.zeros(1, 8, 16, 12)
    features[0, :, 3, 5] = cell
    (scores,) = net([features])
    expected = torch.zeros(32, 24)
    expected[6:8, 10:12] = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    torch.testing.assert_close(scores[0, 0].detach(), expected, rtol=1e-4, atol=1e-4)


def test_a_line_is_shuffled_pair_by_pair():
    lines = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]])  # two pairs of two
    assert LineShuffle()(lines).tolist() == [[[1.0, 3.0, 2.0, 4.0], [5.0, 7.0, 6.0, 8.0]]]


def test_lixels_are_the_means_of_rows_and_columns():
    """With a 3x3 kernel that hands its cell on, and nothing to double."""
    net = made(Lixel, 4, channels=8, init_std=0.0).eval()
    torch.nn.init.dirac_(net.smooth[0].weight)
    weight = torch.randn(2, JOINTS, 8, generator=torch.Generator().manual_seed(0))
    for axis, each in zip(net.axes, weight, strict=True):
        axis[0].weight.data = each[..., None]
    (features,) = features_of(FINE)
    positive = features.clamp(min=0)
    rows, columns = net([features])
    expected = [w @ positive.mean(other) for w, other in zip(weight, (3, 2), strict=True)]
    torch.testing.assert_close(rows.detach(), expected[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(columns.detach(), expected[1], rtol=1e-4, atol=1e-4)


def test_lixels_move_with_the_features():
    """Local: a cell to the right is so many bins to the right, far from the border."""
    net = made(Lixel, 1, **DEEP).eval()
    (features,) = features_of(FINE)
    features[..., :4], features[..., 8:] = 0, 0
    _, columns = net([features])
    _, moved = net([features.roll(1, -1)])
    torch.testing.assert_close(moved[..., 12:40], columns[..., 8:36])


def test_upsample_stretches_between_the_middles_of_cells():
    """By a quarter and three quarters at twice the size; flat beyond the outer middles."""
    net = Upsample((Level(1, 2),), Grid((4, 4), 1, 2), joints=1, init_std=0.0)
    torch.nn.init.ones_(net.joint.weight)
    (scores,) = net([torch.tensor([[[[0.0, 4.0], [8.0, 12.0]]]])])
    down, across = torch.tensor([0.0, 2.0, 6.0, 8.0]), torch.tensor([0.0, 1.0, 3.0, 4.0])
    torch.testing.assert_close(scores[0, 0].detach(), down[:, None] + across)


def test_upsample_is_a_dot_product_per_cell_stretched():
    net = made(Upsample, 1, COARSE, init_std=0.5)
    (features,) = features_of(COARSE)
    weight, bias = net.joint.weight.detach()[:, :, 0, 0], net.joint.bias.detach()
    cells = torch.einsum("kc,bchw->bkhw", weight, features) + bias[:, None, None]
    expected = interpolate(cells, SIZE, mode="bilinear", align_corners=False)
    torch.testing.assert_close(net([features])[0].detach(), expected)


def test_summed_maps_are_the_marginals_of_one_2d_distribution():
    net, plain = made(Summed, 4, init_std=1.0), made(Conv1x1, 4, init_std=1.0)
    plain.load_state_dict(net.state_dict())
    (features,) = features_of(FINE)
    (scores,) = plain([features])
    joint = scores.flatten(2).softmax(-1).view_as(scores)
    rows, columns = (score.softmax(-1) for score in net([features]))
    torch.testing.assert_close(rows, joint.sum(3))
    torch.testing.assert_close(columns, joint.sum(2))


@pytest.mark.parametrize(("levels", "stride"), [(FINE, 0.5), (FINE, 4), (COARSE, 2 / 3)])
def test_simcc_can_start_as_pooling_and_interpolation(levels, stride):
    net = made(Simcc, stride, levels, **DENSE | {"init": "marginal"})
    features = features_of(levels)
    maps = net.joint(features[0])
    for found, other, shape in zip(net(features), (3, 2), net_shapes(net), strict=True):
        expected = interpolate(maps.mean(other), shape, mode="linear", align_corners=False)
        torch.testing.assert_close(found, expected)


def net_shapes(net):
    return [layer.out_features for layer in net.axes]


def test_simcc_that_starts_as_pooling_answers_a_cell_in_its_middle():
    net = made(Simcc, 1, **DENSE | {"init": "marginal"})
    torch.nn.init.ones_(net.joint.weight)
    features = torch.zeros(1, 8, 16, 12)
    features[0, :, 9, 2] = 1.0  # covers pixels 36..39 down and 8..11 across
    for scores, middle in zip(net([features]), (37.5, 9.5), strict=True):
        line = scores[0, 0].detach() - scores[0, 0].detach().min()
        mean = (line * torch.arange(len(line))).sum() / line.sum()
        assert float(mean) == pytest.approx(middle, abs=1e-3)


@pytest.mark.parametrize("init", ["default", "marginal"])
def test_simcc_has_a_weight_for_every_pair_of_cell_and_bin(init):
    net = made(Simcc, 0.5, **DENSE | {"init": init})
    cells, bins = 16 * 12, 128 + 96
    assert count(net) == JOINTS * (8 + 1) + bins * (cells + 1)


@pytest.mark.parametrize("rank", [1, 7])
def test_simcc_of_low_rank_has_so_many_weights_for_each_cell_and_bin(rank):
    net = made(Simcc, 0.5, **DENSE | {"rank": rank})
    cells, bins = 16 * 12, 128 + 96
    assert count(net) == JOINTS * (8 + 1) + 2 * rank * cells + (rank + 1) * bins


def test_simcc_of_low_rank_is_a_dense_layer_of_that_rank():
    net = made(Simcc, 0.5, **DENSE | {"rank": 3})
    first, second = net.axes[0]
    assert torch.linalg.matrix_rank((second.weight @ first.weight).detach()) == 3


def test_dense_2d_has_a_weight_for_every_pair_of_cell_and_bin():
    net = made(Dense2d, 8, **DENSE_2D)
    cells, bins = 16 * 12, 8 * 6
    assert count(net) == JOINTS * (8 + 1) + bins * (cells + 1)


@pytest.mark.parametrize("rank", [None, 3])
def test_every_bin_of_dense_2d_sees_every_cell_of_its_joint(rank):
    net = made(Dense2d, 4, **DENSE_2D | {"rank": rank})
    maps = net.joint(features_of(FINE)[0])[:1]  # (1, K, H, W)
    seen = torch.autograd.functional.jacobian(lambda cells: net.map(cells.flatten(2)), maps)
    found = seen[0, :, :, 0] != 0  # (K, bin, K, H, W)
    alone = torch.eye(JOINTS, dtype=torch.bool)[:, None, :, None, None]
    assert torch.equal(found, alone.expand_as(found))


def test_dense_2d_can_answer_with_the_product_of_simccs_vectors():
    """Scores are logarithms: the weight of a bin is the sum of those of its row and its column."""
    net, simcc = made(Dense2d, 2, **DENSE_2D), made(Simcc, 2, **DENSE)
    net.joint.load_state_dict(simcc.joint.state_dict())
    rows, columns = simcc.axes
    for kind in ("weight", "bias"):
        down, across = getattr(rows, kind).data, getattr(columns, kind).data
        getattr(net.map, kind).data = (down[:, None] + across).flatten(0, 1)
    (maps,), (first, second) = net(features_of(FINE)), simcc(features_of(FINE))
    torch.testing.assert_close(maps, first[..., None] + second[..., None, :], rtol=1e-4, atol=1e-5)


def count(net):
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"rank": 0}, r"head\.rank=0: give at least 1, or null"),
        ({"init": "pooling"}, r"head\.init=pooling: choose default or marginal"),
        ({"rank": 4, "init": "marginal"}, r"head\.rank=4 has none: choose head\.rank=null"),
    ],
)
def test_simcc_refuses_what_has_no_meaning(knobs, words):
    with pytest.raises(IncompatibleError, match=words):
        made(Simcc, 0.5, **DENSE | knobs)


def test_scale_norm_leaves_directions_and_a_root_mean_square_of_its_gain():
    norm = ScaleNorm()
    torch.nn.init.constant_(norm.gain, 3.0)
    tokens = torch.tensor([[[3.0, -4.0], [0.0, 0.0]]])
    size = math.sqrt((9 + 16) / 2)
    expected = torch.tensor([[[9 / size, -12 / size], [0.0, 0.0]]])
    torch.testing.assert_close(norm(tokens).detach(), expected)


def test_gated_attention_is_the_published_formula():
    """Joint by joint and feature by feature, in float64 (Hua et al., 2022)."""
    torch.manual_seed(0)
    width, size, joints = 4, 3, 5
    net = GatedAttention(width, attention=size, expansion=2).double()
    torch.nn.init.normal_(net.residual)
    torch.nn.init.constant_(net.norm.gain, 1.3)
    tokens = torch.randn(2, joints, width, dtype=torch.float64)
    weights = {name: value.tolist() for name, value in net.state_dict().items()}
    by_hand = torch.tensor([gated_attention(image, weights) for image in tokens.tolist()])
    torch.testing.assert_close(net(tokens).detach(), by_hand.double(), rtol=1e-6, atol=1e-6)


def gated_attention(tokens, weights):
    def silu(value):
        return value / (1 + math.exp(-value))

    width, size = len(tokens[0]), len(weights["gain"][0])
    gates, values, queries, keys = [], [], [], []
    for token in tokens:
        length = math.sqrt(sum(v * v for v in token) / width)
        normed = [v / length * weights["norm.gain"][0] for v in token]
        inner = [silu(dot(row, normed)) for row in weights["enter.weight"]]
        gates.append(inner[: 2 * width])
        values.append(inner[2 * width : 4 * width])
        base = inner[4 * width :]
        query, key = (
            [b * g + o for b, g, o in zip(base, gain, offset, strict=True)]
            for gain, offset in zip(weights["gain"], weights["offset"], strict=True)
        )
        queries.append(query)
        keys.append(key)
    result = []
    for token, gate, query in zip(tokens, gates, queries, strict=True):
        attention = [max(0.0, dot(query, key) / math.sqrt(size)) ** 2 for key in keys]
        columns = zip(*values, strict=True)
        mixed = [g * dot(attention, column) for g, column in zip(gate, columns, strict=True)]
        rows = zip(token, weights["residual"], weights["leave.weight"], strict=True)
        result.append([value * scale + dot(row, mixed) for value, scale, row in rows])
    return result


def dot(first, second):
    return sum(a * b for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(("head", "stride", "bins"), [(Rtmcc, 0.5, 512 + 384), (Rtmcc2d, 4, 3072)])
def test_rtmcc_has_the_layers_of_its_paper(head, stride, bins):
    """A 7x7 convolution, tokens of 256, a unit of 128 and twice 256, no biases but the first."""
    published = {"kernel": 7, "hidden": 256, "attention": 128, "expansion": 2}
    start = {"init_std": 1e-3, "linear_std": 1e-2}
    grid = Grid((256, 192), stride, head.ndim)
    net = head((Level(768, 32),), grid, joints=17, **published | start)
    unit = 1 + 256 * (512 + 512 + 128) + 4 * 128 + 512 * 256 + 256
    assert count(net) == 17 * (768 * 49 + 1) + 1 + 48 * 256 + unit + 256 * bins


def test_rtmcc_lets_joints_see_each_other():
    """What simcc does not: a joint's map follows from its own cells alone."""
    torch.manual_seed(0)
    for head, knobs, alone in ((Rtmcc, GATED, False), (Simcc, DENSE, True)):
        net = made(head, 0.5, **knobs)
        before = net(features_of(FINE))[0]
        net.joint.bias.data[0] += 10.0
        after = net(features_of(FINE))[0]
        assert not torch.equal(before[:, 0], after[:, 0])
        assert torch.equal(before[:, 1:], after[:, 1:]) == alone


class Given(torch.nn.Module):
    """A head of vectors that answers with those it was given."""

    ndim = 1

    def __init__(self, levels, grid, joints, rows, columns):
        super().__init__()
        self.rows = torch.nn.Parameter(rows)
        self.columns = torch.nn.Parameter(columns)

    def forward(self, features):
        return self.rows[None], self.columns[None]


PEOPLE = ((10.0, 5.0), (22.0, 17.0))  # y, x of one joint of two people, in 32 x 24 bins
SHARES = (0.6, 0.4)


def person(at, size):
    profile = (-0.5 * (torch.arange(size, dtype=torch.float64) - at).square()).exp()
    return profile / profile.sum()


def two_people():
    rows = torch.stack([person(y, 32) for y, _ in PEOPLE])
    columns = torch.stack([person(x, 24) for _, x in PEOPLE])
    return rows, columns, torch.tensor(SHARES, dtype=torch.float64)


def low_rank_of(rows, columns, rank):
    trunk = partial(Given, rows=rows, columns=columns)
    grid = Grid((32, 24), 1, 2)
    return LowRank(FINE, grid, joints=1, rank=rank, reach=math.inf, em="soft", trunk=trunk).double()


def ghosts(scores):
    """Returns the mass that lies at one person's x and the other's y."""
    mass = scores[0, 0].flatten().softmax(-1).view_as(scores[0, 0])
    return float((mass[:16, 12:].sum() + mass[16:, :12].sum()).detach())


def test_two_components_hold_two_people_without_ghosts():
    rows, columns, shares = two_people()
    net = low_rank_of(rows.log(), columns.log(), rank=2)
    net.weight.data = shares.log()[None]
    (scores,) = net([])
    expected = torch.einsum("r,ry,rx->yx", shares, rows, columns)
    found = scores[0, 0].detach().flatten().softmax(-1).view(32, 24)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    assert ghosts(scores) < 1e-6


def test_one_component_has_ghosts_at_its_best():
    """Cross-entropy is convex in one component: where its gradient is zero, it is least."""
    rows, columns, shares = two_people()
    marginals = (shares @ rows).log()[None], (shares @ columns).log()[None]
    net = low_rank_of(*marginals, rank=1)
    (scores,) = net([])
    label = torch.einsum("r,ry,rx->yx", shares, rows, columns)
    cross_entropy(scores.flatten(2)[:, 0], label.flatten()[None]).backward()
    assert max(float(p.grad.abs().max()) for p in net.parameters()) < 1e-12
    assert ghosts(scores) == pytest.approx(2 * SHARES[0] * SHARES[1], abs=1e-5)


def test_low_rank_of_one_component_is_simcc():
    """Its weights, its map and its loss: that of a pair is the sum of those of its axes."""
    torch.manual_seed(0)
    simcc = made(Simcc, 1, **DENSE)
    net = made(LowRank, 1, rank=1, reach=0.5, em="soft", trunk=SIMCC)
    net.trunk.load_state_dict(simcc.state_dict())
    (scores,), (rows, columns) = net(features_of(FINE)), simcc(features_of(FINE))
    pairs = rows[..., :, None] + columns[..., None, :]
    torch.testing.assert_close(scores, pairs, rtol=0, atol=1e-6)

    points = torch.rand(2, JOINTS, 2) * 40
    parts = (points, points[..., :1], points[..., 1:]), (SIZE, SIZE[:1], SIZE[1:])
    labels = [
        heatmaps.normalise(gaussians.gaussian(position, (2.0,) * len(shape), shape))
        for position, shape in zip(*parts, strict=True)
    ]
    whole, down, across = (
        -(label * score.flatten(2).log_softmax(-1).view_as(score)).flatten(2).sum(-1)
        for label, score in zip(labels, (scores, rows, columns), strict=True)
    )
    torch.testing.assert_close(whole, down + across, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_components_that_agree_are_one(rank):
    """However they share the width."""
    rows, columns, _ = two_people()
    first = partial(Given, rows=rows[:1].expand(rank, -1), columns=columns[:1].expand(rank, -1))
    net = LowRank(FINE, Grid((32, 24), 1, 2), 1, rank=rank, reach=0.5, em="soft", trunk=first)
    expected = rows[0][:, None] + columns[0]
    torch.testing.assert_close(net([])[0][0, 0].detach(), expected, rtol=0, atol=1e-6)


def test_the_stripes_of_components_are_mirror_images():
    net = made(LowRank, 1, rank=3, reach=0.5, em="soft", trunk=SIMCC)
    charge = net._log_share(torch.zeros(1, JOINTS, 3, 48))
    torch.testing.assert_close(charge.flip(0, 1), charge)
    torch.testing.assert_close(charge.exp().sum(0), torch.ones(48))
    assert charge.argmax(0).tolist() == [0] * 16 + [1] * 16 + [2] * 16


def ghosts_after_training(rank, reach, em="soft", start=1e-3, steps=200):
    """Trains on features that tell two people apart and labels that do not: mass of ghosts."""
    torch.manual_seed(0)
    grid = Grid((64, 48), 4, 2)
    trunk = partial(Marginal, init_std=start)
    net = LowRank(FINE, grid, joints=1, rank=rank, reach=reach, em=em, trunk=trunk)
    features = torch.zeros(1, 8, 16, 12)
    features[0, 0, 3, 2] = features[0, 1, 11, 9] = 2.0
    label = torch.zeros(16, 12)
    label[3, 2] = label[11, 9] = 0.5
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        (scores,) = net([features])
        cross_entropy(scores.flatten(2)[:, 0], label.flatten()[None]).backward()
        optimizer.step()
    (scores,) = net.eval()([features])
    mass = scores.detach()[0, 0].flatten().softmax(-1).view(16, 12)
    return float(mass[3, 9] + mass[11, 2])


def test_two_components_learn_two_people_from_maps_that_begin_flat():
    assert ghosts_after_training(rank=2, reach=0.5) < 0.02
    assert ghosts_after_training(rank=1, reach=0.5) > 0.4


def test_components_without_stripes_stay_alike_from_maps_that_begin_flat():
    """The saddle that stripes are for."""
    assert ghosts_after_training(rank=2, reach=math.inf) > 0.4


def test_components_that_differ_enough_part_where_a_bin_trains_the_best_of_them():
    """One that is the best everywhere stays so: of starts like this one, about half lead there."""
    soft, hard = (ghosts_after_training(2, math.inf, em, start=0.5) for em in ("soft", "hard"))
    assert hard < 0.02
    assert soft > 0.4


def test_hard_em_trains_the_best_component_of_a_bin_and_answers_with_their_sum():
    torch.manual_seed(0)
    rows, columns, weight = torch.rand(2, 32), torch.rand(2, 24), torch.rand(1, 2)
    trunk = partial(Given, rows=rows, columns=columns)
    net = LowRank(FINE, Grid((32, 24), 1, 2), 1, rank=2, reach=math.inf, em="hard", trunk=trunk)
    net.weight.data = weight
    shares, rows, columns = weight[0].softmax(-1), rows.softmax(-1), columns.softmax(-1)
    parts = torch.einsum("r,ry,rx->ryx", shares, rows, columns)
    torch.testing.assert_close(net([])[0][0, 0].exp(), parts.amax(0))
    torch.testing.assert_close(net.eval()([])[0][0, 0].exp(), parts.sum(0))


@pytest.mark.parametrize("head", [LowRank, Outer])
def test_a_head_of_a_trunk_refuses_one_that_is_not_1d(head):
    knobs = STRIPED if head is LowRank else {"start": 0.1}
    with pytest.raises(IncompatibleError, match=r"head\.trunk=Conv1x1 is none: choose one"):
        made(head, 4, trunk=partial(Conv1x1, init_std=0.1), **knobs)


def test_what_a_trunk_refuses_is_said_of_the_trunk():
    words = r"head=low_rank is made of.*sees 12 cells.*lower head\.trunk\.least_cells"
    trunk = partial(Simcc, **DENSE | {"least_cells": 16})
    with pytest.raises(IncompatibleError, match=words):
        made(LowRank, 1, COARSE, rank=2, reach=0.5, em="soft", trunk=trunk)


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"rank": 0}, r"head\.rank=0"),
        ({"reach": 0.0}, r"head\.reach=0"),
        ({"em": "both"}, r"head\.em=both: choose soft or hard"),
    ],
)
def test_low_rank_refuses_what_has_no_meaning(knobs, words):
    with pytest.raises(IncompatibleError, match=words):
        made(LowRank, 1, trunk=SIMCC, **STRIPED | knobs)


def test_outer_is_a_product_of_rows_and_columns():
    trunk = partial(Given, rows=torch.tensor([[0.9, 1.9]]), columns=torch.tensor([[2.9, 3.9, 4.9]]))
    net = Outer(FINE, Grid((2, 3), 1, 2), joints=1, start=0.1, trunk=trunk)
    expected = torch.tensor([[3.0, 4.0, 5.0], [6.0, 8.0, 10.0]])
    torch.testing.assert_close(net([])[0][0, 0].detach(), expected)


def fit_of_a_bump(start, steps=200):
    """Trains on one Gaussian; returns the share of its variance that the head explains."""
    torch.manual_seed(0)
    trunk = partial(Lixel, channels=16, init_std=1e-3)
    net = Outer(FINE, Grid(SIZE, 1, 2), joints=1, start=start, trunk=trunk)
    features = features_of(FINE)[0][:1]
    label = gaussians.gaussian(torch.tensor([[[40.3, 17.6]]]), (2.0, 2.0), SIZE)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        (scores,) = net([features])
        (scores - label).square().sum().backward()
        optimizer.step()
    return 1 - float((scores.detach() - label).square().mean() / label.var(correction=0))


def test_outer_learns_a_bump_from_maps_that_begin_flat():
    assert fit_of_a_bump(start=0.1) > 0.9


def test_outer_starts_near_zero_with_gradients_in_both_factors():
    torch.manual_seed(0)
    trunk = partial(Lixel, channels=16, init_std=1e-3)
    net = made(Outer, 1, start=0.1, trunk=trunk)
    (scores,) = net(features_of(FINE))
    assert scores.detach().abs().max() < 0.05
    (scores - 1).square().mean().backward()
    gradients = [axis[-1].bias.grad for axis in net.trunk.axes]
    expected = torch.full((JOINTS,), -2 * 0.1 / JOINTS)  # of the mean of (a b - 1)^2, b at 0.1
    for gradient in gradients:
        torch.testing.assert_close(gradient, expected, rtol=0.1, atol=0)


def test_regression_is_a_linear_layer_of_the_mean_cell():
    net = made(Regression, 1, **POOLED | {"spread": True})
    (features,) = features_of(FINE)
    by_hand = features.mean((2, 3)) @ net.out.weight.T + net.out.bias
    torch.testing.assert_close(net([features])[0], by_hand.view(2, JOINTS, 4))


@pytest.mark.parametrize("knobs", [POOLED, CONNECTED, POOLED | {"spread": True}])
def test_regression_starts_in_the_middle(knobs):
    net = made(Regression, 1, **knobs | {"init_std": 1e-3})
    assert net(features_of(FINE))[0].abs().max() < 0.05
    assert not net([torch.zeros(2, 8, 16, 12)])[0].any() or knobs["hidden"]


def test_pooled_regression_serves_any_image_size():
    small, large = (made(Regression, 1, size=size, **POOLED) for size in (SIZE, (96, 160)))
    large.load_state_dict(small.state_dict())
    assert large(features_of(FINE, (96, 160)))[0].shape == (2, JOINTS, 2)


def test_posenet_has_the_fully_connected_layers_of_a_vgg():
    """7x7 cells of 512 channels, two layers of 4096, then x and y of each joint."""
    knobs = CONNECTED | {"hidden": [4096, 4096], "dropout": 0.5}
    with torch.device("meta"):
        net = Regression((Level(512, 32),), Grid((224, 224), 1, 0), joints=16, **knobs)
    layers = [(25088 + 1) * 4096, (4096 + 1) * 4096, (4096 + 1) * 32]
    assert count(net) == sum(layers)


def test_dropout_is_of_training_only():
    torch.manual_seed(0)
    net, features = made(Regression, 1, **CONNECTED | {"dropout": 0.5}), features_of(FINE)
    assert not torch.equal(net(features)[0], net(features)[0])
    net.eval()
    assert torch.equal(net(features)[0], net(features)[0])


def test_regression_refuses_a_dropout_of_everything():
    with pytest.raises(IncompatibleError, match=r"head\.dropout=1\.0: give a share"):
        made(Regression, 1, **POOLED | {"dropout": 1.0})


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


@pytest.mark.parametrize(("stride", "doublings"), [(2, 3), (4, 2), (8, 1)])
def test_the_deconv_neck_is_the_trunk_of_the_deconv_head(stride, doublings):
    """With a 1x1 convolution on top it answers as the head that has both."""
    torch.manual_seed(0)
    neck = DeconvNeck(COARSE, stride, channels=6, init_std=0.1)
    head = made(Deconv, stride, COARSE, channels=6, init_std=0.1)
    neck.up.load_state_dict(head.up.state_dict())
    (found,) = neck(features_of(COARSE))
    assert neck.levels == (Level(6, stride),)
    assert len(neck.up) == doublings
    torch.testing.assert_close((head.out(found),), head(features_of(COARSE)))


@pytest.mark.parametrize("stride", [16, 32, 6])
def test_the_deconv_neck_says_which_strides_it_can_have(stride):
    with pytest.raises(IncompatibleError, match=f"neck.stride={stride}: neck=deconv doubles the"):
        DeconvNeck(COARSE, stride, channels=6, init_std=0.1)


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
