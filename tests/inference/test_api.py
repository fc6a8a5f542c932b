"""What `import heatmap_research as hr` offers."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import people
import pytest
import running
import torch
from PIL import Image

import heatmap_research as hr
from heatmap_research.codec import covariance
from heatmap_research.data.images import UnreadableError
from heatmap_research.inference.pictures import of_file
from heatmap_research.types import IncompatibleError


def test_importing_the_package_imports_no_torch():
    line = "import sys, heatmap_research; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", line], check=True, env=running.plain_environment())
    assert sorted(hr.__all__) == sorted(name for name in hr.__all__ if getattr(hr, name))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> hr.Model:
    here = tmp_path_factory.mktemp("api")
    people.write(here / "set")
    running.succeed("train", *people.options(here / "set/people.json"), "name=mine", cwd=here)
    return hr.load(here / "outputs" / "mine", decoder="dark", device="cpu")


@pytest.fixture
def file(tmp_path) -> Path:
    people.write(tmp_path, images=2)
    return tmp_path / "0.png"


def test_an_image_is_the_same_from_a_file_a_picture_an_array_and_a_tensor(model, file):
    array = np.array(Image.open(file))
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    ways = (str(file), Image.open(file), array, array / 255, tensor, tensor / 255)
    (wanted,) = model(file)
    for way in ways:
        (person,) = model(way)
        np.testing.assert_array_equal(person.keypoints, wanted.keypoints)
        np.testing.assert_array_equal(person.scores, wanted.scores)
        np.testing.assert_array_equal(person.covariance, wanted.covariance)


def test_many_images_are_answered_one_by_one(model, file):
    boxes = [[[8, 8, 32, 32], [4, 4, 20, 30]], None]
    first, second = model([file, file.with_name("1.png")], boxes)
    alone = [*model(file, boxes[0]), *model(file.with_name("1.png"))]
    assert [len(first), len(second)] == [2, 1]
    for one, other in zip([*first, *second], alone, strict=True):
        np.testing.assert_allclose(one.keypoints, other.keypoints, atol=1e-3)
        np.testing.assert_array_equal(one.box, other.box)
    assert model([]) == []
    assert model(file, []) == []


def test_the_covariance_of_a_crop_is_carried_over_to_the_picture(model, file):
    """A box of 16 x 24, widened by 1.25 and to the square crop of 32, has .9375 pixels in one."""
    (person,) = model(file, [10, 12, 16, 24])
    cut = model.predictor.cutter(of_file(file, 3).with_boxes(np.array([[10.0, 12.0, 16.0, 24.0]])))
    activated = model.predictor.activated(cut.crops)
    in_crop = covariance.of_answer(model.predictor.task.codec.grid, activated)[0]
    np.testing.assert_allclose(person.covariance, in_crop * (24 * 1.25 / 32) ** 2, rtol=1e-5)


def test_a_person_is_drawn_into_a_copy_of_the_image(model, file):
    image = np.array(Image.open(file))
    before, (person,) = image.copy(), model(image)
    drawn = model.draw(image, [person])
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(model.draw(image, []), before)
    assert drawn.shape == image.shape
    assert (drawn != image).any() == (person.scores >= 0.05).any()
    assert person.maps is None
    with_maps = replace(model, predictor=replace(model.predictor, keeps_maps=True))
    (person,) = with_maps(image)
    assert len(person.maps.activated) == 1
    sure = [
        replace(person, scores=np.ones(len(person.scores)), maps=maps)
        for maps in (person.maps, None)
    ]
    one, other = (model.draw(image, [each]) for each in sure)
    assert (one != other).any()


def test_what_cannot_be_seen_is_refused_in_words(model, file):
    with pytest.raises(UnreadableError, match=r"nowhere\.jpg is missing"):
        model("nowhere.jpg")
    for boxes in ([1, 2, 3], "a", [[1, 2, 3, 4], [1, 2]]):
        with pytest.raises(IncompatibleError, match="x, y, width and height"):
            model(file, boxes)
    with pytest.raises(IncompatibleError, match="above 0"):
        model(file, [1, 2, 3, 0])
    with pytest.raises(IncompatibleError, match="for 1 images, and there are 2"):
        model([file, file], [None])
    with pytest.raises(IncompatibleError, match="4 axes"):
        model(np.zeros((2, 3, 8, 8), np.uint8))
    with pytest.raises(IncompatibleError, match="not the folder of a run"):
        hr.load(file.parent)


@pytest.mark.parametrize("arm", ["mse_2d", "simcc"])
def test_a_codec_alone_encodes_and_decodes(arm):
    codec = hr.make_codec(arm=arm, image_size=[64, 48], stride=2, sigma=4, decoder=["dark"])
    keypoints = torch.tensor([[[20.3, 31.7]]])
    labels = codec.encode(keypoints, torch.full((1, 1), 2))
    found = codec.decode(tuple(codec.as_read(label.heatmap) for label in labels))
    torch.testing.assert_close(found["dark"].keypoints, keypoints, atol=1e-3, rtol=0)


def test_a_choice_of_a_codec_that_cannot_be_is_refused_as_on_the_command_line():
    with pytest.raises(IncompatibleError, match="does not divide"):
        hr.make_codec(stride=3)
    with pytest.raises(IncompatibleError, match="Did you mean simcc"):
        hr.make_codec(arm="simc")


def test_runs_are_rows_of_a_table(smoke):
    table = hr.read_runs(smoke, columns=("arm", "seed", "val/dark/pixel_error", "sigma"))
    (row,) = table.to_pylist()
    assert (row["arm"], row["seed"], row["sigma"]) == ("mse_2d", 0, 2.0)
    assert row["val/dark/pixel_error"] > 0
    with pytest.raises(ValueError, match="sigm"):
        hr.read_runs(smoke, columns=("sigm",))
