"""The flip test of a predictor that is always right: all error is the rule's."""

import pytest
import torch
from options import NDIMS, STRIDES, labels_of, uniform_keypoints
from pairwise import covering, each

from heatmap_research.codec.codec import Codec
from heatmap_research.codec.decoders.dark import Dark
from heatmap_research.codec.geometry import Geometry
from heatmap_research.codec.grid import CENTER, Grid
from heatmap_research.codec.losses.mse import Mse
from heatmap_research.codec.targets.gaussian import Gaussian

UDP = Geometry(first=0, last=-1, flip_shift=None)
SIZE = (96, 72)


def legacy(flip_shift=None):
    return Geometry(first=0, last=0, flip_shift=flip_shift)


def bias_of_x(geometry, ndim, stride, sigma, size=SIZE, points=2000):
    """How far the mean of the maps of an image and of its mirror image is off: pixels.

    Along x the mean error, to the right; along y the largest.
    """
    grid = Grid(size, stride, ndim, geometry)
    codec = Codec(grid, Gaussian(sigma), Mse(), {"dark": Dark(1e-30)}, labels_of(), "product")
    keypoints = uniform_keypoints(points, size, margin=5 * sigma + stride).double()
    mirrored = torch.stack([size[1] - 1 - keypoints[..., 0], keypoints[..., 1]], dim=-1)
    seen = torch.full((points, 1), 2)
    maps, of_mirrored = (
        tuple(label.heatmap for label in codec.encode(points, seen))
        for points in (keypoints, mirrored)
    )
    back = codec.mirror(of_mirrored, flip=(0,))
    mean = tuple((a + b) / 2 for a, b in zip(maps, back, strict=True))
    error = codec.decode(mean)["dark"].keypoints - keypoints
    return error[..., 0].mean().item(), error[..., 1].abs().max().item()


@covering(
    ("ndim2", "stride0.667", "udp"),  # as many bins as none of the powers of two gives
    ("ndim1", "stride0.333", "udp"),
    ndim=NDIMS,
    stride=[*STRIDES, 1 / 3],
    geometry={"center": CENTER, "udp": UDP},
)
def test_a_flip_test_has_no_bias_where_edges_agree(ndim, stride, geometry):
    x, y = bias_of_x(geometry, ndim, stride, sigma=2 * max(stride, 1), points=200)
    assert abs(x) < 1e-3
    assert y < 1e-3


@each(ndim=NDIMS)
@pytest.mark.parametrize("stride", [4, 2, 1, 1 / 2, 1 / 3])
def test_the_shift_that_follows_from_legacy_geometry_leaves_hardly_any_bias(ndim, stride):
    x, y = bias_of_x(legacy(), ndim, stride, sigma=2 * max(stride, 1), points=200)
    assert abs(x) < 0.1
    assert y < 1e-3


@pytest.mark.parametrize(("shift", "bias"), [(1, 0.5), (0, -1.5)])
def test_a_quarter_size_map_is_biased_by_the_published_shifts(shift, bias):
    """3/4 of a cell would be right: a whole one ends half a pixel too far, none 1.5 short."""
    x, _ = bias_of_x(legacy(shift), ndim=2, stride=4, sigma=8)
    assert x == pytest.approx(bias, abs=0.02)


@pytest.mark.parametrize(
    ("split", "shift", "bias"),
    [
        (2, 0, 0.25),  # mmpose
        (2, -1, 0.0),  # SimCC
        (2, -2, -0.25),
        (3, 0, 1 / 3),
        (3, -1, 1 / 6),  # SimCC, which moves by one bin whatever the split
        (3, -2, 0.0),
        (1, 0, 0.0),
        (1, -1, -0.5),
    ],
)
def test_published_simcc_flips_are_biased_unless_they_move_by_split_minus_one(split, shift, bias):
    x, _ = bias_of_x(legacy(shift), ndim=1, stride=1 / split, sigma=3)
    assert x == pytest.approx(bias, abs=2e-3)


def test_unit_lengths_are_biased_by_a_shift_they_do_not_need():
    geometry = Geometry(first=0, last=-1, flip_shift=1)
    x, _ = bias_of_x(geometry, ndim=2, stride=4, sigma=8, size=(256, 192))
    assert x == pytest.approx(191 / 47 / 2, abs=0.02)  # half of one spacing
