"""Videos in, videos out, and what is drawn."""

import csv
import math
from pathlib import Path

import cv2
import hydra
import numpy as np
import pytest
import running

from heatmap_research.drawing import overlay
from heatmap_research.inference import video
from heatmap_research.jobs.predict import predict
from heatmap_research.types import IncompatibleError

SIZE = (45, 64)  # of a frame; the odd height loses a row where H.264 is written


def frames(count: int) -> list[np.ndarray]:
    """Each frame is of one grey, a little lighter than the one before."""
    return [np.full((*SIZE, 3), 20 + 8 * number, np.uint8) for number in range(count)]


@pytest.fixture
def film(tmp_path) -> Path:
    file = tmp_path / "film.avi"
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(file), codec, 10, SIZE[::-1])
    for frame in frames(6):
        writer.write(frame)
    writer.release()
    return file


def test_the_frames_of_a_video_are_pictures_in_order(film):
    given = video.Video(str(film), 3, None)
    assert (len(given), given.rate, given.name) == (6, 10, "film.mp4")
    pictures = list(given)
    assert [picture.name for picture in pictures] == [f"film.avi:{n}" for n in range(6)]
    means = [picture.read(1)[0][..., :3].mean() for picture in pictures]
    assert means == pytest.approx([20 + 8 * number for number in range(6)], abs=2)
    assert len(list(video.Video(str(film), 1, 2))) == len(video.Video(str(film), 1, 2)) == 2


def test_what_is_no_video_and_a_camera_without_an_end_are_refused(tmp_path):
    (tmp_path / "words.mp4").write_text("words")
    for source, words in (
        (tmp_path / "words.mp4", "cannot be opened"),
        (tmp_path / "nowhere.mp4", "no such file"),
        ("0", "frames=N"),
    ):
        with pytest.raises(IncompatibleError, match=words):
            video.Video(str(source), 3, None)


def test_a_run_predicts_each_frame_of_a_video(smoke, film, tmp_path):
    line = (f"run={smoke}", f"source={film}", f"out={tmp_path}/new", "frames=4")
    with running.composing():
        predict(hydra.compose("predict", list(line)))
    rows = list(csv.DictReader((tmp_path / "new" / "keypoints.csv").read_text().splitlines()))
    assert list(dict.fromkeys(row["file"] for row in rows)) == [f"film.avi:{n}" for n in range(4)]


def test_a_written_video_is_h264_in_the_colours_that_browsers_play(tmp_path):
    av = pytest.importorskip("av")
    with video.writer(tmp_path / "new.mp4", 29.97) as write:
        for frame in frames(9):
            write(frame)
    with av.open(tmp_path / "new.mp4") as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert float(stream.average_rate) == pytest.approx(29.97)
        means = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(stream)]
    assert means == pytest.approx([20 + 8 * number for number in range(9)], abs=3)


def test_an_ellipse_holds_95_of_100_draws_of_its_covariance():
    angle = math.radians(30)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    spread = turn @ np.diag([25.0, 4.0]) @ turn.T
    long, short, degrees = overlay.ellipse(spread)
    assert degrees % 180 == pytest.approx(30)
    draws = np.random.default_rng(0).multivariate_normal(np.zeros(2), spread, 20_000) @ turn
    inside = (draws / (long, short)) ** 2
    assert (inside.sum(1) <= 1).mean() == pytest.approx(0.95, abs=0.005)


def test_a_person_is_drawn_where_the_joints_are():
    """Two joints and a bone; the third joint scores too low to be drawn."""
    image = np.zeros((40, 60, 3), np.uint8)
    points = np.array([[10.0, 20.0], [40.0, 20.0], [50.0, 5.0]])
    colours = overlay.colours(("nose", "left_hip", "right_hip"), (0, 2, 1))
    assert colours == [overlay.MIDDLE, overlay.LEFT, overlay.RIGHT]
    skeleton = ((0, 1), (1, 2))
    overlay.draw(image, points, np.array([1.0, 0.5, 0.01]), None, skeleton, colours)
    np.testing.assert_allclose(image[20, 10], overlay.MIDDLE, atol=40)  # edges are softened
    np.testing.assert_allclose(image[20, 25], overlay.LEFT, atol=40)
    assert not image[:15].any()
    overlay.draw(image, points, np.ones(3), np.tile(9 * np.eye(2), (3, 1, 1)), (), colours)
    radius = round(3 * math.sqrt(5.991))
    assert image[20 - radius, 10].any()
    assert not image[20 - radius - 3, 10].any()
