import itertools
import json
import logging
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pictures
import pytest
import torch
from pictures import annotate, augmentation, dataset
from PIL import Image

from heatmap_research.codec.geometry import apply
from heatmap_research.data import images
from heatmap_research.data.datamodule import ShuffledBatches

NAMES = ("nose", "left_eye", "right_eye")
EVERYTHING = dict(flip=0.5, spread="clipped", rotation=45.0, rotation_limit=2.0, scale=0.35)
EVERYTHING |= dict(rotation_probability=1.0, shift=0.05, shift_probability=1.0)
MANY = range(24)
LIGHT = (311.37, 252.81)  # in the middle of the boxes below, nearly
BOXES = {"fine": (210, 150, 200, 200), "coarse": (40, 20, 540, 440)}  # crop spacing 1.3 and 3.5


def joints(*points):
    return [(x, y, 2) for x, y in points]


@pytest.fixture(scope="module")
def lights(tmp_path_factory):
    """A light on the nose of each of two people, in a JPEG, a PNG and an array."""
    folder = tmp_path_factory.mktemp("lights")
    names = {"fine": ("a.png", "b.jpg", "c.npy"), "coarse": ("d.jpg", "e.png")}
    listed, people = [], []
    for kind, files in names.items():
        for file in files:
            knobs = {"radius": 20.0} if kind == "fine" else {"radius": 70.0, "edge": 6.0}
            picture = pictures.blob(*LIGHT, **knobs)
            if file.endswith("jpg"):
                pictures.jpeg(folder / file, picture)
            elif file.endswith("png"):
                Image.fromarray(picture).save(folder / file)
            else:
                np.save(folder / file, np.repeat(picture[..., None], 3, axis=2))
            points = joints(LIGHT, (250, 180), (370, 330))
            people.append({"image": len(listed), "box": BOXES[kind], "keypoints": points})
            listed.append((file, 640, 480))
    return annotate(folder / "labels.json", listed, people)


@pytest.fixture
def crowd(tmp_path):
    """Seven people in three images, one of them a crowd and one without a label."""
    random = np.random.default_rng(0)
    for number in range(3):
        noise = random.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        image = Image.fromarray(noise).resize((160, 120), Image.Resampling.BICUBIC)
        image.save(tmp_path / f"{number}.jpg", quality=95)
    people = [
        {
            "image": image,
            "box": (x, 20, 30, 60),
            "keypoints": joints((x + 5, 30), (x + 9, 40), (x, 50)),
        }
        for image, x in ((2, 20), (0, 30), (2, 80), (0, 90), (1, 40))
    ]
    people.append(people[0] | {"crowd": 1})
    people.append({"image": 1, "box": (5, 5, 20, 20), "keypoints": [(0, 0, 0)] * 3})
    return annotate(tmp_path / "labels.json", [(f"{n}.jpg", 160, 120) for n in range(3)], people)


def assert_equal(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other) or (one.isnan() & other.isnan()).all()


# --- exactness


@pytest.mark.parametrize("cache", [False, True], ids=["read", "cached"])
@pytest.mark.parametrize("name", pictures.GEOMETRIES)
def test_a_light_and_its_keypoint_go_the_same_way(lights, name, cache, tmp_path):
    """Through every crop, mirrored, turned, scaled and shifted, of every kind of file."""
    places = [{"augment": None}, {"augment": augmentation(**EVERYTHING)}]
    for knobs in places:
        data = dataset(
            lights,
            geometry=pictures.GEOMETRIES[name],
            cache=str(tmp_path) if cache else None,
            **knobs,
        )
        numbers = range(len(data)) if data.augment is None else range(8 * len(data))
        batch = data.__getitems__(numbers)
        for image, points, affine in zip(
            batch.image, batch.keypoints, batch.to_source, strict=True
        ):
            found = pictures.centroid(image[0].numpy())
            assert np.abs(found - points[0].numpy()).max() < 0.01
            source = apply(affine.double(), torch.from_numpy(found)[None])[0]
            assert np.abs(source.numpy() - LIGHT).max() < 0.02 * 4.8  # of a crop's pixel


def test_the_light_of_a_half_body_goes_the_same_way(lights):
    data = dataset(lights, augment=augmentation(half_body=1.0, half_body_least=2))
    batch, whole = data.__getitems__(range(len(data))), dataset(lights)
    assert not torch.equal(batch.to_source, whole.__getitems__(range(len(data))).to_source)
    for image, points in zip(batch.image[:3], batch.keypoints, strict=False):
        assert np.abs(pictures.centroid(image[0].numpy()) - points[0].numpy()).max() < 0.01


def test_nobody_is_mirrored_whose_left_joint_has_no_right_one(crowd):
    """Its mirror image would show a right joint that is called left."""
    content = json.loads(crowd.read_text())
    assert not torch.equal(*_crops_as_they_are_and_flipped(crowd))
    content["categories"][0]["keypoints"] = ["nose", "left_eye", "right_ear"]
    crowd.write_text(json.dumps(content))
    assert torch.equal(*_crops_as_they_are_and_flipped(crowd))


def _crops_as_they_are_and_flipped(file):
    flipped = dataset(file, augment=augmentation(flip=1.0))
    return dataset(file).__getitems__(range(5)).image, flipped.__getitems__(range(5)).image


def test_several_files_with_their_folders_are_one_set(crowd, lights, tmp_path):
    """Both number their images from 10 and their people from 100: later ones are counted on."""
    several = {"annotations": [str(crowd), str(lights)], "images": [str(crowd.parent)]}
    several["images"].append(str(lights.parent))
    data = dataset(crowd, **several)
    apart = [dataset(crowd), dataset(lights)]
    assert len(data) == sum(map(len, apart)) == 10
    batch, parts = data.__getitems__(range(10)), [d.__getitems__(range(5)) for d in apart]
    assert_equal([batch.image, batch.keypoints], [torch.cat([p[f] for p in parts]) for f in (0, 1)])
    assert data.truth.image_ids.tolist() == [10, 11, 12, 13, 14, 15, 16, 17]
    assert batch.instance_id.unique().numel() == 10
    assert data.truth.overlaps.shape == (12,)


def test_several_files_that_make_no_set_are_refused_in_a_line(crowd, lights, tmp_path):
    files, folders = [str(crowd), str(lights)], [str(crowd.parent), str(lights.parent)]
    for words, knobs in {
        "images: 1 folders for 2 files": {"images": folders[:1]},
        "is given twice": {"annotations": files[:1] * 2},
        "nowhere: there is no such folder": {"images": [folders[0], "nowhere"]},
        "data.boxes=detections: .* and here are 2": {"boxes": "detections", "detections": "d.json"},
        "name at least one file": {"annotations": [], "images": []},
    }.items():
        with pytest.raises(ValueError, match=words):
            dataset(crowd, **{"annotations": files, "images": folders} | knobs)
    other = json.loads(lights.read_text())
    other["categories"][0]["keypoints"] = ["nose", "right_eye", "left_eye"]
    (tmp_path / "other.json").write_text(json.dumps(other))
    changed = [files[0], str(tmp_path / "other.json")]
    with pytest.raises(ValueError, match="its joints are nose, right_eye, left_eye, and those of"):
        dataset(crowd, annotations=changed, images=folders)


def test_a_coarse_crop_is_read_from_a_smaller_jpeg(lights, monkeypatch):
    asked = []
    original = images.read
    monkeypatch.setattr(images, "read", lambda *a: asked.append(a) or original(*a))
    dataset(lights).__getitems__(range(5))
    assert {Path(path).name: factor for path, _, _, factor, _ in asked} == {
        **{"a.png": 1, "b.jpg": 1, "c.npy": 1},
        **{"d.jpg": 2, "e.png": 2},  # a PNG is decoded whole all the same
    }


def test_a_crop_is_the_padded_box_of_the_source(crowd):
    sample = dataset(crowd, image_size=[75, 75])[0]
    # box 30 x 60 at (30, 20), padded to 75 x 75 about its middle: one source pixel each
    expected = torch.tensor([[1.0, 0, 45 - 37.5], [0, 1, 50 - 37.5]])
    assert torch.allclose(sample.to_source, expected)
    rows = np.asarray(Image.open(crowd.parent / "0.jpg")).astype(float)[12:88, 7:83]
    between = (rows[1:] + rows[:-1]) / 2
    between = (between[:, 1:] + between[:, :-1]) / 2
    assert np.abs(sample.image.permute(1, 2, 0).numpy() - between).max() <= 3


# --- samples


def test_people_that_can_be_learnt_are_the_samples(crowd):
    data = dataset(crowd)
    batch = data.__getitems__(range(len(data)))
    assert batch.instance_id.tolist() == [101, 103, 104, 100, 102]  # image after image
    assert batch.image_id.tolist() == [10, 10, 11, 12, 12]
    assert batch.box[0].tolist() == [30, 20, 30, 60]
    assert batch.box_score.tolist() == [1] * 5
    assert batch.scale[0].item() == pytest.approx(900**0.5)
    assert batch.head.isnan().all()
    assert len(data.truth) == 7
    assert data.truth.schema.flip == (0, 2, 1)
    assert not data.about.endless


def test_labels_are_where_the_annotation_has_them(crowd):
    sample = dataset(crowd)[0]
    source = apply(sample.to_source, sample.keypoints)
    assert torch.allclose(source, torch.tensor([[35.0, 30], [39, 40], [30, 50]]), atol=1e-3)
    assert sample.visible.tolist() == [2, 2, 2]


def test_unlabelled_points_are_zero_in_the_crop(tmp_path):
    Image.fromarray(np.zeros((60, 60, 3), np.uint8)).save(tmp_path / "a.png")
    people = [
        {"image": 0, "box": (10, 10, 30, 40), "keypoints": [(12, 13, 1), (0, 0, 0), (20, 20, 2)]}
    ]
    sample = dataset(annotate(tmp_path / "a.json", [("a.png", 60, 60)], people))[0]
    assert sample.visible.tolist() == [1, 0, 2]
    assert sample.keypoints[1].tolist() == [0, 0]


@pytest.mark.parametrize(
    "augment",
    [None, augmentation(**EVERYTHING, patches=2, patch_size=(0.1, 0.3), patch_probability=0.5)],
)
@pytest.mark.parametrize("cache", [False, True])
def test_a_batch_is_its_samples_stacked(crowd, augment, cache, tmp_path):
    data = dataset(crowd, augment=augment, cache=str(tmp_path / "cache") if cache else None)
    batch = data.__getitems__([3, 0, 4, 1])
    for place, number in enumerate([3, 0, 4, 1]):
        assert_equal(data[number], [column[place] for column in batch])


def test_a_batch_stays_as_it_is_when_the_next_one_is_read(crowd):
    data = dataset(crowd)
    batches = [data.__getitems__([n]).image for n in range(5)]
    again = [data.__getitems__([n]).image for n in range(5)]
    for one, other in itertools.pairwise(batches):
        assert not torch.equal(one, other)
    for one, other in zip(batches, again, strict=True):
        assert torch.equal(one, other)


def test_each_image_is_decoded_once_a_batch(crowd, monkeypatch):
    asked = []
    original = images.read
    monkeypatch.setattr(images, "read", lambda *a: asked.append(a[0]) or original(*a))
    dataset(crowd).__getitems__([0, 4, 1, 3, 2])
    assert len(asked) == len(set(asked)) == 3


@pytest.mark.parametrize("channels", [1, 3])
def test_images_have_the_channels_asked_for(crowd, channels):
    assert dataset(crowd, channels=channels)[0].image.shape == (channels, 256, 192)


def test_arrays_of_many_channels_reach_the_crop(tmp_path):
    np.save(
        tmp_path / "a.npy", np.arange(5, dtype=np.uint8)[:, None, None].repeat(60, 1).repeat(60, 2)
    )
    people = [
        {"image": 0, "box": (20, 20, 20, 20), "keypoints": joints((22, 22), (25, 25), (30, 30))}
    ]
    file = annotate(tmp_path / "a.json", [("a.npy", 60, 60)], people)
    for cache in (None, str(tmp_path / "cache")):
        sample = dataset(file, channels=5, image_size=[32, 32], cache=cache)[0]
        assert (
            sample.image.amin((1, 2)).tolist()
            == sample.image.amax((1, 2)).tolist()
            == list(range(5))
        )
    with pytest.raises(ValueError, match=r"a\.npy has 5 channel.*in_chans=3"):
        dataset(file)[0]


# --- augmentation


def test_an_item_is_a_function_of_the_seed_and_its_number(crowd):
    knobs = {"augment": augmentation(**EVERYTHING)}
    data, same, other = (dataset(crowd, seed=seed, **knobs) for seed in (4, 4, 5))
    assert data.about.endless
    assert_equal(data.__getitems__(range(40)), same.__getitems__(range(40)))
    assert not torch.equal(data.__getitems__(MANY).image, other.__getitems__(MANY).image)
    assert data[7].instance_id == data[2].instance_id
    assert not torch.equal(data[7].image, data[2].image)


def test_resumed_training_sees_what_uninterrupted_training_would(crowd):
    def batches(position):
        data = dataset(crowd, augment=augmentation(**EVERYTHING))
        found = []
        for epoch in range(position // 2, 4):
            place = max(position, 2 * epoch)
            endless = data.about.endless
            sampler = ShuffledBatches(len(data), 2, 0, lambda p=place: p, endless=endless)
            rest = list(sampler)[: 2 * epoch + 2 - place]
            found += [data.__getitems__(numbers) for numbers in rest]
        return found

    whole, rest = batches(0), batches(3)
    assert len(whole) == 8
    for one, other in zip(whole[3:], rest, strict=True):
        assert_equal(one, other)


def test_a_mirrored_person_has_left_and_right_exchanged(crowd):
    plain = dataset(crowd).__getitems__(range(5))
    mirrored = dataset(crowd, augment=augmentation(flip=1.0)).__getitems__(range(5))
    assert (mirrored.image.int() - plain.image.flip(-1).int()).abs().max() <= 1
    expected = plain.keypoints[:, [0, 2, 1]] * torch.tensor([-1.0, 1.0]) + torch.tensor([191.0, 0])
    assert torch.allclose(mirrored.keypoints, expected, atol=1e-4)


def test_what_is_seen_of_a_mirrored_person_changes_sides_too(tmp_path):
    Image.fromarray(np.zeros((90, 60, 3), np.uint8)).save(tmp_path / "0.png")
    person = {"image": 0, "box": (1, 1, 50, 80), "keypoints": [(5, 30, 2), (9, 40, 1), (0, 0, 0)]}
    file = annotate(tmp_path / "a.json", [("0.png", 60, 90)], [person])
    assert dataset(file)[0].visible.tolist() == [2, 1, 0]
    assert dataset(file, augment=augmentation(flip=1.0))[0].visible.tolist() == [2, 0, 1]


def test_a_second_persons_joints_go_the_same_way_as_the_first_ones(tmp_path):
    Image.fromarray(np.zeros((90, 90, 3), np.uint8)).save(tmp_path / "0.png")
    people = [
        {"image": 0, "box": (1, 1, 50, 80), "keypoints": joints((5, 30), (9, 40), (7, 50))},
        {"image": 0, "box": (21, 1, 50, 80), "keypoints": [(25, 33, 2), (0, 0, 0), (27, 50, 1)]},
        {"image": 0, "box": (75, 1, 10, 80), "keypoints": joints((80, 30), (81, 40), (82, 50))},
    ]
    file = annotate(tmp_path / "a.json", [("0.png", 90, 90)], people)
    plain = dataset(file).__getitems__(range(3))
    assert plain.others_visible.tolist() == [[2, 0, 1], [2, 2, 2], [0, 0, 0]]
    source = apply(plain.to_source, plain.others)
    assert torch.allclose(source[0, [0, 2]], torch.tensor([[25.0, 33], [27, 50]]), atol=1e-4)
    assert torch.allclose(source[1], torch.tensor([[5.0, 30], [9, 40], [7, 50]]), atol=1e-4)
    assert torch.equal(plain.others.isnan().all(-1), plain.others_visible == 0)
    mirrored = dataset(file, augment=augmentation(flip=1.0)).__getitems__(range(3))
    assert mirrored.others_visible.tolist() == [[2, 1, 0], [2, 2, 2], [0, 0, 0]]
    expected = plain.others[:, [0, 2, 1]] * torch.tensor([-1.0, 1.0]) + torch.tensor([191.0, 0])
    torch.testing.assert_close(mirrored.others, expected, rtol=0, atol=1e-4, equal_nan=True)


def test_patches_are_black_and_joints_under_them_covered(crowd):
    knobs = dict(patches=1, patch_size=(0.3, 0.6), patch_probability=1.0)
    data, plain = dataset(crowd, augment=augmentation(**knobs)), dataset(crowd)
    batch = data.__getitems__(range(50))
    before = plain.__getitems__([n % 5 for n in range(50)])
    changed = (batch.image != before.image).any(1)
    assert not (batch.image * changed[:, None]).any()
    share = (batch.image == 0).all(1).float().mean((1, 2))
    assert (share > 0.08).all()
    x, y = batch.keypoints.round().long().unbind(-1)
    black = (batch.image == 0).all(1)[torch.arange(50)[:, None], y, x]
    assert torch.equal(batch.visible == 1, black)
    assert torch.equal(batch.keypoints, before.keypoints)


def test_augmentation_of_no_strength_is_none(crowd):
    data = dataset(crowd, augment=augmentation())
    assert not data.about.endless
    assert_equal(data[0], dataset(crowd)[0])
    with pytest.raises(IndexError):
        data[5]


# --- detections


def detections(folder, *boxes):
    found = [
        {"image_id": image, "category_id": 1, "bbox": box, "score": score}
        for image, box, score in boxes
    ]
    (file := folder / "boxes.json").write_text(json.dumps(found))
    return str(file)


def test_detections_are_samples_without_labels(crowd, tmp_path):
    file = detections(
        tmp_path, (12, [20, 20, 30, 60], 0.9), (10, [1, 2, 3, 4], 0.2), (999, [0, 0, 5, 5], 0.5)
    )
    data = dataset(crowd, boxes="detections", detections=file)
    batch = data.__getitems__(range(len(data)))
    assert batch.instance_id.tolist() == [1, 0]  # places in the file
    assert batch.image_id.tolist() == [10, 12]
    assert batch.box_score.tolist() == pytest.approx([0.2, 0.9])
    assert not batch.visible.any()
    assert not batch.keypoints.any()
    assert batch.scale.tolist() == pytest.approx([12**0.5, 1800**0.5])
    truth = dataset(crowd).__getitems__([3])
    assert torch.equal(batch.image[1], truth.image[0])
    assert len(data.truth) == 7
    assert data.boxes == "detections"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "boxes.json: breaks off at line 1"),
        ("{}", "boxes.json: a detections file is a list"),
        ('[{"image_id": 10}]', "detection 0: it has no category_id, bbox, score"),
        (
            '[{"image_id": 10, "category_id": 1, "bbox": [1, 2, 0, 4], "score": 1}]',
            "detection 0: bbox .* has no area",
        ),
        (
            '[{"image_id": 10, "category_id": 1, "bbox": [1, 2, NaN, 4], "score": 1}]',
            "detection 0: bbox",
        ),
        ("[]", "none of its 0 boxes"),
        (
            '[{"image_id": [], "category_id": 1, "bbox": [1, 2, 3, 4], "score": 1}]',
            "image_id is \\[\\]",
        ),
    ],
)
def test_a_wrong_detections_file_is_refused_in_one_line(crowd, tmp_path, content, words):
    (file := tmp_path / "boxes.json").write_text(content)
    with pytest.raises(ValueError, match=words) as refusal:
        dataset(crowd, boxes="detections", detections=str(file))
    assert "\n" not in str(refusal.value)


# --- parts


def test_what_is_held_out_is_apart_and_the_same_for_every_seed(tmp_path):
    listed = [(f"{n}.png", 8, 8) for n in range(40)]
    for name, _, _ in listed:
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / name)
    people = [
        {"image": n // 2, "box": (1, 1, 5, 5), "keypoints": joints((2, 2), (3, 3), (4, 4))}
        for n in range(80)
    ]
    file = annotate(tmp_path / "a.json", listed, people)

    def ids(part, held_out=3, **knobs):
        data = dataset(file, part=part, held_out=held_out, image_size=[8, 8], **knobs)
        return set(data.truth.image_ids.tolist()), len(data)

    apart, rest = ids("held_out"), ids("rest")
    assert (len(apart[0]), apart[1]) == (3, 6)
    assert rest[1] == 74
    assert apart[0] | rest[0] == set(range(10, 50))
    assert ids("held_out", seed=5) == apart
    assert len(ids("held_out", held_out=5000)[0]) == 4  # one in ten
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"images": content["images"][::-1]}))
    assert ids("held_out") == apart


@pytest.fixture
def forty(tmp_path):
    """Forty images, of which all but the last have a person."""
    listed = [(f"{n}.png", 8, 8) for n in range(40)]
    for name, _, _ in listed:
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / name)
    point = joints((2, 2), (3, 3), (4, 4))
    people = [{"image": n, "box": (1, 1, 5, 5), "keypoints": point} for n in range(39)]
    return annotate(tmp_path / "a.json", listed, people)


def image_ids(file, **knobs):
    return set(dataset(file, image_size=[8, 8], **knobs).truth.image_ids.tolist())


def test_the_first_images_are_the_same_for_every_seed_and_fewer_lie_within_more(forty):
    sets = [image_ids(forty, first=first) for first in (1, 5, 20, 39)]
    assert [len(each) for each in sets] == [1, 5, 20, 39]
    assert all(few < more for few, more in itertools.pairwise(sets))
    assert image_ids(forty, first=5, seed=7) == sets[1]
    assert sets[1] != set(sorted(sets[3])[:5])  # files are often sorted by what they show
    content = json.loads(forty.read_text())
    forty.write_text(json.dumps(content | {"images": content["images"][::-1]}))
    assert image_ids(forty, first=5) == sets[1]


def test_the_first_images_are_of_those_that_are_not_held_out(forty):
    apart = image_ids(forty, part="held_out", held_out=3)
    first = image_ids(forty, part="rest", held_out=3, first=10)
    assert len(first) == 10
    assert not first & apart


def test_images_that_are_left_out_are_of_no_part(forty):
    assert image_ids(forty) - image_ids(forty, leave_out=[17, 13, 999]) == {13, 17}
    parts = [image_ids(forty, part=p, held_out=3, leave_out=[17, 13]) for p in ("held_out", "rest")]
    assert not set.union(*parts) & {13, 17}
    assert not set.intersection(*parts)
    kept = dataset(forty, leave_out=[17, 13])
    assert not {13, 17} & set(kept.truth.image_ids[kept.people.images].tolist())


def test_more_first_images_than_there_are_with_people_are_refused(forty):
    with pytest.raises(ValueError, match=r"data\.train\.first=40: .* has 39 images with people"):
        dataset(forty, first=40)


# --- damage


def broken(crowd, name, content=b"\xff\xd8 no picture"):
    (crowd.parent / name).write_bytes(content)
    return crowd


def test_a_damaged_image_stops_with_its_name_and_record(crowd):
    data = dataset(broken(crowd, "2.jpg"))
    with pytest.raises(ValueError, match=r"2\.jpg cannot be read: .*image 12, annotation 100, 102"):
        data.__getitems__([0, 4])
    assert data[0].image_id == 10


def test_a_missing_image_stops_before_anything_is_read(crowd):
    os.unlink(crowd.parent / "1.jpg")
    with pytest.raises(ValueError, match=r"1\.jpg is missing \(image 11, annotation 104\)\.$"):
        dataset(crowd)
    os.unlink(crowd.parent / "2.jpg")
    with pytest.raises(ValueError, match="; 2 of 3 images are"):
        dataset(crowd)


@pytest.mark.parametrize("augment", [None, augmentation(flip=0.5)])
def test_unreadable_images_can_be_skipped_counted_and_listed(crowd, caplog, augment):
    os.unlink(crowd.parent / "1.jpg")
    whole = (crowd.parent / "2.jpg").read_bytes()
    broken(crowd, "2.jpg", whole[: len(whole) // 2])
    with caplog.at_level(logging.WARNING):
        data = dataset(crowd, on_error="skip", augment=augment)
    assert len(data) == 2
    assert [skip.split(" ")[0].rpartition("/")[2] for skip in data.skipped] == ["1.jpg", "2.jpg"]
    (warning,) = caplog.messages
    assert warning.startswith("2 of 3 images are skipped")
    assert all(skip in warning for skip in data.skipped)
    batch = data.__getitems__([0, 1])
    assert batch.instance_id.tolist() == [101, 103]
    assert data.truth.image_ids.tolist() == [10]
    assert data.truth.ids.tolist() == [101, 103]


def test_a_fifo_and_a_device_in_the_place_of_images_are_skipped(crowd):
    for number in (0, 1):
        os.unlink(crowd.parent / f"{number}.jpg")
    os.mkfifo(crowd.parent / "0.jpg")
    (crowd.parent / "1.jpg").symlink_to("/dev/zero")
    data = dataset(crowd, on_error="skip")
    assert [skip.count("it is no regular file") for skip in data.skipped] == [1, 1]
    assert len(data.people) == 2


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_skipped_images_leave_each_rank_its_share(crowd, ranks):
    broken(crowd, "1.jpg")
    seen = []
    for rank in range(ranks):
        data = dataset(crowd, on_error="skip")  # each process finds out by itself
        share = range(rank, len(data), ranks)
        seen += data.__getitems__(share).instance_id.tolist()
    assert sorted(seen) == [100, 101, 102, 103]


def test_when_no_image_can_be_read_there_is_nothing_to_skip_to(crowd):
    for number in range(3):
        broken(crowd, f"{number}.jpg")
    with pytest.raises(ValueError, match=r"none of 3 images can be read; the first: .*0\.jpg"):
        dataset(crowd, on_error="skip")


def test_a_picture_of_another_size_than_annotated_is_named(crowd):
    Image.fromarray(np.zeros((50, 70, 3), np.uint8)).save(crowd.parent / "0.jpg")
    with pytest.raises(ValueError, match=r"0\.jpg .*70x50, and annotated as 160x120 \(image 10"):
        dataset(crowd)[0]


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"boxes": "best"}, "data.boxes=best: choose gt or detections"),
        ({"boxes": "detections"}, "give the detector's file, data.detections=FILE"),
        ({"on_error": "weep"}, "data.on_error=weep: choose stop or skip"),
        ({"part": "some"}, "data.part=some"),
        ({"padding": 0.0}, "data.padding=0.0"),
        ({"part": "held_out"}, "data.held_out=0"),
        ({"first": 0}, "data.train.first=0: give a number of images, or null"),
        ({"leave_out": ["a.png"]}, r"data.leave_out=\['a.png'\]: give a list of images' ids"),
        ({"leave_out": range(1000)}, "none of .* images would be left"),
        ({"images": "/nowhere"}, "/nowhere: there is no such folder"),
    ],
)
def test_a_wrong_value_is_refused_in_the_words_of_its_user(crowd, knobs, words):
    with pytest.raises(ValueError, match=words):
        dataset(crowd, **knobs)


# --- the cache


def test_cached_evaluation_crops_differ_by_a_level_at_most(lights, crowd, tmp_path):
    for file in (lights, crowd):
        for name, geometry in pictures.GEOMETRIES.items():
            knobs = {"geometry": geometry}
            plain = dataset(file, **knobs)
            cached = dataset(file, cache=str(tmp_path / name), **knobs)
            ours, theirs = (d.__getitems__(range(len(plain))) for d in (plain, cached))
            assert (ours.image.int() - theirs.image.int()).abs().max() <= 1
            assert (ours.image != theirs.image).float().mean() < 0.01
            assert_equal(ours[1:], theirs[1:])


def test_cached_training_crops_are_sampled_twice_and_no_more(crowd, tmp_path):
    knobs = {"augment": augmentation(**EVERYTHING)}
    plain, cached = dataset(crowd, **knobs), dataset(crowd, cache=str(tmp_path / "c"), **knobs)
    ours, theirs = (d.__getitems__(range(100)) for d in (plain, cached))
    assert (ours.image.float() - theirs.image.float()).abs().mean() < 0.5
    assert_equal(ours[1:], theirs[1:])


def test_a_cache_needs_no_image_once_it_is_made(crowd, tmp_path, monkeypatch):
    knobs = {"augment": augmentation(**EVERYTHING), "cache": str(tmp_path / "cache")}
    first = dataset(crowd, **knobs).__getitems__(range(60))
    monkeypatch.delattr(images, "read")
    assert_equal(dataset(crowd, **knobs).__getitems__(range(60)), first)


def test_a_crop_that_leaves_its_region_is_read_from_the_image(lights, tmp_path):
    knobs = {"augment": augmentation(flip=0.5), "cache": str(tmp_path)}
    data = dataset(lights, **knobs)
    wide = augmentation(flip=0.5, rotation=90.0, rotation_probability=1.0, scale=0.5)
    data.augment = wide
    ours = data.__getitems__(range(40))
    theirs = dataset(lights, augment=wide).__getitems__(range(40))
    assert (ours.image.float() - theirs.image.float()).abs().mean() < 0.5


def test_caches_of_other_crops_are_other_files(crowd, tmp_path):
    knobs = [{}, {"padding": 1.5}, {"image_size": [64, 64]}, {"channels": 1}]
    knobs += [{"augment": augmentation(scale=0.3)}, {"image_size": [24, 24]}]
    knobs += [{"image_size": [24, 24], "geometry": pictures.GEOMETRIES["udp"]}]
    for knob in knobs:
        dataset(crowd, cache=str(tmp_path / "cache"), **knob)[0]
    dataset(crowd, cache=str(tmp_path / "cache"))
    assert len(list((tmp_path / "cache").glob("*.u8"))) == len(knobs)
    Image.fromarray(np.full((120, 160, 3), 9, np.uint8)).save(crowd.parent / "0.jpg")
    assert dataset(crowd, cache=str(tmp_path / "cache"))[0].image.max() == 9


def test_a_damaged_cache_is_made_anew(crowd, tmp_path, caplog):
    expected = dataset(crowd, cache=str(tmp_path / "cache"))[0]
    (file,) = (tmp_path / "cache").glob("*.u8")
    file.write_bytes(file.read_bytes()[:100])
    assert_equal(dataset(crowd, cache=str(tmp_path / "cache"))[0], expected)
    assert "is damaged and is made anew" in caplog.text


def test_nothing_is_left_of_a_cache_that_could_not_be_finished(crowd, tmp_path):
    broken(crowd, "2.jpg")
    with pytest.raises(ValueError, match=r"2\.jpg cannot be read"):
        dataset(crowd, cache=str(tmp_path / "cache"))
    assert [file.suffix for file in (tmp_path / "cache").iterdir()] == [".lock"]
    data = dataset(crowd, cache=str(tmp_path / "cache"), on_error="skip")
    assert data[0].image.any()
    assert len(data) == 3


def test_two_that_make_the_same_cache_at_once_do_not_disturb_each_other(crowd, tmp_path):
    def make(_):
        return dataset(crowd, cache=str(tmp_path / "cache")).__getitems__(range(5))

    with ThreadPoolExecutor(2) as both:
        assert_equal(*both.map(make, range(2)))
    assert len(list((tmp_path / "cache").glob("*.u8"))) == 1


def test_a_cache_that_cannot_be_written_is_refused(crowd, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        ValueError, match=r"data.cache=.*file/cache cannot be used: Not a directory"
    ):
        dataset(crowd, cache=str(tmp_path / "file" / "cache"))


def test_true_is_the_usual_folder_of_caches(crowd, tmp_path, monkeypatch):
    monkeypatch.setenv("HEATMAP_CACHE", str(tmp_path / "usual"))
    dataset(crowd, cache=True)
    assert len(list((tmp_path / "usual").glob("crops-5-*.u8"))) == 1


def test_a_worker_maps_the_cache_itself(crowd, tmp_path):
    data = dataset(crowd, cache=str(tmp_path / "cache"))
    expected = data[1]
    carried = pickle.dumps(data.crops)
    assert b"pixels" not in carried
    data.crops = pickle.loads(carried)
    assert_equal(data[1], expected)
