"""Maps and vectors in the picture that they are of: each bin where its pixels are."""

import numpy as np
import pytest

from heatmap_research.drawing import maps

LINES = ((1.5, 4.0), (1.5, 4.0))  # half-pixel centres at stride 4
TWICE = np.array([[2.0, 0.0, 10.5], [0.0, 2.0, 4.5]])  # a pixel of the crop is 2 x 2 of the picture
ORANGE = [(255, 127, 14)]
SEEN = np.array([True])


def drawn(activated: list[np.ndarray], seen: np.ndarray = SEEN) -> np.ndarray:
    """A black picture of 80 x 90 with a crop of 32 x 24 in it, from (10, 4) on."""
    image = np.zeros((80, 90, 3), np.uint8)
    maps.draw(image, maps.Maps(activated, LINES, (32, 24), TWICE), seen, ORANGE * len(seen))
    return image


def one_hot(size: int, place: int) -> np.ndarray:
    return np.eye(size, dtype=np.float32)[place][None]


def test_a_bin_is_drawn_over_its_own_pixels():
    """Bin 2 of 8 down is pixels 8 to 11 of the crop, 20 to 27 of the picture; bin 4 of 6 across."""
    heat = one_hot(8, 2)[:, :, None] * one_hot(6, 4)[:, None, :]
    rows, columns = np.nonzero(drawn([heat]).any(2))
    assert (rows.min(), rows.max()) == (20, 27)
    assert (columns.min(), columns.max()) == (42, 49)
    assert len(rows) == 64


def test_maps_show_their_shape_whatever_their_height_and_nothing_below_zero():
    heat = np.array([[[1.0, 0.5], [-3.0, np.nan]]], np.float32)
    np.testing.assert_array_equal(maps.relative(heat / 1000), [[[1.0, 0.5], [0, 0]]])


def test_a_vector_rises_from_the_edge_where_its_peak_is():
    """Peaks at x = 17.5 and y = 9.5 of the crop: 45.5 and 23.5 of the picture."""
    image = drawn([one_hot(8, 2), one_hot(6, 4)]).any(2)
    room = maps.ROOM * 24 * 2  # of the picture's pixels
    below = 40 + np.flatnonzero(image[40:, 45:47].any(1))  # where the other vector is not
    beside = np.flatnonzero(image[23:25].any(0))
    right, bottom = 2 * 23 + 10.5, 2 * 31 + 4.5  # the last pixels of the crop
    assert below.min() == pytest.approx(bottom - room, abs=1.5)
    assert beside.min() == pytest.approx(right - room, abs=1.5)
    assert np.flatnonzero(image.any(1)).max() == pytest.approx(bottom, abs=1.5)
    assert np.flatnonzero(image.any(0)).max() == pytest.approx(right, abs=1.5)


def test_of_a_crop_beyond_the_picture_vectors_stand_on_its_edges():
    image = np.zeros((40, 40, 3), np.uint8)
    vectors = [one_hot(8, 2), one_hot(6, 4)]
    maps.draw(image, maps.Maps(vectors, LINES, (32, 24), TWICE), SEEN, ORANGE)
    assert image[38:, :].any()
    assert image[:, 38:].any()


def test_joints_that_are_not_drawn_have_no_maps():
    heat = np.stack([one_hot(48, 0), one_hot(48, 47)]).reshape(2, 8, 6)
    assert not drawn([heat], np.array([False, False])).any()
    assert drawn([heat], np.array([False, True]))[:40].sum() == 0
