"""What makes the codec fast changes no answer."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from options import DECODERS, LOSSES, TARGETS, labels_of, uniform_keypoints
from torch.utils._python_dispatch import TorchDispatchMode

from heatmap_research.codec import blurring, gaussians, heatmaps, parts
from heatmap_research.codec.codec import Codec, Widths, readable
from heatmap_research.codec.grid import Grid
from heatmap_research.codec.sharing import once, sharing
from heatmap_research.codec.targets.gaussian import Gaussian

ndims = pytest.mark.parametrize("ndim", [1, 2])


class Calls(TorchDispatchMode):
    """Counts what torch is asked to do."""

    def __init__(self) -> None:
        super().__init__()
        self.names: Counter[str] = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names[function.name().partition(".")[0]] += 1
        return function(*args, **(kwargs or {}))


def codec_of(ndim, loss="cross_entropy", stride=2, image_size=(32, 24), target=None):
    chosen = LOSSES[loss]
    able = {
        name: each for name, each in DECODERS.items() if readable(each.needs, chosen.activation)
    }
    grid = Grid(image_size, stride, ndim)
    target = target or TARGETS["gaussian"]
    return Codec(grid, target, chosen, able, labels_of(covered="regress"), "product")


def people(codec, count):
    points = uniform_keypoints(3 * count, codec.grid.image_size, 4.0).view(count, 3, 2)
    return points, torch.full(points.shape[:2], 2)


def scores_of(codec, count):
    points, visible = people(codec, count)
    draws = torch.Generator().manual_seed(0)
    labels = codec.encode(points, visible)
    noise = (torch.rand(each.heatmap.shape, generator=draws) for each in labels)
    return tuple(8 * each.heatmap + n for each, n in zip(labels, noise, strict=True))


def test_the_parts_of_a_batch_are_read_as_the_whole(monkeypatch):
    for codec in map(codec_of, (1, 2)):
        scores = scores_of(codec, 7)
        monkeypatch.setattr(parts, "BYTES", 2**30)
        whole = codec.decode(codec.activate(scores))
        monkeypatch.setattr(parts, "BYTES", 3 * sum(each[0].nbytes for each in scores))
        assert [len(each[0]) for each in parts.in_cache(scores)] == [3, 3, 1]
        for found in (codec.decode(codec.activate(scores)), codec.read(scores)):
            for name, each in whole.items():
                torch.testing.assert_close(found[name].keypoints, each.keypoints, atol=1e-4, rtol=0)
                torch.testing.assert_close(found[name].score, each.score, atol=1e-6, rtol=0)


def test_a_batch_of_nobody_is_read():
    for codec in map(codec_of, (1, 2)):
        few = {name: codec.decoders[name] for name in ("argmax", "dark")}
        nobody = tuple(each[:0] for each in scores_of(codec, 1))
        found = replace(codec, decoders=few).read(nobody)
        assert [each.keypoints.shape for each in found.values()] == [(0, 3, 2)] * 2


def test_every_decoder_finds_by_itself_what_it_finds_beside_others():
    for codec in map(codec_of, (1, 2)):
        maps = codec.activate(scores_of(codec, 4))
        for name, found in codec.decode(maps).items():
            alone = replace(codec, decoders={name: codec.decoders[name]}).decode(maps)[name]
            assert torch.equal(alone.keypoints, found.keypoints)
            assert torch.equal(alone.score, found.score)


def test_one_map_is_looked_at_once_and_a_changed_one_again():
    seen = []

    @once
    def total(heatmap, scale=1):
        seen.append(scale)
        return heatmap.sum() * scale

    one, other = torch.ones(2), torch.zeros(2)
    with sharing():
        assert [total(one), total(one), total(other), total(one, scale=2)] == [2, 2, 0, 4]
        assert seen == [1, 1, 2]
        assert all(total(torch.full((2,), float(n))) == 2 * n for n in range(50))  # ids come again
    assert total(one) == 2
    one.add_(1)
    assert total(one) == 4


@ndims
def test_what_an_ideal_label_is_like_is_drawn_once(ndim):
    codec = codec_of(ndim)
    points, visible = people(codec, 2)
    scores = scores_of(codec, 2)
    drawn = []
    object.__setattr__(codec, "target", lambda *given: drawn.append(1) or Gaussian(4.0)(*given))
    codec._ideals.clear()
    with torch.inference_mode():
        codec.read(scores)
    first = len(drawn)
    codec.read(scores)
    assert len(drawn) == first == 2 * len(codec.shapes)
    learnt = tuple(each.clone().requires_grad_() for each in scores)
    codec.training_loss(learnt, points, visible).loss.backward()  # though it began in inference
    assert len(drawn) == first + len(codec.shapes)


@pytest.mark.parametrize("width", [0.3, 2.0, 5.3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_long_profile_is_what_every_bins_exponential_makes(width, dtype):
    places = torch.tensor([[-300.0, -0.5, 0.0, 0.49, 100.5, 255.2, 511.0, 511.5, 900.0]])
    (found,) = gaussians.gaussian_profiles(places.to(dtype)[..., None], (width,), (512,))
    away = np.arange(512) - places.numpy().astype(np.float64)[..., None]
    expected = np.exp(np.maximum(-0.5 * (away / width) ** 2, -40))
    np.testing.assert_allclose(found.numpy(), expected, rtol=3e-4 if dtype.itemsize == 4 else 1e-12)


def test_a_profile_of_widths_by_joint_is_that_of_each():
    codec = codec_of(1, image_size=(512, 512), target=Gaussian(2.0))
    wide = replace(codec, widths=Widths((1.0, 1.0), (1.0, 2.0, 0.5)))
    points, visible = people(codec, 2)
    for joint, width in enumerate((1.0, 2.0, 0.5)):
        alone = replace(codec, target=Gaussian(2.0 * width)).encode(points, visible)
        for one, other in zip(wide.encode(points, visible), alone, strict=True):
            torch.testing.assert_close(one.heatmap[:, joint], other.heatmap[:, joint])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(9,), (4, 5), (2, 3, 4)])
def test_the_first_of_equal_bins_is_the_highest_in_every_precision(dtype, shape):
    draws = torch.Generator().manual_seed(0)
    heatmap = torch.randint(0, 4, (5, 3, *shape), generator=draws).to(dtype)
    found = heatmaps.argmax(heatmap)
    for person, joint in np.ndindex(5, 3):
        bins = heatmap[person, joint].float().numpy()
        assert tuple(found[person, joint].int().tolist()) == tuple(
            np.argwhere(bins == bins.max())[0]
        )


@pytest.mark.parametrize("size", [5, blurring.BLOCK, blurring.BLOCK + 1, 250])
def test_a_long_axis_is_convolved_in_blocks_without_a_seam(size):
    draws = np.random.default_rng(size)
    lines, taps = draws.random((2, 1, size)), draws.random(7)
    found = blurring.convolve(torch.from_numpy(lines), torch.from_numpy(taps))
    wide = np.pad(lines, ((0, 0), (0, 0), (3, 3)))
    loops = [[[row[i : i + 7] @ taps for i in range(size)] for row in each] for each in wide]
    np.testing.assert_allclose(found.numpy(), loops, rtol=1e-12)


def test_a_blur_has_a_gradient():
    heatmap = torch.rand(1, 1, 6, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda each: blurring.blur(each, 0.7), heatmap)


@ndims
def test_nothing_of_a_step_waits_for_the_host(ndim):
    codec = codec_of(ndim)
    points, visible = people(codec, 3)
    scores = tuple(each.requires_grad_() for each in scores_of(codec, 3))
    with Calls() as calls:
        codec.training_loss(scores, points, visible).loss.backward()
    assert not {"aten::_local_scalar_dense", "aten::nonzero"} & set(calls.names)
