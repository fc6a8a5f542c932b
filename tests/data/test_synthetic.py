import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import hydra
import numpy as np
import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from torch.utils.data import DataLoader

from heatmap_research.data.datasets.synthetic import Synthetic
from heatmap_research.data.rendering import body, pool
from heatmap_research.data.rendering.canvas import Canvas, area_average, blur
from heatmap_research.data.rendering.figures import Figures
from heatmap_research.types import Sample

CONF = Path(__file__).parents[2] / "conf/data/synthetic.yaml"
ELBOWS_AND_KNEES = [2, 5, 8, 11]
TOPMOST = 12  # the joint that is painted last


def composed(*overrides: str, image_size: tuple[int, int] = (64, 64), channels: int = 3):
    root = {"image_size": list(image_size), "seed": 7, "backbone": {"in_chans": channels}}
    config = OmegaConf.merge(root, {"data": OmegaConf.load(CONF)})
    return OmegaConf.merge(config, OmegaConf.from_dotlist([*overrides]))


def made(node: DictConfig):
    return hydra.utils.instantiate(node, _convert_="all")


def drawn_by(**knobs) -> Figures:
    defaults = OmegaConf.to_container(composed().data.figures, resolve=True)
    return Figures(**{key: defaults[key] for key in defaults if key != "_target_"} | knobs)


def clean(**knobs) -> Figures:
    return drawn_by(**{"noise": 0.0, "point_spread": 0.0} | knobs)


def small_set(**fields) -> Synthetic:
    figures = drawn_by(image_size=(32, 32))
    defaults = dict(figures=figures, first=100, pool=24, length=None, label_noise=0.0)
    defaults |= dict(round_labels=False, render="pool", device="cpu", cache=None)
    return Synthetic(**defaults | fields)


def pixels_at(images: Tensor, points: Tensor) -> Tensor:
    """(batch, point, channel): the nearest pixels' values."""
    x, y = points.round().long().unbind(-1)
    return images[torch.arange(len(images))[:, None], :, y, x].float()


def centroid(weight: Tensor) -> Tensor:
    """x, y of (batch, height, width), pixel i at i."""
    weight = weight.double()
    y, x = (torch.arange(side, dtype=torch.float64) for side in weight.shape[1:])
    total = weight.sum((1, 2))
    return torch.stack([weight.sum(1) @ x, weight.sum(2) @ y], -1) / total[:, None]


# --- randomness


@pytest.mark.parametrize("order", [[5, 39], [39, 5, 17], [17], list(range(39, -1, -1))])
@pytest.mark.parametrize("placement", ["uniform", "box"])
def test_an_image_is_the_same_in_any_batch(order, placement):
    figures = drawn_by(
        image_size=(50, 70), placement=placement, occlusion=0.3, distractor=0.5, downsample=2
    )
    index = torch.arange(40)
    for draw in (figures, figures.joints, figures.covered):
        assert torch.equal(draw(index[order]), draw(index)[order])


def test_images_differ_between_indices_and_between_seeds():
    index = torch.arange(4)
    images, others = drawn_by()(index), drawn_by(seed=1)(index)
    assert len({image.numpy().tobytes() for image in torch.cat([images, others])}) == 8


def test_sub_pixel_phases_are_uniform():
    phase = drawn_by().joints(torch.arange(4000)) % 1
    for axis in (0, 1):
        share = torch.histc(phase[..., axis], bins=5, min=0, max=1) / phase[..., axis].numel()
        assert (share - 0.2).abs().max() < 0.01  # 52000 draws: 0.0018 is one standard error


# --- geometry


@pytest.mark.parametrize(
    ("image_size", "downsample"),
    [((64, 64), 1), ((128, 128), 1), ((64, 48), 1), ((64, 64), 2), ((64, 64), 3)],
)
def test_the_centroid_of_a_joint_disc_is_its_label(image_size, downsample):
    figures = drawn_by(image_size=image_size, downsample=downsample)
    joints = figures.joints(torch.arange(24)).flatten(0, 1)
    height, width = (side * downsample for side in image_size)
    canvas = Canvas(torch.zeros(len(joints), 1, height, width), figures.edge * downsample)
    radius = body.MARKER_RADIUS * min(height, width) / 64
    canvas.disc((joints + 0.5) * downsample - 0.5, radius, torch.ones(len(joints), 1))
    found = centroid(area_average(canvas.image, downsample)[:, 0])
    assert (found - joints).norm(dim=-1).max() < 0.01


@pytest.mark.parametrize(
    "knobs",
    [
        {"image_size": (128, 128)},
        {"image_size": (160, 128)},
        {"image_size": (128, 128), "downsample": 2},
    ],
)
def test_the_topmost_joint_of_a_finished_image_is_where_its_label_says(knobs):
    index = torch.arange(48)
    joints = clean(**knobs).joints(index)
    apart = (joints[:, :TOPMOST] - joints[:, TOPMOST:]).norm(dim=-1).amin(1) > 10  # pixels
    index, joints = index[apart], joints[apart]
    above, below = (clean(marker=marker, **knobs)(index).double() for marker in (1.0, 0.0))
    colour = pixels_at(above, joints[:, TOPMOST:]).mT[..., None]  # (B, C, 1, 1): wholly covered
    contrast = colour - below
    weight = ((above - below) * contrast).sum(1) / (contrast * contrast).sum(1)
    y, x = (torch.arange(side) for side in weight.shape[1:])
    offset = (x - joints[:, TOPMOST, :1])[:, None], (y - joints[:, TOPMOST, 1:])[..., None]
    near = (offset[0] ** 2 + offset[1] ** 2) < 36  # square pixels
    legible = (contrast.norm(dim=1) + 999 * ~near).flatten(1).amin(1) > 80  # of 255
    error = (centroid(weight * near) - joints[:, TOPMOST]).norm(dim=-1)[legible]
    assert len(error) > 20
    assert error.max() < 0.02  # 8 bits and neighbours included


def test_labels_do_not_depend_on_how_much_larger_a_scene_is_drawn():
    index = torch.arange(50)
    assert torch.equal(drawn_by().joints(index), drawn_by(downsample=3).joints(index))


def test_a_scene_averaged_down_looks_like_one_drawn_at_size():
    index = torch.arange(20)
    direct, averaged = (clean(downsample=factor)(index).float() for factor in (1, 4))
    assert (direct - averaged).abs().mean() < 3  # of 255; an unrelated image differs by tens
    assert (direct - averaged.roll(1, dims=3)).abs().mean() > 5


def test_uniform_placement_keeps_every_joint_inside():
    for height, width in ((32, 32), (64, 48), (32, 256)):
        joints = drawn_by(image_size=(height, width)).joints(torch.arange(1000))
        free = 0.06 * torch.tensor([width, height])
        assert (joints > free - 0.51).all()
        assert (joints < torch.tensor([width, height]) - free - 0.49).all()


def test_box_placement_keeps_most_joints_inside_and_lets_some_leave():
    size = torch.tensor([48, 64])
    joints = drawn_by(image_size=(64, 48), placement="box").joints(torch.arange(2000))
    inside = ((joints > -0.5) & (joints < size - 0.5)).all(-1).float().mean()
    assert 0.9 < inside < 1


def test_a_box_without_jitter_fills_its_padded_crop():
    figures = drawn_by(placement="box", padding=1.25, scale_jitter=0.0, shift_jitter=0.0)
    joints = figures.joints(torch.arange(200))
    low, high = joints.amin(1), joints.amax(1)
    torch.testing.assert_close((high - low).amax(-1), torch.full((200,), 64 / 1.25))
    torch.testing.assert_close((low + high) / 2, torch.full((200, 2), 31.5))


# --- knobs


def test_without_a_marker_a_joint_has_the_colour_of_its_limb():
    figures = {marker: clean(image_size=(128, 128), marker=marker) for marker in (0.0, 0.5, 1.0)}
    index = torch.arange(40)
    joints = figures[0.0].joints(index)
    bends = joints[:, ELBOWS_AND_KNEES]
    shins = (bends + joints[:, [joint + 1 for joint in ELBOWS_AND_KNEES]]) / 2
    images = {marker: draw(index) for marker, draw in figures.items()}
    bare, half, full = (pixels_at(images[marker], bends) for marker in (0.0, 0.5, 1.0))
    assert (bare - pixels_at(images[0.0], shins)).abs().amax(-1).median() <= 1  # of 255
    assert (full - bare).abs().amax(-1).median() > 50
    alone = (joints[:, :, None] - bends[:, None]).norm(dim=-1).sort(dim=1).values[:, 1] > 10
    assert ((bare + full) / 2 - half).abs()[alone].max() <= 1


@pytest.mark.parametrize(("cue", "low", "high"), [(True, 80, 256), (False, 0, 1)])
def test_left_and_right_limbs_differ_in_colour_only_with_the_palette_cue(cue, low, high):
    figures = clean(image_size=(128, 128), palette_cue=cue, marker=0.0)
    index = torch.arange(60)
    joints, images = figures.joints(index), figures(index)
    for left, right in ((1, 4), (2, 5), (7, 10), (8, 11)):
        ours, theirs = (
            pixels_at(images, joints[:, [joint, joint + 1]].mean(1, keepdim=True))
            for joint in (left, right)
        )
        assert low <= (ours - theirs).abs().amax(-1).median() <= high  # of 255


def test_joints_are_covered_with_the_frequency_asked_for():
    index = torch.arange(4000)
    for fraction in (0.0, 0.1, 0.3, 1.0):
        covered = drawn_by(occlusion=fraction, image_size=(64, 48)).covered(index)
        assert abs(covered.float().mean() - fraction) < 0.02


@pytest.mark.parametrize("downsample", [1, 2])
def test_a_joint_is_covered_exactly_where_its_pixels_are(downsample):
    index = torch.arange(60)
    knobs = {"image_size": (96, 128), "downsample": downsample}
    figures = clean(occlusion=0.3, **knobs)
    changed = (figures(index) != clean(**knobs)(index)).any(1, keepdim=True)
    shares = torch.nn.functional.avg_pool2d(changed.float(), 3, stride=1, padding=1)
    share = pixels_at(shares, figures.joints(index))[..., 0]
    wholly, free = share > 0.99, share == 0
    assert (wholly | free).float().mean() > 0.6  # the others lie at the edge of an occluder
    assert figures.covered(index)[wholly].all()
    assert not figures.covered(index)[free].any()


def test_pixels_are_covered_with_the_frequency_asked_for():
    index = torch.arange(300)
    changed = clean(occlusion=0.3)(index) != clean()(index)
    assert abs(changed.any(1).float().mean() - 0.3) < 0.02


def test_a_distractor_appears_behind_with_its_probability():
    index = torch.arange(200)
    never, sometimes = clean(), clean(distractor=0.3)
    changed = (never(index) != sometimes(index)).any(1)
    assert abs(changed.any(-1).any(-1).float().mean() - 0.3) < 0.12
    assert torch.equal(never.joints(index), sometimes.joints(index))
    at_joints = pixels_at(changed[:, None], never.joints(index))
    assert at_joints.mean() < 0.02  # markers of 1.5 pixels are opaque only in their middle


def test_the_second_figures_joints_are_where_it_is_drawn_and_nan_without_one():
    index = torch.arange(200)
    never, sometimes = clean(), clean(distractor=0.3)
    changed = (never(index) != sometimes(index)).any(1)
    there = changed.any(-1).any(-1)
    others = sometimes.others(index)
    assert torch.equal(others.isnan().all(-1).all(-1), ~there)
    assert torch.equal(others.isnan().any(-1).any(-1), ~there)
    behind = pixels_at(changed[there][:, None], others[there]).float()
    assert behind.mean() > 0.8  # the rest are behind the first figure
    assert never.others(index).isnan().all()


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_images_have_the_channels_asked_for(channels):
    index = torch.arange(6)
    image, colour = clean(channels=channels)(index).float(), clean()(index).float()
    assert image.shape == (6, channels, 64, 64)
    if channels == 1:
        luminance = 0.299 * colour[:, 0] + 0.587 * colour[:, 1] + 0.114 * colour[:, 2]
        assert (image[:, 0] - luminance).abs().max() <= 1  # of 255
    else:
        assert torch.equal(image[:, :3], colour[:, :channels])
        assert (image >= colour.amin(1, keepdim=True) - 1)[:, 3:].all()  # a mean of colours
        assert (image <= colour.amax(1, keepdim=True) + 1)[:, 3:].all()


def test_the_grain_has_the_deviation_asked_for_and_no_mean():
    index = torch.arange(8)
    plain, grainy = clean()(index).float(), clean(noise=0.04)(index).float()
    grain = (grainy - plain)[(plain > 30) & (plain < 225)]  # away from where it is clamped
    assert abs(grain.mean()) < 0.1
    assert abs(grain.std() - 0.04 * 255) < 0.2


def test_the_point_spread_has_the_width_asked_for():
    point = torch.zeros(1, 1, 41, 41)
    point[..., 20, 20] = 1
    spread = blur(point, 2.0)[0, 0]
    offset = torch.arange(41) - 20.0
    assert spread.sum().item() == pytest.approx(1, abs=1e-5)
    assert (spread.sum(0) * offset).sum().item() == pytest.approx(0, abs=1e-5)
    assert (spread.sum(0) * offset**2).sum().sqrt().item() == pytest.approx(2, abs=0.03)


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"occlusion": 1.5}, r"data.occlusion=1.5: a fraction of covered pixels lies in \[0, 1\]"),
        ({"marker": -1}, "data.marker=-1"),
        ({"edge": 0.0}, "data.figures.edge=0.0"),
        ({"noise": float("nan")}, "data.noise=nan"),
        ({"image_size": (64, 2)}, "image_size="),
    ],
)
def test_a_wrong_knob_is_refused_in_the_words_of_its_user(knobs, words):
    with pytest.raises(ValueError, match=words):
        drawn_by(**knobs)


# --- the data set


def test_a_batch_is_its_samples_stacked():
    dataset = small_set()
    batch = next(iter(DataLoader(dataset, batch_size=5, collate_fn=_as_is)))
    assert isinstance(batch, Sample)
    for name, value in batch._asdict().items():
        stacked = torch.stack([getattr(dataset[i], name) for i in range(5)])
        torch.testing.assert_close(value, stacked, rtol=0, atol=0, equal_nan=True)
    assert batch.image.dtype == torch.uint8
    assert batch.visible.dtype == torch.int64
    assert torch.equal(batch.to_source[0], torch.tensor([[1.0, 0, 0], [0, 1, 0]]))


def _as_is(batch: Sample) -> Sample:
    return batch


def test_samples_carry_the_second_figures_joints_and_which_of_them_tiles_hide():
    figures = drawn_by(distractor=0.5, occlusion=0.3)
    batch = small_set(figures=figures, pool=100, label_noise=1.0).__getitems__(range(100))
    index = 100 + torch.arange(100)
    there, hidden = ~figures.others(index)[..., 0].isnan(), figures.others_covered(index)
    assert torch.equal(batch.others_visible, torch.where(there, 2 - hidden.long(), 0))
    noise = (batch.others - figures.others(index))[there]
    assert noise.std().item() == pytest.approx(1, abs=0.05)
    assert (noise - (batch.keypoints - figures.joints(index))[there]).std() > 1.3  # their own
    assert batch.others[~there].isnan().all()


def test_scale_is_the_root_of_the_area_of_the_box_around_the_joints():
    sample = small_set()[3]
    width, height = np.ptp(sample.keypoints.numpy(), axis=0)
    assert sample.scale.item() == pytest.approx((width * height) ** 0.5)


def test_pool_and_online_rendering_give_the_same_samples():
    knobs = {"figures": drawn_by(image_size=(32, 32), occlusion=0.3), "label_noise": 1.0}
    pooled, online = (small_set(render=render, **knobs) for render in ("pool", "online"))
    assert pooled.images is not None
    assert online.images is None
    for ours, theirs in zip(
        pooled.__getitems__([0, 7, 23]), online.__getitems__([0, 7, 23]), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0, equal_nan=True)  # no heads


def test_a_pool_repeats_and_an_endless_stream_does_not():
    repeated = small_set(pool=4, length=10)
    assert [repeated[i].image_id.item() for i in range(len(repeated))] == [
        100 + i % 4 for i in range(10)
    ]
    endless = small_set(pool=None, length=10, render="auto")
    assert len(endless) == 10
    assert endless[1234].image_id == 1334
    with pytest.raises(IndexError):
        repeated[10]


def test_label_noise_has_the_deviation_asked_for():
    dataset = small_set(pool=400, label_noise=1.5)
    everything = dataset.__getitems__(list(range(400)))
    noise = everything.keypoints - dataset.figures.joints(everything.image_id)
    assert abs(noise.mean()) < 0.06  # 10400 draws: 0.015 is one standard error
    assert noise.std().item() == pytest.approx(1.5, rel=0.03)
    assert noise.abs().max() < 8


def test_label_noise_is_the_same_every_time_and_leaves_images_alone():
    noisy, true = small_set(label_noise=1.0), small_set()
    assert torch.equal(noisy[3].keypoints, small_set(label_noise=1.0)[3].keypoints)
    assert torch.equal(noisy[3].image, true[3].image)
    assert torch.equal(noisy[3].scale, true[3].scale)


def test_rounded_labels_are_the_nearest_whole_pixels():
    rounded, true = small_set(round_labels=True)[5].keypoints, small_set()[5].keypoints
    assert torch.equal(rounded % 1, torch.zeros(13, 2))
    assert 0.3 < (rounded - true).abs().max() <= 0.5


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"pool": None}, "data.pool=null"),
        ({"pool": None, "length": 5, "render": "pool"}, "data.render=pool"),
        ({"pool": 0}, "data.pool=0"),
        ({"label_noise": -1.0}, "data.label_noise=-1.0"),
    ],
)
def test_a_wrong_field_is_refused_in_the_words_of_its_user(fields, words):
    with pytest.raises(ValueError, match=words):
        small_set(**fields)


def test_the_schema_pairs_left_with_right():
    names, flip = body.SCHEMA.names, body.SCHEMA.flip
    assert len(names) == 13
    for name, partner in zip(names, flip, strict=True):
        side, _, part = name.rpartition("_")
        other = {"left": "right_", "right": "left_", "": ""}[side]
        assert names[partner] == other + part


# --- the cache


def test_a_pool_is_rendered_once_and_then_read(tmp_path, monkeypatch):
    first = small_set(cache=str(tmp_path))
    monkeypatch.delattr(pool, "render")
    second = small_set(cache=str(tmp_path))
    assert isinstance(second.images, np.memmap)
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(
        second.images, small_set(render="online").__getitems__(range(24)).image
    )


def test_pools_of_other_images_have_other_files():
    figures = drawn_by()
    asked = [(figures, 0, 8), (figures, 0, 9), (figures, 1, 8), (drawn_by(seed=1), 0, 8)]
    asked += [(drawn_by(**{knob: 0.25}), 0, 8) for knob in ("marker", "occlusion", "edge")]
    assert len({pool.file_name(*key) for key in asked}) == len(asked)
    assert pool.file_name(drawn_by(), 0, 8) == pool.file_name(figures, 0, 8)


@pytest.mark.parametrize("damage", ["truncated", "empty", "no header", "other images"])
def test_a_damaged_file_is_rendered_anew(tmp_path, damage):
    images = np.array(small_set(cache=str(tmp_path)).images)
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    broken = {
        "truncated": content[: len(content) // 2],
        "empty": b"",
        "no header": b"?" * len(content),
        "other images": content[:128] + bytes(len(content) - 128),
    }
    file.write_bytes(broken[damage])
    np.testing.assert_array_equal(small_set(cache=str(tmp_path)).images, images)
    assert file.read_bytes() == content


def test_two_that_write_the_same_pool_at_once_do_not_disturb_each_other(tmp_path):
    with ThreadPoolExecutor(2) as both:
        ours, theirs = both.map(lambda _: small_set(cache=str(tmp_path)).images, range(2))
    np.testing.assert_array_equal(ours, theirs)
    assert len(os.listdir(tmp_path)) == 1


def test_a_pool_can_be_read_by_whom_the_umask_lets(tmp_path):
    former = os.umask(0o027)
    try:
        small_set(cache=str(tmp_path))
    finally:
        os.umask(former)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o640


def test_what_a_killed_rendering_has_left_is_removed_by_the_next_one(tmp_path):
    (left := tmp_path / "figures-24x3x32x32-0.npy.0123456789abcdef").write_bytes(b"half")
    (other := tmp_path / "notes.txt").touch()
    small_set(cache=str(tmp_path))
    assert not left.exists()
    assert other.exists()


def test_where_nothing_can_be_written_images_stay_in_memory(tmp_path, caplog):
    (tmp_path / "file").touch()
    sets = [small_set(cache=str(tmp_path / "file" / "folder")) for _ in range(2)]
    assert not isinstance(sets[0].images, np.memmap)
    np.testing.assert_array_equal(sets[0].images, small_set().images)
    assert [record.levelname for record in caplog.records].count("WARNING") == 1


# --- the configuration


def test_short_overrides_reach_the_figures_and_the_training_set_alone(tmp_path):
    words = "occlusion=0.2 distractor=0.5 marker=0.5 label_noise=1.0 round_labels=true pool=6"
    config = composed(
        *(f"data.{word}" for word in words.split()),
        *("data.render=pool", "data.val.pool=5", "data.test.pool=5", f"data.cache={tmp_path}"),
        image_size=(32, 48),
        channels=1,
    )
    train, val, test = (made(config.data[split]) for split in ("train", "val", "test"))
    for dataset in (train, val, test):
        knobs = dataset.figures
        assert (knobs.occlusion, knobs.distractor, knobs.marker) == (0.2, 0.5, 0.5)
        assert dataset[0].image.shape == (1, 32, 48)
    assert len(train) == 6
    assert torch.equal(train[0].keypoints, train[0].keypoints.round())
    for dataset in (val, test):
        batch = dataset.__getitems__(range(5))
        assert torch.equal(batch.keypoints, dataset.figures.joints(batch.image_id))


def test_splits_share_no_image():
    config = composed().data
    starts = sorted((config[split].first, config[split].pool) for split in ("val", "test", "train"))
    for (first, count), (after, _) in pairwise(starts):
        assert first + count <= after
    assert starts[-1][0] == config.train.first  # nothing lies behind an endless training stream


def test_the_default_cache_needs_no_variables(monkeypatch):
    monkeypatch.delenv("HEATMAP_CACHE", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    assert composed().data.cache == "~/.cache/heatmap_research"
    monkeypatch.setenv("HEATMAP_CACHE", "/somewhere")
    assert composed().data.train.cache == "/somewhere"


def test_the_seed_of_a_training_does_not_change_the_images():
    assert composed().data.figures.seed == 0
    assert composed("data.seed=3").data.figures.seed == 3
