import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from options import NDIMS, STRIDES
from pairwise import each

from heatmap_research.codec.grid import Grid
from heatmap_research.types import IncompatibleError

sides = st.integers(1, 64).map(lambda n: 4 * n)
sizes = st.tuples(sides, sides)


@pytest.mark.parametrize(
    ("stride", "first", "second"),
    [(4, 1.5, 5.5), (2, 0.5, 2.5), (1, 0.0, 1.0), (1 / 2, -0.25, 0.25), (2 / 3, -1 / 6, 1 / 2)],
)
@each(ndim=NDIMS)
def test_bins_tile_the_crop_from_its_edge(ndim, stride, first, second):
    grid = Grid((48, 24), stride, ndim)
    corner = grid.split(torch.tensor([[[first, first], [second, second], [-0.5, -0.5]]]))
    expected = torch.tensor([[[0.0, 0.0], [1.0, 1.0], [-0.5, -0.5]]])
    torch.testing.assert_close(torch.cat(corner, -1), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("stride", STRIDES)
def test_the_last_bin_ends_where_the_crop_ends(stride):
    grid = Grid((48, 24), stride, 2)
    (position,) = grid.split(torch.tensor([[[23.5, 47.5]]]))
    expected = torch.tensor([[[48 / stride - 0.5, 24 / stride - 0.5]]])
    torch.testing.assert_close(position, expected, atol=1e-4, rtol=0)
    assert grid.bins == (round(48 / stride), round(24 / stride))


def test_positions_follow_the_axes_of_their_map():
    keypoint = torch.tensor([[[1.5 + 4 * 2, 1.5 + 4 * 5]]])  # x in column 2, y in row 5
    (both,) = Grid((64, 48), 4, 2).split(keypoint)
    rows, columns = Grid((64, 48), 4, 1).split(keypoint)
    assert both.tolist() == [[[5.0, 2.0]]]
    assert rows.tolist() == [[[5.0]]]
    assert columns.tolist() == [[[2.0]]]


def test_a_layout_says_which_maps_a_head_must_predict():
    assert Grid((64, 48), 4, 2).shapes == ((16, 12),)
    assert Grid((64, 48), 4, 1).shapes == ((16,), (12,))
    assert Grid((64, 48), 0.5, 1).shapes == ((128,), (96,))
    assert Grid((64, 48), 2 / 3, 2).shapes == ((96, 72),)


@given(
    size=sizes,
    stride=st.sampled_from(STRIDES),
    ndim=st.sampled_from(NDIMS),
    share=st.tuples(st.floats(-0.5, 1.5), st.floats(-0.5, 1.5)),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_join_undoes_split_also_outside_the_crop(size, stride, ndim, share):
    grid = Grid(size, stride, ndim)
    keypoints = torch.tensor([[[share[0] * size[1], share[1] * size[0]]]])
    joined = grid.join(grid.split(keypoints))
    torch.testing.assert_close(joined, keypoints, atol=2e-4, rtol=0)


@given(size=sizes, stride=st.sampled_from(STRIDES), share=st.floats(0, 1))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_a_mirrored_keypoint_lies_in_the_mirrored_bin(size, stride, share):
    grid = Grid(size, stride, 1)
    x = share * size[1] - 0.5
    _, here = grid.split(torch.tensor([[[x, 0.0]]], dtype=torch.float64))
    _, there = grid.split(torch.tensor([[[size[1] - 1 - x, 0.0]]], dtype=torch.float64))
    torch.testing.assert_close(here + there, torch.full_like(here, grid.bins[1] - 1))


def test_mirror_reflects_the_width_alone_in_both_layouts():
    numbers = torch.arange(6.0).view(1, 1, 2, 3)
    (mirrored,) = Grid((2, 3), 1, 2).mirror((numbers,))
    assert mirrored.tolist() == [[[[2.0, 1.0, 0.0], [5.0, 4.0, 3.0]]]]
    rows, columns = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[1.0, 2.0, 3.0]]])
    same, reversed_ = Grid((2, 3), 1, 1).mirror((rows, columns))
    assert same.tolist() == [[[1.0, 2.0]]]
    assert reversed_.tolist() == [[[3.0, 2.0, 1.0]]]


@each(ndim=NDIMS)
def test_mirroring_twice_changes_nothing(ndim):
    grid = Grid((8, 12), 2, ndim)
    maps = tuple(torch.rand(2, 3, *shape) for shape in grid.shapes)
    twice = grid.mirror(grid.mirror(maps))
    assert all(torch.equal(a, b) for a, b in zip(maps, twice, strict=True))


@pytest.mark.parametrize(
    ("keypoint", "expected"),
    [
        ((0.0, 0.0), (0, 0)),
        ((-0.5, -0.5), (0, 0)),
        ((47.5, 63.5), (0, 0)),
        ((-0.6, 10.0), (0, 0.1)),
        ((10.0, -0.6), (0.1, 0)),
        ((49.5, 10.0), (0, 2)),
        ((10.0, 63.75), (0.25, 0)),
        ((60.0, 10.0), (0, 12.5)),  # in the height's range only
    ],
)
def test_a_keypoint_misses_a_map_by_the_pixels_beyond_its_outer_bins(keypoint, expected):
    down, across = Grid((64, 48), 4, 1).beyond(torch.tensor([[keypoint]]))
    assert (down.item(), across.item()) == pytest.approx(expected, abs=1e-5)
    both = Grid((64, 48), 4, 2).beyond(torch.tensor([[keypoint]]))
    assert both[0].item() == pytest.approx(max(expected), abs=1e-5)


@pytest.mark.parametrize(
    ("image_size", "stride", "word"),
    [
        ((64, 48), 3, "stride=3 "),
        ((64, 48), 5, "stride=5 "),
        ((64, 50), 4, "stride=4 "),
        ((63, 48), 2 / 3, "stride=2/3 "),
        ((64, 48), 0.3, "stride=3/10 "),
        ((64, 48), 128, "stride=128 "),
        ((63, 47), 2, "stride=2 "),
    ],
)
def test_a_stride_that_does_not_divide_the_image_is_refused_with_one_that_does(
    image_size, stride, word
):
    with pytest.raises(IncompatibleError) as refusal:
        Grid(image_size, stride, 2)
    message = str(refusal.value)
    assert word in message
    assert f"image_size=[{image_size[0]},{image_size[1]}]" in message
    suggested = re.findall(r"\d+", message.split("choose")[1].split(" or ")[0])
    assert suggested
    for choice in suggested:
        assert Grid(image_size, int(choice), 2).stride == int(choice)


@pytest.mark.parametrize("stride", [0, -1, -0.5])
def test_a_stride_is_above_zero(stride):
    with pytest.raises(ValueError, match=f"stride={stride}"):
        Grid((64, 48), stride, 1)
