"""The presets of real data: which files they name, and what a mistyped or missing key is told."""

import os
from pathlib import Path

import pytest
import running
from omegaconf.errors import OmegaConfBaseException
from running import build_data

from heatmap_research.config.error_words import in_words
from heatmap_research.config.instantiate import instantiate, refuse_strays
from heatmap_research.config.job import prepare
from heatmap_research.types import IncompatibleError

OTHERS = ("synthetic", "hard", "custom")
PRESETS = [option for option in running.options("data") if option not in OTHERS]
CUSTOM = (
    "data=custom",
    *("data.train.annotations=a.json", "data.train.images=images"),
    *("data.val.annotations=b.json", "data.val.images=images"),
)
DATA = Path(os.environ.get("HEATMAP_DATA", ""))
needs_data = pytest.mark.skipif("HEATMAP_DATA" not in os.environ, reason="HEATMAP_DATA is unset")


def choice(option: str) -> tuple[str, ...]:
    return CUSTOM if option == "custom" else (f"data={option}", "data.root=/nowhere")


@pytest.mark.parametrize("option", [*PRESETS, "custom"])
def test_every_preset_gives_a_data_set_what_it_takes(option):
    cfg = running.compose(*choice(option))
    refuse_strays(cfg.data, "data")
    assert {cfg.data[stage].boxes for stage in ("train", "val", "test")} == {"gt"}
    assert cfg.data.val.augment is None
    assert cfg.data.test.augment is None


@pytest.mark.parametrize("option", PRESETS)
def test_a_mistyped_root_is_told_in_a_line(option):
    with pytest.raises(IncompatibleError, match=r"^/nowhere/.*no such folder as /nowhere[.]$"):
        prepare(running.compose(*choice(option)), {})


def test_a_key_that_must_be_given_is_named(folder):
    for option, key in (("coco", "data.root"), ("custom", "data.train.annotations")):
        done = running.command("check", f"data={option}", cwd=folder)
        assert done.status == 1
        assert key in done.err
        assert len(done.err.splitlines()) == 1


def test_where_lspet_lies_is_asked_for_if_heatmap_data_does_not_say(monkeypatch):
    monkeypatch.delenv("HEATMAP_DATA", raising=False)
    with pytest.raises(OmegaConfBaseException) as error:
        prepare(running.compose("data=lspet"), {})
    words = in_words(error.value)
    assert "HEATMAP_DATA is not set" in words
    assert "data.root=DIR" in words
    assert len(words.splitlines()) == 1


def test_without_a_test_set_test_is_val():
    cfg = running.compose(*CUSTOM)
    assert (cfg.data.test.annotations, cfg.data.test.images) == ("b.json", "images")
    cfg = running.compose(*CUSTOM, "data.test.annotations=c.json", "data.test.images=more")
    assert (cfg.data.test.annotations, cfg.data.test.images) == ("c.json", "more")


def test_detections_are_for_evaluation():
    found = running.compose(*CUSTOM, "data.boxes=detections", "data.detections=d.json").data
    assert [found[stage].boxes for stage in ("train", "val", "test")] == ["gt"] + 2 * ["detections"]
    found = running.compose(*choice("coco"), "data.boxes=detections", "data.detections=d.json").data
    assert [found[stage].boxes for stage in ("train", "val", "test")] == ["gt", "gt", "detections"]


@pytest.mark.parametrize("place", ["", "images/"])
def test_cocos_images_lie_in_the_root_or_in_images(tmp_path, place):
    (tmp_path / place / "train2017").mkdir(parents=True)
    cfg = running.compose("data=coco", f"data.root={tmp_path}")
    found = instantiate(cfg.data.train.images, "data.train.images")
    assert Path(found) == tmp_path / place / "train2017"
    with pytest.raises(IncompatibleError, match=r"no folder .*/val2017 or .*/images/val2017"):
        instantiate(cfg.data.test.images, "data.test.images")


def test_a_folder_of_images_can_be_given_instead():
    cfg = running.compose("data=coco", "data.root=/nowhere", "data.train.images=/else/where")
    assert cfg.data.train.images == cfg.data.val.images == "/else/where"


@needs_data
@pytest.mark.parametrize(
    ("option", "joints", "people"),
    [("coco_tests", 17, None), ("lspet", 14, (7864, 994, 976)), ("dlc_openfield", 4, (87, 29, 29))],
)
def test_real_data_are_cropped_in_every_stage(option, joints, people):
    root, size = DATA / option, "image_size=[64,48]"
    if option == "dlc_openfield":
        files = [(stage, f"{root}/annotations/{option}_{stage}.json") for stage in ("train", "val")]
        words = [f"data.{stage}.annotations={file}" for stage, file in files]
        words += [f"data.{stage}.images={root}/images" for stage, _ in files]
        cfg = running.compose("data=custom", *words, size)
    else:
        cfg = running.compose(f"data={option.removesuffix('_tests')}", f"data.root={root}", size)
    data = build_data(cfg)
    sets = [data.dataset(stage) for stage in ("train", "val", "test")]
    assert {tuple(found[0].image.shape) for found in sets} == {(3, 64, 48)}
    assert {len(found[0].keypoints) for found in sets} == {joints}
    if people:
        assert tuple(map(len, sets)) == people
    else:  # one of 8 images is held out for tuning; 19 and 18 people are there to learn from
        assert len(sets[0]) + len(sets[1]) == 19
        assert len(sets[1].truth.image_ids) == 1
        assert len(sets[2]) == 18
