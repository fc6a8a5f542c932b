import pytest
import torch
from options import labels_of

from heatmap_research.codec.coordinate_codec import CoordinateCodec
from heatmap_research.codec.decoders.argmax import Argmax
from heatmap_research.codec.decoders.coordinates import Coordinates
from heatmap_research.codec.grid import Grid
from heatmap_research.codec.losses.l1 import L1
from heatmap_research.codec.losses.rle import Rle
from heatmap_research.types import IncompatibleError

POINTS = torch.tensor([[[0.0, 0.0], [23.5, 31.5], [47.0, 63.0]]])  # of a 64 x 48 crop
SEEN = torch.full((1, 3), 2)


def codec_of(loss=None, labels=None, **decoders):
    decoders = decoders or {"coordinates": Coordinates()}
    return CoordinateCodec(Grid((64, 48), 1, 0), loss or L1(), decoders, labels or labels_of())


def test_scores_are_shares_of_the_sides_about_the_middle():
    scores = torch.tensor([[[0.0, 0.0], [0.25, -0.5], [-23.5 / 48, 31.5 / 64]]])
    (points,) = codec_of().activate((scores,))
    expected = torch.tensor([[[23.5, 31.5], [35.5, -0.5], [0.0, 63.0]]])
    torch.testing.assert_close(points, expected)


def test_a_prediction_is_what_was_activated():
    prediction = codec_of().decode((POINTS,))["coordinates"]
    assert torch.equal(prediction.keypoints, POINTS)
    assert prediction.score.tolist() == [[1, 1, 1]]


def test_a_wide_answer_scores_less():
    codec = codec_of(Rle("laplace", residual=True, published=False, least=0.01))
    scores = torch.tensor([[[0.0, 0.0, -20.0, -20.0], [0.0, 0.0, 0.0, 0.0]]])
    score = codec.decode(codec.activate((scores,)))["coordinates"].score
    torch.testing.assert_close(score, torch.tensor([[1.0, 0.5]]))
    assert codec.shapes == ((4,),)


def test_a_flip_test_of_a_right_answer_changes_nothing():
    codec = codec_of()
    mirrored = torch.stack([47 - POINTS[..., 0], POINTS[..., 1]], dim=-1)[:, [0, 2, 1]]
    (back,) = codec.mirror((mirrored,), flip=(0, 2, 1))
    torch.testing.assert_close(back, POINTS)


def test_the_cost_is_the_mean_over_learnt_joints():
    """Off by 4.8 pixels in x and 6.4 in y at the first joint; the others lie elsewhere."""
    scores = torch.zeros(1, 3, 2).requires_grad_()
    points = POINTS + torch.tensor([23.5 - 4.8, 31.5 - 6.4])
    cost = codec_of().training_loss((scores,), points, torch.tensor([[2, 0, 2]]))
    assert cost.loss.item() == pytest.approx(4.8 + 6.4, rel=1e-5)  # the third is outside the crop
    (gradient,) = torch.autograd.grad(cost.loss, scores)
    assert (gradient[0, 1:] == 0).all()


def test_a_joint_nowhere_spoils_nothing():
    points = POINTS.clone()
    points[0, 1] = float("nan")
    scores = torch.zeros(1, 3, 2).requires_grad_()
    cost = codec_of().training_loss((scores,), points, torch.tensor([[2, 0, 2]]))
    (gradient,) = torch.autograd.grad(cost.loss, scores)
    assert cost.loss.isfinite()
    assert gradient.isfinite().all()


def test_a_decoder_of_maps_is_refused():
    with pytest.raises(IncompatibleError, match="reads any maps, but this loss trains coordinates"):
        codec_of(argmax=Argmax())


@pytest.mark.parametrize("policy", [("zero",), ("regress", "uniform")])
def test_empty_maps_are_refused(policy):
    with pytest.raises(IncompatibleError, match="need maps, and this loss compares coordinates"):
        codec_of(labels=labels_of(*policy))
