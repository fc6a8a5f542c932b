import numpy as np
import pytest
import torch
from options import uniform_keypoints
from pairwise import each
from scipy import ndimage

from heatmap_research.codec import blurring, gaussians, heatmaps, taylor

AXES = (1, 2, 3)


def on_one_joint(rows):
    return torch.tensor(rows, dtype=torch.float32)[None, None]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def gaussian(position, sigma, shape):
    """A Gaussian that is `sigma` bins wide along every axis."""
    return gaussians.gaussian(position, (sigma,) * len(shape), shape)


def quadratic(axes, seed):
    """Samples a quadratic at 3 bins an axis; also returns its gradient and Hessian there."""
    random = np.random.default_rng(seed)
    slope = random.normal(size=axes)
    curve = random.normal(size=(axes, axes))
    curve = curve + curve.T
    near = np.empty((3,) * axes)
    for index in np.ndindex(near.shape):
        offset = np.array(index) - 1.0
        near[index] = 0.7 + slope @ offset + offset @ curve @ offset / 2
    return (torch.from_numpy(array)[None, None] for array in (near, slope, curve))


def test_argmax_takes_the_highest_bin_and_the_first_of_equals():
    heatmap = on_one_joint(
        [
            [0, 0, 0, 0, 0],
            [0, 1, 0, 9, 0],
            [0, 9, 2, 0, 0],
            [0, 0, 0, 9, 0],
            [0, 0, 0, 0, 8],
        ]
    )
    assert heatmaps.argmax(heatmap).tolist() == [[[1.0, 3.0]]]
    assert heatmaps.argmax(heatmap[:, :, 2]).tolist() == [[[1.0]]]
    assert heatmaps.argmax(-heatmap[:, :, 4:]).tolist() == [[[0.0, 0.0]]]


def test_argmax_serves_any_number_of_axes():
    for shape in [(7,), (5, 4), (3, 4, 5)]:
        heatmap = torch.rand(4, 3, *shape, generator=generator())
        found = heatmaps.argmax(heatmap).long()
        for batch, joint in np.ndindex(4, 3):
            expected = np.unravel_index(heatmap[batch, joint].numpy().argmax(), shape)
            assert tuple(found[batch, joint].tolist()) == expected


def test_a_neighbourhood_is_cut_out_about_its_centre():
    heatmap = torch.arange(1.0, 26).view(1, 1, 5, 5)
    near, inside = heatmaps.neighbourhood(heatmap, torch.tensor([[[2.0, 3.0]]]))
    assert near.tolist() == [[[[8, 9, 10], [13, 14, 15], [18, 19, 20]]]]
    assert bool(inside.all())


def test_a_neighbourhood_is_zero_beyond_the_map():
    heatmap = torch.arange(1.0, 26).view(1, 1, 5, 5)
    near, inside = heatmaps.neighbourhood(heatmap, torch.tensor([[[0.0, 4.0]]]))
    assert near.tolist() == [[[[0, 0, 0], [4, 5, 0], [9, 10, 0]]]]
    assert inside.tolist() == [[[[False] * 3, [True, True, False], [True, True, False]]]]


def test_a_neighbourhood_of_a_vector_is_a_vector():
    near, inside = heatmaps.neighbourhood(
        torch.arange(1.0, 6).view(1, 1, 5), torch.tensor([[[1.0]]]), radius=2
    )
    assert near.tolist() == [[[0, 1, 2, 3, 4]]]
    assert inside.tolist() == [[[False, True, True, True, True]]]


@pytest.mark.parametrize("radius", [1, 2, 3])
@pytest.mark.parametrize("shape", [(6,), (5, 4), (4, 3, 5)])
def test_a_neighbourhood_equals_a_slice_of_the_padded_map(shape, radius):
    heatmap = torch.rand(3, 2, *shape, generator=generator()) + 1
    random = np.random.default_rng(0)
    centre = random.integers(0, shape, size=(3, 2, len(shape)))
    near, inside = heatmaps.neighbourhood(heatmap, torch.tensor(centre).float(), radius)
    for batch, joint in np.ndindex(3, 2):
        padded = np.pad(heatmap[batch, joint].numpy(), radius)
        window = tuple(slice(i, i + 2 * radius + 1) for i in centre[batch, joint])
        assert np.array_equal(near[batch, joint].numpy(), padded[window])
        assert np.array_equal(inside[batch, joint].numpy(), padded[window] > 0)


@pytest.mark.parametrize("axes", AXES)
def test_differences_recover_the_gradient_and_hessian_of_a_quadratic(axes):
    for seed in range(10):
        near, slope, curve = quadratic(axes, seed)
        torch.testing.assert_close(taylor.gradient(near), slope, atol=1e-12, rtol=0)
        torch.testing.assert_close(taylor.hessian(near), curve, atol=1e-12, rtol=0)


def test_the_cross_term_is_the_twist_of_the_corners():
    saddle = on_one_joint([[1, 0, -1], [0, 0, 0], [-1, 0, 1]])  # y * x
    assert taylor.gradient(saddle).tolist() == [[[0, 0]]]
    assert taylor.hessian(saddle).tolist() == [[[[0, 1], [1, 0]]]]


@pytest.mark.parametrize("axes", AXES)
def test_uphill_solves_for_the_top_of_a_paraboloid(axes):
    random = np.random.default_rng(axes)
    for _ in range(20):
        root = random.normal(size=(6, 5, axes, axes))
        curve = -(root @ root.swapaxes(-1, -2) + 0.1 * np.eye(axes))
        slope = random.normal(size=(6, 5, axes))
        expected = np.linalg.solve(-curve, slope[..., None])[..., 0]
        step = taylor.uphill(torch.from_numpy(slope), torch.from_numpy(curve))
        np.testing.assert_allclose(step.numpy(), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    "hessian",
    [
        [[1.0, 0.0], [0.0, 1.0]],  # a bowl
        [[-1.0, 0.0], [0.0, 1.0]],  # a saddle along an axis
        [[-1.0, 2.0], [2.0, -1.0]],  # a saddle along the diagonal
        [[-1.0, 1.0], [1.0, -1.0]],  # a ridge
        [[0.0, 0.0], [0.0, 0.0]],  # a plain
    ],
)
def test_uphill_stays_where_there_is_no_top(hessian):
    step = taylor.uphill(torch.ones(1, 1, 2), torch.tensor([[hessian]]))
    assert step.tolist() == [[[0, 0]]]


def test_uphill_decides_for_each_joint_alone():
    curve = torch.stack([-torch.eye(3), torch.eye(3), -2 * torch.eye(3)])[None]
    step = taylor.uphill(torch.ones(1, 3, 3), curve)
    torch.testing.assert_close(step[0], torch.tensor([[1.0], [0.0], [0.5]]).expand(3, 3))


@pytest.mark.parametrize("axes", AXES)
def test_newton_finds_where_a_paraboloid_is_level_whichever_way_it_bends(axes):
    random = np.random.default_rng(axes)
    slope = random.normal(size=(6, 50, axes))
    curve = random.normal(size=(6, 50, axes, axes))
    expected = -np.linalg.solve(curve, slope[..., None])[..., 0]
    step = taylor.newton(torch.from_numpy(slope), torch.from_numpy(curve))
    np.testing.assert_allclose(step.numpy(), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("hessian", [[[0.0, 0.0], [0.0, 0.0]], [[1.0, 2.0], [2.0, 4.0]]])
def test_newton_stays_where_a_paraboloid_is_nowhere_level(hessian):
    step = taylor.newton(torch.ones(1, 1, 2), torch.tensor([[hessian]]))
    assert step.tolist() == [[[0, 0]]]


@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 4)])
def test_a_map_is_extended_by_its_outermost_bins(shape):
    heatmap = torch.rand(2, 3, *shape, generator=generator())
    wider = blurring.extended(heatmap, 2)
    for batch, joint in np.ndindex(2, 3):
        expected = np.pad(heatmap[batch, joint].numpy(), 2, mode="edge")
        np.testing.assert_array_equal(wider[batch, joint].numpy(), expected)


@pytest.mark.parametrize("size", [5, 9, 15])
def test_kernels_of_several_widths_are_those_of_each(size):
    widths = torch.tensor([[0.5], [1.0], [3.0]], dtype=torch.float64)
    together = blurring.kernel(size, widths, widths)
    for row, width in zip(together, widths[:, 0].tolist(), strict=True):
        torch.testing.assert_close(row, blurring.kernel(size, width, widths))
        assert row.sum().item() == pytest.approx(1)


@pytest.mark.parametrize("axes", AXES)
def test_a_parabola_finds_the_place_and_height_of_a_gaussian(axes):
    random = generator(axes)
    centre = torch.rand(500, 1, axes, generator=random) * 6 + 2
    heatmap = 0.37 * gaussian(centre, 1.3, (11,) * axes)
    found, rise = taylor.parabola(heatmap, floor=1e-30)
    torch.testing.assert_close(found, centre, atol=1e-5, rtol=0)
    height = heatmap.flatten(2).amax(-1) * rise
    torch.testing.assert_close(height, torch.full_like(height, 0.37), atol=1e-5, rtol=0)


def tilted_gaussians(count):
    """Yields maps of Gaussians tilted at any angle, with their centres and their highest bins."""
    random = np.random.default_rng(0)
    for _ in range(count):
        angle, ratio = random.uniform(0, np.pi), random.uniform(1, 2.5)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        precision = turn @ np.diag([1 / 1.5**2, 1 / (1.5 * ratio) ** 2]) @ turn.T
        centre = random.uniform(6, 14, size=2)
        offset = np.stack(np.mgrid[:21, :21], -1) - centre
        heatmap = np.exp(-0.5 * np.einsum("hwi,ij,hwj->hw", offset, precision, offset))
        yield heatmap, centre, np.unravel_index(heatmap.argmax(), heatmap.shape)


def test_a_parabola_locates_a_tilted_gaussian_that_is_highest_in_its_bin():
    cases = [case for case in tilted_gaussians(300) if abs(case[2] - case[1]).max() < 0.5]
    assert len(cases) > 200
    for heatmap, centre, _ in cases:
        found, _ = taylor.parabola(on_one_joint(heatmap.tolist()), floor=1e-30)
        np.testing.assert_allclose(found[0, 0].numpy(), centre, atol=1e-5, rtol=0)


def test_a_parabola_locates_a_tilted_gaussian_that_is_highest_in_the_next_bin():
    cases = [case for case in tilted_gaussians(300) if abs(case[2] - case[1]).max() > 0.5]
    assert len(cases) > 10
    for heatmap, centre, _ in cases:
        found, _ = taylor.parabola(on_one_joint(heatmap.tolist()), floor=1e-30)
        np.testing.assert_allclose(found[0, 0].numpy(), centre, atol=1e-5, rtol=0)


def test_a_parabola_steps_along_the_free_axis_at_the_border():
    centre = torch.tensor([[[0.2, 4.3]]])
    found, _ = taylor.parabola(gaussian(centre, 1.5, (9, 9)), floor=1e-30)
    torch.testing.assert_close(found, torch.tensor([[[0.0, 4.3]]]), atol=1e-5, rtol=0)


def test_only_bins_with_two_neighbours_are_interior():
    centre = torch.tensor([[[0.0, 0.0], [1.0, 3.0], [4.0, 2.0]]])
    assert heatmaps.interior(centre, (5, 4)).tolist() == [[[0, 0], [1, 0], [0, 1]]]
    assert heatmaps.interior(torch.zeros(1, 1, 2), (1, 1)).tolist() == [[[0, 0]]]


@pytest.mark.parametrize("shape", [(9,), (5, 5), (16, 11), (4, 5, 6)])
@each(sigma=[0.3, 0.5, 1.0, 2.0])
def test_blur_is_a_gaussian_filter_with_nothing_beyond_the_map(shape, sigma):
    heatmap = torch.rand(2, 2, *shape, generator=generator(), dtype=torch.float64)
    smooth = blurring.blur(heatmap, sigma)
    radius = max(1, round(4 * sigma))
    for batch, joint in np.ndindex(2, 2):
        expected = ndimage.gaussian_filter(
            heatmap[batch, joint].numpy(), sigma, mode="constant", radius=radius
        )
        np.testing.assert_allclose(smooth[batch, joint].numpy(), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize(("first", "second"), [(1.0, 1.0), (2.0, 1.0), (1.5, 3.0)])
def test_blur_adds_its_variance_to_that_of_a_gaussian(first, second):
    centre = uniform_keypoints(20, (61, 61), margin=25) + torch.tensor([0.5, 0.5])
    smooth = blurring.blur(gaussian(centre, first, (61, 61)), second)
    widened = gaussian(centre, (first**2 + second**2) ** 0.5, (61, 61))
    height = first**2 / (first**2 + second**2)
    torch.testing.assert_close(smooth, height * widened, atol=1e-3 * height, rtol=0)


def test_blur_keeps_the_sum_of_what_lies_in_the_interior():
    heatmap = torch.zeros(1, 1, 41, 41)
    heatmap[..., 20, 20] = 1
    assert blurring.blur(heatmap, 2.0).sum().item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("shape", [(300,), (96, 72), (11, 12, 13)])
def test_expectation_is_the_mean_bin_along_every_axis(shape):
    probability = heatmaps.normalise(torch.rand(2, 3, *shape, generator=generator()))
    mean = heatmaps.expectation(probability)
    for batch, joint in np.ndindex(2, 3):
        weight = probability[batch, joint].numpy().astype(np.float64)
        expected = [(weight * grid).sum() / weight.sum() for grid in np.indices(shape)]
        np.testing.assert_allclose(mean[batch, joint].numpy(), expected, atol=2e-4, rtol=0)


def test_expectation_of_a_hand_made_map():
    probability = on_one_joint([[0, 0.25, 0], [0, 0, 0], [0, 0, 0.75]])
    assert heatmaps.expectation(probability).tolist() == [[[1.5, 1.75]]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_normalising_cuts_negatives_and_sums_to_one(dtype):
    heatmap = torch.tensor([[[[-1.0, 1.0], [3.0, 0.0]]]], dtype=dtype)
    assert heatmaps.normalise(heatmap).tolist() == [[[[0, 0.25], [0.75, 0]]]]
    assert heatmaps.normalise(-heatmap.abs()).abs().max() == 0


def test_activations_read_scores_as_their_loss_trains_them():
    scores = torch.randn(2, 3, 4, 5, generator=generator())
    exp = np.exp(scores.numpy().astype(np.float64))
    assert torch.equal(heatmaps.activate(scores, "identity"), scores)
    np.testing.assert_allclose(heatmaps.activate(scores, "sigmoid"), exp / (1 + exp), rtol=1e-5)
    total = exp.sum((2, 3), keepdims=True)
    np.testing.assert_allclose(heatmaps.activate(scores, "softmax"), exp / total, rtol=1e-5)


@pytest.mark.parametrize("shape", [(12,), (9, 12), (5, 6, 7)])
@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5])
def test_a_gaussian_equals_its_formula_in_every_bin(shape, sigma):
    random = np.random.default_rng(0)
    position = random.uniform(-2, 10, size=(2, 3, len(shape)))
    heatmap = gaussian(torch.tensor(position, dtype=torch.float32), sigma, shape)
    for index in np.ndindex(2, 3, *shape):
        squared = ((np.array(index[2:]) - position[index[:2]]) ** 2).sum()
        expected = np.exp(-squared / (2 * sigma**2))
        assert heatmap[index].item() == pytest.approx(expected, abs=2e-6 / sigma)
