"""Sets of files without a test part: some of train is held out to choose on, and val is test."""

import pytest
import running

from heatmap_research.config.held_out import with_held_out

CUSTOM = (
    *("data=custom", "data.train.annotations=a.json", "data.train.images=many"),
    *("data.val.annotations=b.json", "data.val.images=few"),
)


def parts(*overrides):
    """The file, the images and the part of each stage."""
    data = with_held_out(running.compose(*overrides)).data
    stages = (data.train, data.val, data.test)
    return [(stage.annotations, stage.images, stage.part) for stage in stages]


def test_held_out_images_are_val_and_what_was_val_is_test():
    assert parts(*CUSTOM, "data.held_out=10") == [
        ("a.json", "many", "rest"),
        ("a.json", "many", "held_out"),
        ("b.json", "few", "all"),
    ]


def test_without_them_test_is_val():
    assert parts(*CUSTOM) == [
        ("a.json", "many", "all"),
        ("b.json", "few", "all"),
        ("b.json", "few", "all"),
    ]


def test_a_test_part_of_its_own_is_kept():
    own = ("data.test.annotations=c.json", "data.test.images=more")
    assert parts(*CUSTOM, *own, "data.held_out=10")[1:] == [
        ("a.json", "many", "held_out"),
        ("c.json", "more", "all"),
    ]
    lspet = parts("data=lspet", "data.root=R", "data.held_out=10")
    assert [file for file, _, _ in lspet] == [
        "R/annotations/lspet_train8k.json",
        "R/annotations/lspet_train8k.json",
        "R/annotations/lspet_test.json",
    ]


def test_folders_that_are_looked_for_go_with_their_file():
    """Of AI Challenger, whose images lie in one of two folders."""
    train, val, test = parts("data=aic", "data.root=R", "data.held_out=10")
    assert val == (*train[:2], "held_out")
    assert test[0] == "R/annotations/aic_val.json"
    assert "keypoint_validation_images" in test[1].among[0]


def test_detections_stay_with_test():
    found = ("data.boxes=detections", "data.detections=d.json", "data.held_out=10")
    data = with_held_out(running.compose(*CUSTOM, *found)).data
    assert [data[stage].boxes for stage in ("val", "test")] == ["gt", "detections"]


@pytest.mark.parametrize(
    "choice",
    [
        (*CUSTOM, "data.held_out=10"),
        ("data=coco", "data.root=R"),
        (*CUSTOM, "data.held_out=10", "data.train.part=rest"),
        ("data=synthetic",),
    ],
)
def test_a_config_whose_parts_are_said_stays_as_it_is(choice):
    once = with_held_out(running.compose(*choice))
    assert with_held_out(once) == once
    if "data.held_out=10" not in choice or "data.train.part=rest" in choice:
        assert once == running.compose(*choice)
