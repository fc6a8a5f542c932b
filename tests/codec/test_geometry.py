import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heatmap_research.codec import geometry
from heatmap_research.codec.geometry import Geometry, apply
from heatmap_research.codec.grid import CENTER

sides = st.floats(4, 500)
places = st.floats(-300, 300)


def box_of(*values):
    return torch.tensor([values], dtype=torch.float64)


def points_of(*points):
    return torch.tensor([points], dtype=torch.float64)


def test_the_corners_of_a_box_are_the_outer_edges_of_the_crops_pixels():
    """A box of 20 x 10 source pixels in a crop of 40 x 20: each source pixel is 2 crop pixels.

    Pixels have their number at the centre, so the box begins at 99.5 and the crop at -0.5.
    """
    affine = CENTER.to_source(box_of(100, 50, 20, 10), (20, 40))
    found = geometry.apply(affine, points_of((-0.5, -0.5), (39.5, 19.5)))
    torch.testing.assert_close(found, points_of((99.5, 49.5), (119.5, 59.5)))


def test_the_first_pixel_of_a_crop_lies_half_a_crop_pixel_within_the_box():
    affine = CENTER.to_source(box_of(100, 50, 20, 10), (20, 40))
    found = geometry.apply(affine, points_of((0, 0)))
    torch.testing.assert_close(found, points_of((99.75, 49.75)))


def test_a_box_of_the_crops_size_is_only_shifted():
    affine = CENTER.to_source(box_of(7, 3, 48, 64), (64, 48))
    torch.testing.assert_close(affine[0], torch.tensor([[1.0, 0, 7], [0, 1, 3]]).double())


def test_a_box_of_another_shape_is_widened_about_its_centre():
    """A square of 10 in a crop twice as high as wide: 20 high, 5 more above and below."""
    affine = CENTER.to_source(box_of(0, 0, 10, 10), (200, 100))
    found = geometry.apply(affine, points_of((-0.5, -0.5), (99.5, 199.5)))
    torch.testing.assert_close(found, points_of((-0.5, -5.5), (9.5, 14.5)))


@given(x=places, y=places, width=sides, height=sides)
@settings(max_examples=30, deadline=None)
def test_a_crop_keeps_proportions_and_holds_its_whole_box(x, y, width, height):
    affine = CENTER.to_source(box_of(x, y, width, height), (64, 48))
    assert affine[0, 0, 0] == affine[0, 1, 1] > 0
    assert affine[0, 0, 1] == affine[0, 1, 0] == 0
    corners = geometry.apply(affine, points_of((-0.5, -0.5), (47.5, 63.5)))[0] + 0.5
    (left, top), (right, bottom) = corners.tolist()
    assert left <= x + 1e-6
    assert top <= y + 1e-6
    assert right >= x + width - 1e-6
    assert bottom >= y + height - 1e-6
    middle = ((left + right) / 2, (top + bottom) / 2)
    assert middle == pytest.approx((x + width / 2, y + height / 2), abs=1e-6)


@given(x=places, y=places, width=sides, height=sides)
@settings(max_examples=30, deadline=None)
def test_the_inverse_of_a_crop_brings_points_back(x, y, width, height):
    affine = CENTER.to_source(box_of(x, y, width, height), (64, 48))
    points = points_of((0, 0), (47, 63), (-5, 100))
    there = geometry.apply(affine, points)
    back = geometry.apply(geometry.inverse(affine), there)
    torch.testing.assert_close(back, points, atol=1e-6, rtol=0)


def test_any_affine_is_undone_by_its_inverse():
    turn = torch.tensor([[[0.8, -0.6, 3.0], [0.6, 0.8, -2.0]]]).double()
    points = points_of((1, 2), (30, -4))
    # By hand: 0.8 * 1 - 0.6 * 2 + 3 = 2.6 and 0.6 * 1 + 0.8 * 2 - 2 = 0.2
    torch.testing.assert_close(
        geometry.apply(turn, points)[0, 0], torch.tensor([2.6, 0.2]).double()
    )
    again = geometry.apply(geometry.inverse(turn), geometry.apply(turn, points))
    torch.testing.assert_close(again, points)


def test_every_crop_of_a_batch_has_its_own_affine():
    boxes = torch.cat([box_of(0, 0, 48, 64), box_of(10, 20, 96, 128)])
    affine = CENTER.to_source(boxes, (64, 48))
    points = points_of((-0.5, -0.5)).expand(2, 1, 2)
    expected = torch.tensor([[[-0.5, -0.5]], [[9.5, 19.5]]]).double()
    torch.testing.assert_close(geometry.apply(affine, points), expected)


GEOMETRIES = {
    "center": CENTER,
    "legacy": Geometry(first=0, last=0, flip_shift=None),
    "udp": Geometry(first=0, last=-1, flip_shift=None),
}


@pytest.mark.parametrize(
    ("geometry", "size", "bins", "origin", "spacing"),
    [
        ("center", 64, 16, 1.5, 4),  # (stride - 1) / 2
        ("center", 64, 128, -0.25, 0.5),
        ("legacy", 64, 16, 0, 4),
        ("legacy", 64, 128, 0, 0.5),
        ("udp", 64, 16, 0, 4.2),  # 63 / 15
        ("udp", 192, 384, 0, 191 / 383),
    ],
)
def test_a_geometry_says_where_bins_lie(geometry, size, bins, origin, spacing):
    assert GEOMETRIES[geometry].line(size, bins) == pytest.approx((origin, spacing))


@pytest.mark.parametrize("stride", [4, 2, 1, 0.5, 1 / 3])
def test_only_legacy_has_to_move_a_mirrored_map(stride):
    """By 1 - 1/stride bins to the right: to the left where bins are finer than pixels."""
    shifts = {name: g.shift(48, round(48 / stride)) for name, g in GEOMETRIES.items()}
    assert shifts == pytest.approx({"center": 0, "legacy": 1 - 1 / stride, "udp": 0}, abs=1e-9)


def test_a_published_shift_takes_the_place_of_the_exact_one():
    assert Geometry(first=0, last=0, flip_shift=1).shift(48, 12) == 1


@pytest.mark.parametrize(
    ("geometry", "corner", "far"),
    [  # of a 10 x 20 box in a 20 x 40 (width x height) crop, worked out by hand
        ("center", (99.75, 49.75), (109.25, 69.25)),  # centres of the first and the last pixel
        ("legacy", (100, 50), (109.5, 69.5)),
        ("udp", (100, 50), (110, 70)),  # the last pixel lies on the far edge
    ],
)
def test_a_geometry_says_how_a_crop_lies_on_its_box(geometry, corner, far):
    affine = GEOMETRIES[geometry].to_source(box_of(100, 50, 10, 20), (40, 20))
    ends = torch.tensor([[[0.0, 0.0], [19.0, 39.0]]]).double()
    found = apply(affine, ends)[0].tolist()
    assert found[0] == pytest.approx(corner)
    assert found[1] == pytest.approx(far)
