"""heatmap-show: a picture of any sample in any layout."""

from pathlib import Path

import numpy as np
import pytest
import running
from matplotlib.figure import Figure
from matplotlib.image import imread
from pictures import annotate

from heatmap_research.config.job import prepare
from heatmap_research.drawing import example
from heatmap_research.jobs import sample
from heatmap_research.training.build import wire

ARMS = {  # a head of each kind of answer, and what it needs beside it
    "conv1x1": (),
    "simcc": ("arm=simcc",),
    "regression": ("arm=regression",),
}


def config(*overrides: str):
    return running.compose(*running.TINY, *overrides)


@pytest.mark.parametrize("arm", ARMS)
def test_a_label_is_drawn_in_every_layout(arm, tmp_path):
    done = running.succeed(
        "show", *running.TINY, *ARMS[arm], "index=3", "output=out/a.png", cwd=tmp_path
    )
    picture = imread(tmp_path / "out" / "a.png")
    assert picture.shape[1] > 800
    assert picture[..., :3].std() > 0.1
    assert "px off in the mean" in done.out


@pytest.mark.parametrize("arm", ARMS)
def test_a_run_is_drawn_beside_its_label(arm, tmp_path):
    run = running.train(tmp_path / "run", *running.SMOKE, *ARMS[arm])
    alone = running.succeed("show", *running.TINY, *ARMS[arm], "output=label.png", cwd=tmp_path)
    both = running.succeed("show", f"run={run}", "stage=test", "output=both.png", cwd=tmp_path)
    assert "predicted: " in both.out
    assert "predicted: " not in alone.out
    taller = imread(tmp_path / "both.png").shape[0] - imread(tmp_path / "label.png").shape[0]
    assert taller > 200  # a row of predictions under each row of labels


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("index=32",), "index=32: val has images 0 to 31."),
        (("index=-1",), "index=-1: val has images 0 to 31."),
        (("stage=all",), "stage=all: choose train, val or test."),
        (("run=nowhere",), "run=nowhere: this is not the folder of a run."),
        (("stride=3",), "stride=3 does not divide"),
        (("output=a.txt",), "output=a.txt: give a file that ends in .png"),
        (("output=",), "give a file that ends in .png"),
    ],
)
def test_what_cannot_be_shown_is_said_in_a_line(overrides, words, tmp_path):
    done = running.command("show", *running.TINY, *overrides, cwd=tmp_path)
    assert done.status != 0
    assert words in done.err
    assert "Traceback" not in done.err


def test_a_run_is_shown_as_it_was_trained(tmp_path):
    run = running.train(tmp_path / "run", *running.SMOKE)
    done = running.command("show", f"run={run}", "head=simcc", cwd=tmp_path)
    assert "choose only data, decoder, flip_test anew" in done.err


def test_a_run_of_ones_own_data_is_shown_on_other_data(tmp_path):
    """Arrays of two channels are shown by their first."""
    here, other = (arrays(tmp_path / name) for name in ("here", "other"))
    run = tmp_path / "run"
    places = [
        f"data.{stage}.{part}" for stage in ("train", "val") for part in ("annotations", "images")
    ]
    given = [f"{place}={here / FILES[place.rsplit('.', 1)[1]]}" for place in places]
    size = (
        "image_size=[32,32]",
        "backbone.in_chans=2",
        "trainer=smoke",
        "data.workers=0",
        "data.batch_size=2",
    )
    running.train(run, "data=custom", *given, *size, "decoder=[argmax]")
    elsewhere = f"data.val.images={other / 'images'}"
    running.succeed("show", f"run={run}", "output=here.png", cwd=tmp_path)
    running.succeed("show", f"run={run}", elsewhere, "output=other.png", cwd=tmp_path)
    pictures = [imread(tmp_path / f"{name}.png") for name in ("here", "other")]
    assert pictures[0].shape == pictures[1].shape
    assert not np.array_equal(*pictures)
    wrong = running.command("show", f"run={run}", "data.pool=3", cwd=tmp_path)
    assert wrong.status != 0
    assert "data.pool: there is no such key" in wrong.err


FILES = {"annotations": "people.json", "images": "images"}


def arrays(folder: Path) -> Path:
    """Two people in two arrays of two channels."""
    (folder / "images").mkdir(parents=True)
    draw = np.random.default_rng(len(folder.name))
    for name in ("a.npy", "b.npy"):
        np.save(folder / "images" / name, draw.integers(0, 256, (30, 40, 2), dtype=np.uint8))
    people = [
        {"image": n, "box": (5, 5, 20, 20), "keypoints": [(8, 9, 2), (12, 20, 2), (20, 9, 2)]}
        for n in range(2)
    ]
    annotate(folder / "people.json", [("a.npy", 40, 30), ("b.npy", 40, 30)], people)
    return folder


def label(cfg, index):
    job = prepare(cfg, {})
    batch = sample.batch_of_one(job, "val", index)
    return *sample.label(wire(job), batch), batch


@pytest.mark.parametrize("geometry", ["center", "legacy", "udp"])
@pytest.mark.parametrize("arm", ["mse_2d", "simcc"])
def test_a_label_is_drawn_where_its_joints_are(geometry, arm):
    """The highest bin of a drawn map, placed by the drawing's own lines, is at the truth."""
    cfg = config(f"geometry={geometry}", f"arm={arm}", "decoder=[dark]")
    drawn, errors, _ = label(cfg, 0)
    assert errors["dark"] < 0.5  # a joint in an outer bin has no neighbour to step by
    (top, down), (left, across) = drawn.lines
    for joint, (x, y) in enumerate(drawn.truth):
        if len(drawn.maps) == 1:
            row, column = np.unravel_index(drawn.maps[0][joint].argmax(), drawn.maps[0][0].shape)
        else:
            row, column = (each[joint].argmax() for each in drawn.maps)
        assert abs(left + across * column - x) <= across / 2 + 1e-3
        assert abs(top + down * row - y) <= down / 2 + 1e-3


def test_a_map_covers_its_bins_and_a_trace_runs_through_their_middles():
    image, nowhere = np.zeros((16, 8, 3), np.uint8), np.full((1, 2), np.nan, np.float32)

    def axes_of(*shapes):
        axes = Figure().add_subplot()
        maps = [np.ones(shape, np.float32) for shape in shapes]
        lines = ((1.5, 4.0), (0.5, 2.0))  # four bins along each axis
        example.draw(axes, example.Example(image, maps, lines, nowhere, nowhere))
        return axes

    assert axes_of((1, 4, 4)).images[1].get_extent() == [-0.5, 7.5, 15.5, -0.5]
    across, down = axes_of((1, 4), (1, 4)).lines[:2]
    assert across.get_xdata().tolist() == [0.5, 2.5, 4.5, 6.5]
    assert down.get_ydata().tolist() == [1.5, 5.5, 9.5, 13.5]


def test_a_joint_that_is_not_learnt_is_not_drawn():
    cfg = config("decoder=[dark]", "labels.covered=ignore", "data.occlusion=0.5")
    drawn, _, batch = label(cfg, 1)
    covered = batch.visible[0].numpy() == 1
    assert covered.any()
    assert np.isnan(drawn.decoded[covered]).all()
    assert (drawn.maps[0][covered] == 0).all()
    assert np.isfinite(drawn.decoded[~covered]).all()


@pytest.mark.parametrize(
    "blank", [("labels.covered=zero",), ("arm=ce_2d", "labels.covered=uniform")]
)
def test_a_blank_label_has_no_place(blank):
    cfg = config("decoder=[dark]", "data.occlusion=0.5", *blank)
    drawn, errors, batch = label(cfg, 1)
    covered = batch.visible[0].numpy() == 1
    assert covered.any()
    assert np.isnan(drawn.decoded[covered]).all()
    assert errors["dark"] < 0.5


def test_a_sheet_has_a_cell_for_every_joint():
    cfg = config("joints=[head,left_wrist,left_knee]", "decoder=[dark]")
    drawn, *_ = label(cfg, 0)
    figure = example.sheet(drawn, drawn, ["head", "left_wrist", "left_knee"], "title")
    titles = [axes.get_title() for axes in figure.get_axes()]
    assert [t for t in titles if t] == [
        *("image", "label", "predicted"),
        *("head", "left_wrist", "left_knee"),
        *("head, predicted", "left_wrist, predicted", "left_knee, predicted"),
    ]
