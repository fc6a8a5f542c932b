import pytest
import running
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from heatmap_research.config import timm_names
from heatmap_research.network.backbone import TimmBackbone
from heatmap_research.types import IncompatibleError

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# Channels of the four branches, as published (Sun et al., 2019; Wang et al., 2020).
HRNETS = {
    "hrnet_w18_small": (16, 32, 64, 128),
    "hrnet_w32": (32, 64, 128, 256),
    "hrnet_w48": (48, 96, 192, 384),
}


def backbone(name="test_resnet", **knobs):
    options = {
        "pretrained": False,
        "checkpoint": None,
        "frozen": False,
        "in_chans": 3,
        "options": {},
    }
    return TimmBackbone(name, **options | knobs)


def configured(option, *more):
    cfg = running.compose(f"backbone={option}", *more).backbone
    knobs = {"options": dict(cfg.options), "in_chans": cfg.in_chans}
    return backbone(cfg.name, **knobs)


def images(channels=3, size=(32, 32), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (2, channels, *size), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("option", HRNETS)
def test_an_hrnet_has_its_published_branches(option):
    with torch.device("meta"):
        levels = configured(option).levels
    assert [tuple(level) for level in levels[-4:]] == list(
        zip(HRNETS[option], (4, 8, 16, 32), strict=True)
    )


def test_a_plain_vit_has_one_level_of_its_patch_size():
    with torch.device("meta"):
        levels = configured("vit_small").levels
    assert [tuple(level) for level in levels] == [(384, 16)]


def test_a_swin_answers_channels_first():
    swin = configured("swin_tiny", "image_size=[64,32]").eval()
    with torch.inference_mode():
        features = swin(images(size=(64, 32)))
        channels_last = swin.net((images(size=(64, 32)) / 255 - swin.mean) / swin.std)
    assert [tuple(f.shape[1:]) for f in features] == [
        (96, 16, 8),
        (192, 8, 4),
        (384, 4, 2),
        (768, 2, 1),
    ]
    for feature, other in zip(features, channels_last, strict=True):
        assert torch.equal(feature, other.permute(0, 3, 1, 2))


def test_an_image_is_normalised_as_the_model_was_trained():
    trunk = backbone("resnet18").eval()
    image = images()
    mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    by_hand = trunk.net((image.double().div(255) - mean).div(std).float())
    for feature, expected in zip(trunk(image), by_hand, strict=True):
        torch.testing.assert_close(feature, expected, rtol=1e-4, atol=1e-5)


def test_another_models_own_constants_are_used():
    vit = backbone("vit_small_patch16_224", options={"dynamic_img_size": True})
    assert vit.mean.flatten().tolist() == [0.5, 0.5, 0.5]
    assert vit.std.flatten().tolist() == [0.5, 0.5, 0.5]


@pytest.mark.parametrize("channels", [1, 4])
def test_images_of_other_channels_are_normalised_by_the_mean_constant(channels):
    trunk = backbone("resnet18", in_chans=channels).eval()
    assert trunk.mean.flatten().tolist() == pytest.approx([sum(IMAGENET_MEAN) / 3] * channels)
    assert trunk.std.flatten().tolist() == pytest.approx([sum(IMAGENET_STD) / 3] * channels)
    assert len(trunk(images(channels))) == len(trunk.levels)


@given(value=st.integers(0, 255))
@settings(max_examples=10, deadline=None)
def test_bytes_and_the_same_values_as_floats_give_the_same_features(value):
    trunk = backbone().eval()
    image = torch.full((1, 3, 32, 32), value, dtype=torch.uint8)
    for one, other in zip(trunk(image), trunk(image.float()), strict=True):
        assert torch.equal(one, other)


def test_a_frozen_backbone_keeps_its_weights_and_statistics_in_training():
    trunk = backbone(frozen=True).train()
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    trunk(images())
    assert not any(parameter.requires_grad for parameter in trunk.parameters())
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())


def test_one_that_is_not_frozen_learns_both():
    trunk = backbone().train()
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    trunk(images())[-1].sum().backward()
    assert all(p.requires_grad for p in trunk.parameters())
    assert not all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())


def test_a_checkpoint_file_brings_its_weights(tmp_path):
    donor = timm.create_model("test_resnet", pretrained=False)
    torch.save(donor.state_dict(), tmp_path / "weights.pth")
    trunk = backbone(checkpoint=str(tmp_path / "weights.pth"))
    given_weights, loaded = donor.state_dict(), trunk.net.state_dict()
    assert loaded
    assert all(torch.equal(given_weights[name], value) for name, value in loaded.items())


def test_a_missing_checkpoint_is_refused_by_its_name():
    with pytest.raises(IncompatibleError, match=r"backbone.checkpoint=nothing.pth: there is no"):
        backbone(checkpoint="nothing.pth")


def test_another_models_checkpoint_is_refused(tmp_path):
    torch.save(timm.create_model("resnet18", pretrained=False).state_dict(), tmp_path / "18.pth")
    with pytest.raises(IncompatibleError, match=r"18\.pth does not hold the weights of resnet50"):
        backbone("resnet50", checkpoint=str(tmp_path / "18.pth"))


def test_a_file_that_holds_no_weights_is_refused(tmp_path):
    (tmp_path / "notes.pth").write_text("no weights")
    with pytest.raises(IncompatibleError, match=r"notes\.pth does not hold the weights"):
        backbone(checkpoint=str(tmp_path / "notes.pth"))


def test_an_unknown_model_is_refused_by_its_name(monkeypatch):
    with pytest.raises(IncompatibleError, match=r"backbone.name=resnet17 is not a timm model"):
        backbone("resnet17")
    monkeypatch.delenv("HEATMAP_TRUST", raising=False)
    with pytest.raises(IncompatibleError, match="resnet1800 is not a timm model: choose resnet"):
        running.job("backbone=resnet18", "backbone.name=resnet1800")


def test_every_model_of_timm_is_known_by_its_name_and_those_of_hubs_and_of_ones_own_are_let_in(
    monkeypatch,
):
    def passes(name):
        timm_names.refuse_unknown(OmegaConf.create({"_target_": timm_names.OURS, "name": name}))

    elsewhere = ("resnet18.a1_in1k", "hf-hub:timm/anything", "vit_tiny_patch16_224_in21k")
    for name in (*timm.list_models(), *elsewhere):
        passes(name)
    monkeypatch.delenv("HEATMAP_TRUST", raising=False)
    with pytest.raises(IncompatibleError, match="my_own"):
        passes("my_own")
    monkeypatch.setenv("HEATMAP_TRUST", "mine")
    passes("my_own")


def test_weights_that_cannot_be_had_are_refused_in_one_line():
    with pytest.raises(IncompatibleError, match=r"backbone\.pretrained=true.*checkpoint=") as error:
        backbone("resnet18", pretrained=True)
    assert len(str(error.value).splitlines()) == 1
