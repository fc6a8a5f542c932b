"""heatmap-show run=DIR worst=N: the people that a run misses most."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import running
from matplotlib.image import imread

from heatmap_research.config.job import prepare
from heatmap_research.config.of_run import of_record
from heatmap_research.drawing import missed_sheet
from heatmap_research.drawing.missed_sheet import Cell
from heatmap_research.jobs import sample, worst
from heatmap_research.runs.find import find
from heatmap_research.runs.worst import worst_first
from heatmap_research.types import IncompatibleError


def rows(*people):
    """Of (instance, errors along x, visibilities); truths at 10, and a source twice as large."""
    table = [
        {"image": 0, "instance": who, "joint": joint, "visible": visible}
        | {"x_true": 10.0, "y_true": 10.0, "x": 10.0 + off, "y": 10.0}
        | {"x_true_source": 20.0, "y_true_source": 20.0, "x_source": 20 + 2 * off, "y_source": 20.0}
        for who, errors, seen in people
        for joint, (off, visible) in enumerate(zip(errors, seen, strict=True))
    ]
    return pa.Table.from_pylist(table)


PEOPLE = rows((7, (1, 1), (2, 2)), (3, (0, 9), (2, 0)), (5, (2, 4), (2, 1)), (9, (5, 5), (0, 0)))


def test_people_come_by_their_mean_error_over_labelled_joints():
    found = worst_first(PEOPLE, [0, 1], 10)
    assert [(each.place, each.instance, each.mean_px) for each in found] == [
        *((2, 5, 3.0), (0, 7, 1.0), (1, 3, 0.0))
    ]
    assert (found[0].worst, found[0].errors[found[0].worst]) == (1, 4.0)
    np.testing.assert_array_equal(found[0].found_source, [[24, 20], [28, 20]])


def test_only_the_joints_asked_for_count():
    assert [each.instance for each in worst_first(PEOPLE, [1], 2)] == [5, 7]
    assert np.isnan(worst_first(PEOPLE, [1], 1)[0].true[0]).all()


def test_the_worst_of_a_run_are_those_its_figures_say(smoke):
    (run,) = find(smoke)
    decoder = run.decoders[0]
    everyone = worst_first(run.predictions("test", decoder), range(13), 10_000)
    counts = [np.isfinite(each.errors).sum() for each in everyone]
    mean = np.average([each.mean_px for each in everyone], weights=counts)
    assert mean == pytest.approx(run.metric("test", decoder, "pixel_error"), rel=1e-5)
    job = prepare(of_record(run.record), run.record["choices"])
    first = worst.cells_of(job, "test", everyone[:1], job.schema.names)[0]
    seen = sample.batch_of_one(job, "test", everyone[0].place)
    np.testing.assert_allclose(first.true, seen.keypoints[0].numpy(), atol=1e-4)
    assert np.array_equal(first.image, seen.image[0].permute(1, 2, 0).numpy())


def test_a_sheet_is_written_and_listed(smoke, tmp_path):
    line = (f"run={smoke}", "worst=7", "stage=test", "joints=[left_wrist,head]", "output=a/w.png")
    done = running.succeed("show", *line, cwd=tmp_path)
    assert imread(tmp_path / "a" / "w.png").shape[1] > 1500
    listed = [line for line in done.out.splitlines() if " px, " in line]
    assert [line.split(".")[0] for line in listed[:7]] == list("1234567")
    errors = [float(line.split(": ")[1].split(" px")[0]) for line in listed[:7]]
    assert errors == sorted(errors, reverse=True)
    assert all("left_wrist" in line or "head" in line for line in listed[:7])


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("worst=0",), "worst=0: give a number of people"),
        (("worst=3", "joints=[left_wrst]"), "Did you mean left_wrist?"),
        (("worst=3", "stage=train"), "has no predictions of it"),
        (("worst=3", "stage=test", "data.test.first=5"), "have changed"),
    ],
)
def test_what_cannot_be_shown_is_said_in_a_line(overrides, words, smoke, tmp_path):
    done = running.command("show", f"run={smoke}", *overrides, cwd=tmp_path)
    assert done.status != 0
    assert words in done.err
    assert done.err.count("\n") == 1, done.err


def test_a_decoder_that_predicted_nothing_is_refused_with_the_way_to_have_it(smoke):
    (run,) = find(smoke)
    fewer = replace(run, record=run.record | {"decoders": ["argmax"]})
    assert worst.read_by(fewer, None) == "argmax"
    with pytest.raises(IncompatibleError, match=r"heatmap-evaluate run=.* decoder=\[dark\]"):
        worst.read_by(fewer, "dark")


def test_a_cell_shows_pixels_where_they_are_and_many_joints_small():
    image = np.zeros((40, 60, 3), np.uint8)
    points = np.array([[10.0, 12.0], [np.nan, np.nan]])
    box = np.array([8.0, 8.0, 20.0, 20.0])

    def drawn(count):
        many = Cell(
            "", image, np.tile(points[:1], (count, 1)), np.tile(points[:1], (count, 1)), box
        )
        return missed_sheet.sheet([many], "").get_axes()[0]

    few, many = drawn(17), drawn(68)
    assert few.images[0].get_extent() == [-0.5, 59.5, 39.5, -0.5]
    assert few.lines[0].get_xydata()[0].tolist() == [10, 12]
    assert many.lines[0].get_markersize() == pytest.approx(few.lines[0].get_markersize() / 2)
    low, high = few.get_xlim()
    assert low < 8
    assert high > 28


def test_a_point_far_away_does_not_make_its_person_small():
    far = Cell(
        "",
        np.zeros((9, 9, 3), np.uint8),
        np.zeros((1, 2)),
        np.full((1, 2), 900.0),
        np.array([0.0, 0.0, 40.0, 40.0]),
    )
    assert far.window[2] < 60


def test_names_of_joints_are_looked_up():
    assert sample.wanted(None, ("a", "b")) == [0, 1]
    assert sample.wanted("b", ("a", "b")) == sample.wanted(["b"], ("a", "b")) == [1]
    with pytest.raises(IncompatibleError, match="joints=c: this run has a, b"):
        sample.wanted(["c"], ("a", "b"))
