import math

import pytest
import torch

from heatmap_research.codec import covariance, geometry
from heatmap_research.codec.geometry import Geometry
from heatmap_research.codec.grid import Grid

ANGLE = math.radians(30)
TURN = torch.tensor([[math.cos(ANGLE), -math.sin(ANGLE)], [math.sin(ANGLE), math.cos(ANGLE)]])
WANTED = TURN @ torch.diag(torch.tensor([36.0, 9.0])) @ TURN.T  # of x and y, square crop pixels


def gaussian(grid: Grid, x: float, y: float, spread: torch.Tensor) -> torch.Tensor:
    """Draws a normal density of x and y over the bins' places in the crop."""
    (first_y, step_y), (first_x, step_x) = grid.lines
    down = first_y + step_y * torch.arange(grid.bins[0]) - y
    across = first_x + step_x * torch.arange(grid.bins[1]) - x
    offset = torch.stack(torch.meshgrid(across, down, indexing="xy"), -1)
    exponent = (offset @ torch.linalg.inv(spread) * offset).sum(-1)
    return (-exponent / 2).exp()[None, None]


@pytest.mark.parametrize("geometry", [Geometry(-0.5, -0.5, None), Geometry(0.0, -1.0, None)])
def test_a_turned_gaussian_map_has_the_covariance_it_was_drawn_with(geometry):
    grid = Grid((96, 128), 2.0, 2, geometry)
    heatmap = gaussian(grid, 61.3, 44.8, WANTED)
    torch.testing.assert_close(
        covariance.of_answer(grid, (7 * heatmap,))[0, 0], WANTED, rtol=1e-4, atol=1e-3
    )


def test_two_vectors_have_the_variances_of_a_map_and_no_covariance():
    grid = Grid((96, 128), 1.0, 1)
    heatmap = gaussian(Grid((96, 128), 1.0, 2), 61.3, 44.8, WANTED)
    found = covariance.of_answer(grid, (heatmap.sum(-1), heatmap.sum(-2)))
    torch.testing.assert_close(found[0, 0], torch.diag(WANTED.diagonal()), rtol=1e-4, atol=1e-3)


def test_a_covariance_worked_out_by_hand():
    """Halves of the mass at bins (0, 0) and (1, 3), with 4 pixels a bin; a negative bin is none."""
    heatmap = torch.tensor([[5.0, 0, -9, 0], [0, 0, 0, 5.0]])[None, None]
    wanted = torch.tensor([[36.0, 12.0], [12.0, 4.0]])
    torch.testing.assert_close(covariance.of_maps(Grid((8, 16), 4.0, 2), (heatmap,))[0, 0], wanted)


def test_a_map_with_nothing_above_zero_is_as_wide_as_the_crop():
    found = covariance.of_maps(Grid((4, 8), 1.0, 2), (-torch.ones(1, 1, 4, 8),))
    torch.testing.assert_close(found[0, 0], torch.diag(torch.tensor([63 / 12, 15 / 12])))


def test_a_learnt_spread_is_a_standard_deviation_and_coordinates_alone_have_none():
    grid, points = Grid((8, 8), 1.0, 0), torch.zeros(1, 1, 2)
    found = covariance.of_answer(grid, (points, torch.tensor([[[2.0, 3.0]]])))
    assert found.tolist() == [[[[4.0, 0.0], [0.0, 9.0]]]]
    assert covariance.of_answer(grid, (points,)) is None


def test_a_covariance_is_turned_as_points_are():
    generator = torch.Generator().manual_seed(0)
    affine = torch.tensor([[0.5, -2.0, 7.0], [1.5, 0.25, -3.0]], dtype=torch.float64)
    points = torch.randn(1, 500, 2, generator=generator, dtype=torch.float64) * torch.tensor(
        [3.0, 1.0]
    )
    before = torch.cov(points[0].T)[None, None]
    after = torch.cov(geometry.apply(affine[None], points)[0].T)
    torch.testing.assert_close(covariance.turned(before, affine[None])[0, 0], after)
