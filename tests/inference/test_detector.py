"""People are looked for by a graph in an ONNX file, in a picture of another shape than its own."""

import numpy as np
import pytest
import torch
from torch import nn

from heatmap_research.inference import detector, pictures
from heatmap_research.types import IncompatibleError

onnxruntime = pytest.importorskip("onnxruntime")
LEFT, TOP, WIDTH, HEIGHT = 30, 10, 24, 40  # of the white figure in a dark picture of 120 by 60
SIDE = 96


class Bright(nn.Module):
    """Sees one person where the picture is bright, a worse copy a pixel beside, and a cat."""

    def __init__(self, columns: bool) -> None:
        super().__init__()
        self.columns = columns

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        bright = (picture.float().mean(1)[0] > 0.7).float()
        sides = [bright.amax(0), bright.amax(1)]
        first = torch.stack([side.argmax() for side in sides]).float()
        last = torch.stack([SIDE - side.flip(0).argmax() for side in sides]).float()
        corners = torch.stack([torch.cat([first, last]), torch.cat([first + 1, last + 1])])
        cat = torch.tensor([[0.0, 0.0, SIDE, SIDE]])
        boxes = torch.cat([corners, cat])
        scores = torch.tensor([[0.9, 0.1], [0.8, 0.1], [0.2, 0.7]])  # person, cat
        if not self.columns:
            best, kind = scores.max(1, keepdim=True)
            return torch.cat([boxes, best, kind.float()], 1)
        centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
        return torch.cat([centre, size, scores], 1).T[None]


@pytest.fixture(scope="module", params=["rows", "columns"])
def graph(request, tmp_path_factory):
    file = tmp_path_factory.mktemp("detector") / f"{request.param}.onnx"
    example = torch.rand(1, 3, SIDE, SIDE)
    module = Bright(request.param == "columns").eval()
    torch.onnx.export(module, (example,), file, dynamo=True, verbose=False)
    return file, request.param


def picture():
    pixels = np.full((60, 120, 3), 20, dtype=np.uint8)
    pixels[TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH] = 255
    return pictures.of_pixels(pixels, "picture")


def test_the_person_is_found_where_it_is_in_the_picture(graph):
    file, answers = graph
    seen = detector.opened(file, answers, person=0, least=0.3, overlap=0.6)(picture())
    np.testing.assert_allclose(seen.boxes, [[LEFT, TOP, WIDTH, HEIGHT]], atol=1.3)
    assert seen.box_scores == pytest.approx([0.9])


def test_class_score_and_overlap_say_which_boxes_count(graph):
    file, answers = graph

    def scores(**given):
        known = {"person": 0, "least": 0.3, "overlap": 0.6} | given
        return detector.opened(file, answers, **known)(picture()).box_scores.round(2).tolist()

    assert scores(overlap=1.0) == [0.9, 0.8]
    assert scores(person=1) == [0.7]
    assert scores(least=0.95) == []


def test_answers_of_the_other_kind_are_refused_with_the_right_one(graph):
    file, answers = graph
    other = "columns" if answers == "rows" else "rows"
    with pytest.raises(IncompatibleError, match=f"choose {answers}"):
        detector.opened(file, other, 0, 0.3, 0.6)(picture())


def test_what_is_no_graph_is_refused_in_a_line(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"no graph")
    with pytest.raises(IncompatibleError, match="cannot open it as a graph"):
        detector.opened(tmp_path / "x.onnx", "rows", 0, 0.3, 0.6)
    with pytest.raises(IncompatibleError, match="no such file"):
        detector.opened(tmp_path / "y.onnx", "rows", 0, 0.3, 0.6)
    with pytest.raises(IncompatibleError, match="choose rows or columns"):
        detector.opened(tmp_path / "x.onnx", "lines", 0, 0.3, 0.6)
