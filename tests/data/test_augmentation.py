import math
from pathlib import Path

import numpy as np
import pictures
import pytest
import torch
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from heatmap_research.codec.geometry import apply, inverse
from heatmap_research.codec.grid import Grid
from heatmap_research.data.augmentation import Joints, to_source, upper_half
from heatmap_research.data.photometric import Photometric

CONF = Path(__file__).parents[2] / "conf"
PRESETS = sorted(file.stem for file in (CONF / "augment").glob("*.yaml"))
COLOURS = sorted(file.stem for file in (CONF / "photometric").glob("*.yaml"))
SIZE = (256, 192)
MANY = torch.arange(20_000)


def preset(name, group="augment"):
    return instantiate(OmegaConf.load(CONF / group / f"{name}.yaml"), _convert_="all")


# --- draws


@pytest.mark.parametrize("name", PRESETS)
def test_a_draw_depends_on_the_seed_and_the_number_alone(name):
    augment, order = preset(name), [39, 5, 17]
    whole, some = augment.draw(3, torch.arange(40)), augment.draw(3, torch.tensor(order))
    for one, other in zip(whole, some, strict=True):
        assert torch.equal(one[order], other)


def test_every_seed_has_its_own_draws():
    augment = preset("hrnet")
    assert not torch.equal(augment.draw(0, MANY).angle, augment.draw(1, MANY).angle)


def test_draws_leave_torchs_own_randomness_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    preset("hrnet").draw(0, MANY)
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize(
    ("name", "degrees", "scale"),
    [("hrnet", 45, 0.35), ("simple_baseline", 40, 0.3), ("mpii", 30, 0.25)],
)
def test_published_strengths_follow_their_laws(name, degrees, scale):
    """clip(N(0, r), -2r, 2r) with probability 0.6 and 1 + clip(N(0, s), -s, s), as HRNet's code."""
    draws = preset(name).draw(0, MANY)
    angle = draws.angle.rad2deg()
    assert angle.abs().max().item() == pytest.approx(2 * degrees)
    assert (angle != 0).double().mean().item() == pytest.approx(0.6, abs=0.015)
    within = 0.6 * math.erf(1 / math.sqrt(2)) + 0.4  # one deviation
    assert (angle.abs() < degrees).double().mean().item() == pytest.approx(within, abs=0.015)
    assert draws.scale.min().item() == pytest.approx(1 - scale)
    assert draws.scale.max().item() == pytest.approx(1 + scale)
    at_the_limit = 1 - math.erf(1 / math.sqrt(2))
    clipped = ((draws.scale - 1).abs() > scale * 0.9999).double().mean().item()
    assert clipped == pytest.approx(at_the_limit, abs=0.015)
    assert draws.flip.double().mean().item() == pytest.approx(0.5, abs=0.015)
    assert draws.half.double().mean().item() == pytest.approx(0.3 * (name == "hrnet"), abs=0.015)


def test_rtmposes_draws_are_of_a_truncated_normal():
    draws = preset("rtmpose").draw(0, MANY)
    assert draws.scale.min() >= 0.6
    assert draws.scale.max() <= 1.4
    turned = draws.angle[draws.angle != 0].rad2deg()
    assert len(turned) / len(MANY) == pytest.approx(0.6, abs=0.015)
    assert turned.abs().max() <= 80
    mean_square = 1 - 2 * math.exp(-0.5) / math.sqrt(2 * math.pi) / math.erf(1 / math.sqrt(2))
    assert turned.std().item() == pytest.approx(80 * math.sqrt(mean_square), rel=0.03)
    assert draws.shift.abs().max() <= 0.16
    moved = (draws.shift != 0).any(1).double().mean().item()
    assert moved == pytest.approx(0.3, abs=0.015)
    assert ((draws.patches[..., 2:] >= 0.2) & (draws.patches[..., 2:] <= 0.4)).all()
    assert (draws.patches[..., :2] + draws.patches[..., 2:] <= 1).all()


def test_none_does_nothing():
    augment = preset("none")
    assert not augment.active
    assert all(preset(name).active for name in PRESETS if name != "none")
    draws = augment.draw(0, MANY)
    assert not draws.flip.any()
    assert (draws.scale == 1).all()
    assert not draws.angle.any()
    assert not draws.shift.any()


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"flip": 1.5}, "augment.flip=1.5: choose from 0 to 1"),
        ({"rotation": -3.0}, "augment.rotation=-3.0"),
        ({"scale": 1.0}, "augment.scale=1.0"),
        ({"spread": "normal"}, "augment.spread=normal: choose clipped, truncated, uniform"),
        ({"patch_size": (0.5, 0.2)}, "augment.patch_size"),
        ({"rotation": float("nan")}, "augment.rotation=nan"),
    ],
)
def test_a_strength_without_sense_is_refused(knobs, words):
    with pytest.raises(ValueError, match=words):
        pictures.augmentation(**knobs)


# --- crops


def drawn(angle=0.0, flip=False):
    draws = pictures.augmentation().draw(0, torch.tensor([0]))
    return draws._replace(
        angle=torch.tensor([math.radians(angle)], dtype=torch.float64), flip=torch.tensor([flip])
    )


BOX = torch.tensor([[100.0, 50.0, 90.0, 120.0]], dtype=torch.float64)


@pytest.mark.parametrize("geometry", pictures.GEOMETRIES.values(), ids=pictures.GEOMETRIES)
def test_without_draws_the_crop_is_the_geometrys(geometry):
    found = to_source(drawn(), BOX, SIZE, geometry)
    assert torch.allclose(found, geometry.to_source(BOX, SIZE), atol=1e-12, rtol=0)


@pytest.mark.parametrize("geometry", pictures.GEOMETRIES.values(), ids=pictures.GEOMETRIES)
def test_a_mirrored_crop_is_the_crop_from_right_to_left(geometry):
    points = torch.tensor([[[0.0, 0.0], [30.5, 200.0], [191.0, 255.0]]], dtype=torch.float64)
    mirrored = points * torch.tensor([-1.0, 1.0]) + torch.tensor([191.0, 0.0])
    plain = apply(to_source(drawn(angle=20), BOX, SIZE, geometry), points)
    flipped = apply(to_source(drawn(angle=20, flip=True), BOX, SIZE, geometry), mirrored)
    assert torch.allclose(plain, flipped, atol=1e-9, rtol=0)


@pytest.mark.parametrize("geometry", pictures.GEOMETRIES.values(), ids=pictures.GEOMETRIES)
def test_a_turn_leaves_the_middle_and_all_distances_in_the_source(geometry):
    middle = torch.tensor([[(geometry.first + s + geometry.last) / 2 for s in (192, 256)]]).double()
    corners = torch.tensor([[[0.0, 0.0], [191.0, 0.0], [96.0, 255.0]]], dtype=torch.float64)
    plain, turned = (to_source(drawn(angle=a), BOX, SIZE, geometry) for a in (0.0, 35.0))
    assert torch.allclose(apply(plain, middle[:, None]), apply(turned, middle[:, None]))
    before, after = apply(plain, corners)[0], apply(turned, corners)[0]
    assert torch.allclose(torch.pdist(before), torch.pdist(after))
    arms = [c - apply(plain, middle[:, None])[0, 0] for c in (before[0], after[0])]
    cosine = (arms[0] @ arms[1]) / (arms[0].norm() * arms[1].norm())
    assert math.degrees(math.acos(cosine)) == pytest.approx(35)


angles = st.floats(-180, 180)


@given(angle=angles, flip=st.booleans(), scale=st.floats(0.3, 3), ndim=st.sampled_from([1, 2]))
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("geometry", pictures.GEOMETRIES.values(), ids=pictures.GEOMETRIES)
@pytest.mark.parametrize("stride", [4, 0.5])
def test_source_to_bins_and_back_is_the_identity(geometry, stride, angle, flip, scale, ndim):
    """In float32, as training and evaluation have it."""
    box = BOX * torch.tensor([1, 1, scale, scale])
    affine = to_source(drawn(angle, flip), box, SIZE, geometry)
    source = box[:, None, :2] + torch.rand(1, 7, 2, dtype=torch.float64) * box[:, None, 2:]
    crop = apply(inverse(affine), source).float()
    grid = Grid(SIZE, stride, ndim, geometry)
    back = apply(affine.float(), grid.join(grid.split(crop)))
    assert (back - source).abs().max() < 1e-3


# --- half bodies


NAMES = ["nose", "left_shoulder", "right_shoulder", "left_hip", "right_hip", "left_knee", "r_ankle"]
POINTS = torch.tensor([[10.0, 0], [0, 20], [20, 20], [4, 50], [16, 50], [4, 70], [16, 94]])


def half_body(visible, upper, least=3, half=True):
    augment = pictures.augmentation(half_body=1.0, half_body_least=least)
    draws = drawn()._replace(half=torch.tensor([half]), upper=torch.tensor([upper]))
    box = torch.tensor([[0.0, 0, 20, 100]], dtype=torch.float64)
    points, seen = POINTS[None].double(), torch.tensor([visible])
    return augment.boxes(draws, box, Joints(points, seen, upper_half(NAMES)))[0].tolist()


def test_names_tell_the_halves():
    assert upper_half(NAMES).tolist() == [True, True, True, False, False, False, False]


@pytest.mark.parametrize(
    ("visible", "upper", "expected"),
    [
        # mean (10, 40/3), extent 20 x 20 -> 30 x 30
        ([2] * 7, True, [-5, 40 / 3 - 15, 30, 30]),
        # mean (10, 66), extent 12 x 44 -> 18 x 66
        ([2] * 7, False, [1, 33, 18, 66]),
        # two of the upper half are too few: the lower one
        ([2, 1, 0, 2, 2, 1, 2], True, [1, 33, 18, 66]),
        # two of the lower half are too few: the upper one
        ([2, 2, 2, 2, 0, 1, 0], False, [-5, 40 / 3 - 15, 30, 30]),
        # three labelled joints are not more than the least
        ([2, 2, 2, 0, 0, 0, 0], True, [0, 0, 20, 100]),
    ],
)
def test_a_half_body_is_the_padded_box_of_its_joints(visible, upper, expected):
    assert half_body(visible, upper) == pytest.approx(expected)


def test_a_half_body_that_was_not_drawn_is_a_whole_one():
    assert half_body([2] * 7, True, half=False) == [0, 0, 20, 100]


def test_scale_and_shift_act_on_the_padded_box():
    augment = pictures.augmentation()
    draws = drawn()._replace(
        scale=torch.tensor([1.2], dtype=torch.float64),
        shift=torch.tensor([[0.1, -0.2]], dtype=torch.float64),
    )
    box = torch.tensor([[10.0, 20, 40, 100]], dtype=torch.float64)
    nothing = torch.zeros(1, 7, 2, dtype=torch.float64)
    found = augment.boxes(
        draws, box, Joints(nothing, torch.zeros(1, 7, dtype=torch.int64), upper_half(NAMES))
    )
    # middle (30 + 4, 70 - 20), sides 48 x 120
    assert found[0].tolist() == pytest.approx([10, -10, 48, 120])


# --- colours


def images_of(channels=3, count=6):
    generator = torch.Generator().manual_seed(0)
    size = (count, channels, 16, 12)
    return torch.randint(60, 190, size, dtype=torch.uint8, generator=generator)


def draws_of(*values, count=6):
    return torch.tensor(values).repeat(count, 1)[..., None, None, None]


@pytest.mark.parametrize("name", COLOURS)
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_colours_keep_shape_and_kind(name, channels):
    image = images_of(channels)
    found = preset(name, "photometric")(image)
    assert found.shape == image.shape
    assert found.dtype == torch.uint8
    assert torch.equal(found, image) == (name == "none")


def test_colours_follow_torchs_own_seed():
    jitter = preset("usual", "photometric")
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(jitter(images_of()))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_brightness_multiplies():
    jitter = Photometric(brightness=0.2, contrast=0.0, saturation=0.0, grey=0.0)
    found = jitter.apply(images_of(), draws_of(1.0, 0.5, 0.5, 0.5)).double()
    assert (found - images_of() * 1.2).abs().max() <= 0.51


def test_contrast_keeps_the_mean_of_each_image():
    jitter = Photometric(brightness=0.0, contrast=0.5, saturation=0.0, grey=0.0)
    image = images_of()
    found = jitter.apply(image, draws_of(0.5, 0.0, 0.5, 0.5)).double()
    mean = image.double().mean((1, 2, 3), keepdim=True)
    assert (found - (mean + 0.5 * (image - mean))).abs().max() <= 0.51


def test_saturation_keeps_luminance_and_grey_has_no_colour():
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)[:, None, None]
    jitter = Photometric(brightness=0.0, contrast=0.0, saturation=0.4, grey=0.5)
    image = images_of()
    light = (image * weights).sum(1, keepdim=True)
    found = jitter.apply(image, draws_of(0.5, 0.5, 1.0, 0.9)).double()
    expected = (light + 1.4 * (image - light)).clamp(0, 255)
    assert (found - expected).abs().max() <= 0.51
    grey = jitter.apply(image, draws_of(0.5, 0.5, 1.0, 0.1)).double()
    assert (grey - light).abs().max() <= 0.51


def test_each_image_has_its_own_colours():
    image = images_of()[:1].repeat(6, 1, 1, 1)
    found = preset("usual", "photometric")(image)
    assert len({bytes(one.numpy().tobytes()) for one in found}) == 6


@pytest.mark.parametrize("knob", ["brightness", "contrast", "saturation", "grey"])
def test_colours_beyond_their_range_are_refused(knob):
    usual = dict(brightness=0.0, contrast=0.0, saturation=0.0, grey=0.0)
    with pytest.raises(ValueError, match=f"photometric.{knob}=1.5"):
        Photometric(**usual | {knob: 1.5})


def test_colours_of_other_channels_have_no_luminance():
    jitter = Photometric(brightness=0.0, contrast=0.0, saturation=1.0, grey=1.0)
    image = images_of(channels=5)
    assert np.array_equal(jitter(image).numpy(), image.numpy())
