import pytest
import torch
from options import labels_of
from pairwise import each

from heatmap_research.codec.codec import Codec, Widths
from heatmap_research.codec.decoders.argmax import Argmax
from heatmap_research.codec.grid import Grid
from heatmap_research.codec.learnt_joints import Labels
from heatmap_research.codec.losses.cross_entropy import CrossEntropy
from heatmap_research.codec.losses.mse import Mse
from heatmap_research.codec.targets.gaussian import Gaussian
from heatmap_research.types import IncompatibleError

VISIBLE = torch.tensor([[2, 1, 0]])  # seen, covered, not labelled
PLACES = torch.tensor([[[10.0, 12.0], [20.0, 12.0], [0.0, 0.0]]])


def codec_of(labels, loss, ndim=2, **more):
    grid = Grid((32, 24), 2, ndim)
    return Codec(grid, Gaussian(2.0), loss, {"argmax": Argmax()}, labels, "product", **more)


@pytest.mark.parametrize(
    ("covered", "unlabelled", "learnt", "blank"),
    [
        ("regress", "ignore", [1, 1, 0], [0, 0, 0]),
        ("ignore", "ignore", [1, 0, 0], [0, 0, 0]),
        ("zero", "ignore", [1, 1, 0], [0, 1, 0]),
        ("regress", "zero", [1, 1, 1], [0, 0, 1]),
        ("zero", "zero", [1, 1, 1], [0, 1, 1]),
        ("ignore", "zero", [1, 0, 1], [0, 0, 1]),
    ],
)
@each(ndim=(1, 2))
def test_joints_are_learnt_where_they_are_or_as_nowhere(covered, unlabelled, learnt, blank, ndim):
    codec = codec_of(labels_of(covered, unlabelled), Mse(), ndim)
    for label in codec.encode(PLACES, VISIBLE):
        assert label.visible.tolist() == [learnt]
        height = label.heatmap.flatten(2).amax(-1)[0]
        assert [int(h == 0) for h, counts in zip(height, learnt, strict=True) if counts] == [
            b for b, counts in zip(blank, learnt, strict=True) if counts
        ]


@each(ndim=(1, 2))
def test_a_uniform_label_gives_every_bin_the_same_share(ndim):
    codec = codec_of(labels_of("uniform", "uniform"), CrossEntropy(), ndim)
    for label in codec.encode(PLACES, VISIBLE):
        bins = label.heatmap[0, 1].numel()
        torch.testing.assert_close(
            label.heatmap[0, 1:], torch.ones(2, *label.heatmap.shape[2:]) / bins
        )
        middle = [(size - 1) / 2 for size in label.heatmap.shape[2:]]
        assert label.position[0, 1].tolist() == middle  # its mean


@each(ndim=(1, 2))
def test_an_empty_answer_to_a_zero_label_costs_nothing_and_a_full_one_as_much_as_a_miss(ndim):
    codec = codec_of(labels_of("zero"), Mse(), ndim)
    only_covered = torch.tensor([[0, 1, 0]])
    empty = tuple(torch.zeros(1, 3, *shape) for shape in codec.shapes)
    assert codec.training_loss(empty, PLACES, only_covered).loss == 0
    bump = tuple(label.heatmap for label in codec.encode(PLACES, torch.full((1, 3), 2)))
    cost = codec.training_loss(bump, PLACES, only_covered).loss
    assert cost.item() == pytest.approx(len(bump), rel=0.02)  # one a map, as an empty map would


def test_a_label_cut_by_the_border_weighs_what_a_whole_one_does():
    """Squared errors are counted in units of a whole label's energy."""
    codec = codec_of(labels_of(outside="tail"), Mse())
    points = torch.tensor([[[10.3, 12.2], [-3.0, 12.2], [10.0, 12.0]]])
    (label,) = codec.encode(points, torch.tensor([[2, 2, 0]]))
    assert label.visible.tolist() == [[1, 1, 0]]
    error = torch.zeros_like(label.heatmap)
    error[..., 4, 4] = 0.1
    whole, cut, _ = codec.loss(label.heatmap + error, label)[0]
    torch.testing.assert_close(whole, cut)


@pytest.mark.parametrize(
    ("outside", "x", "learnt"),
    [
        ("ignore", -0.5, [1, 1]),
        ("ignore", -0.6, [0, 0]),
        ("tail", -0.6, [1, 1]),
        ("tail", -6.4, [1, 1]),  # three sigmas of two pixels beyond the edge at -0.5
        ("tail", -6.6, [0, 0]),
        ("per_axis", -0.6, [1, 0]),  # down, across
    ],
)
def test_a_joint_outside_is_ignored_or_its_tail_or_its_other_axis_is_learnt(outside, x, learnt):
    codec = codec_of(labels_of(outside=outside), Mse(), ndim=1)
    points = PLACES.clone()
    points[0, 0, 0] = x
    found = [label.visible[0, 0].item() for label in codec.encode(points, VISIBLE)]
    assert found == learnt


def test_an_axis_learnt_alone_counts_as_half_a_joint():
    """So that the mean is the one over what is learnt."""
    codec = codec_of(labels_of(outside="per_axis"), Mse(), ndim=1)
    scores = tuple(torch.zeros(1, 3, *shape) for shape in codec.shapes)
    outside = PLACES.clone()
    outside[0, 0, 0] = -5.0
    for points in (PLACES, outside):
        cost = codec.training_loss(scores, points, torch.tensor([[2, 0, 0]]))
        assert cost.loss.item() == pytest.approx(2, rel=0.02)


@pytest.mark.parametrize(
    ("labels", "loss", "ndim", "words"),
    [
        (("uniform",), Mse(), 2, "choose zero instead of uniform"),
        (("regress", "zero"), CrossEntropy(), 1, "choose uniform instead of zero"),
        (("regress", "ignore", "per_axis"), Mse(), 2, "labels.outside=ignore or tail"),
    ],
)
def test_label_policies_without_a_meaning_are_refused(labels, loss, ndim, words):
    with pytest.raises(IncompatibleError, match=words):
        codec_of(labels_of(*labels), loss, ndim)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (("x", "ignore", "ignore", 3.0), "labels.covered=x: choose regress or ignore"),
        (("regress", "regress", "ignore", 3.0), "labels.unlabelled=regress: choose ignore"),
        (("regress", "ignore", "clip", 3.0), "labels.outside=clip: choose ignore or tail"),
        (("regress", "ignore", "tail", -1.0), "labels.reach=-1: give a number of sigmas"),
        (("uniform", "zero", "ignore", 3.0), "both uniform and zero"),
    ],
)
def test_label_policies_say_what_they_may_be(values, words):
    covered, unlabelled, outside, reach = values
    with pytest.raises(ValueError, match=words):
        Labels(covered, unlabelled, outside, reach, sigma=2.0)


def test_joints_may_have_widths_of_their_own():
    """Twice as wide a label for the second joint, drawn against the formula."""
    codec = codec_of(labels_of(), Mse(), widths=Widths((1.0, 1.0), (1.0, 2.0, 0.5)))
    (label,) = codec.encode(PLACES.flip(1), torch.full((1, 3), 2))
    alone = codec_of(labels_of(), Mse(), widths=Widths((1.0, 1.0), (1.0,)))
    for joint, sigma in enumerate((2.0, 4.0, 1.0)):
        y = torch.arange(16) * 2 + 0.5 - PLACES.flip(1)[0, joint, 1]
        x = torch.arange(12) * 2 + 0.5 - PLACES.flip(1)[0, joint, 0]
        expected = (-(y[:, None].square() + x.square()) / (2 * sigma**2)).exp()
        torch.testing.assert_close(label.heatmap[0, joint], expected, atol=1e-6, rtol=1e-5)
    assert alone.widths.by_joint == (1.0,)


@each(ndim=(1, 2))
def test_labels_may_be_wider_along_one_axis(ndim):
    codec = codec_of(labels_of(), Mse(), ndim, widths=Widths((1.5, 0.5), None))
    labels = codec.encode(PLACES, torch.full((1, 3), 2))
    down, across = (
        (labels[0].heatmap[0, 0, :, 5], labels[0].heatmap[0, 0, 6])
        if ndim == 2
        else (labels[0].heatmap[0, 0], labels[1].heatmap[0, 0])
    )
    for line, place, sigma in ((down, 12.0, 3.0), (across, 10.0, 1.0)):
        away = torch.arange(len(line)) * 2 + 0.5 - place
        expected = (-away.square() / (2 * sigma**2)).exp()
        torch.testing.assert_close(line / line.amax(), expected / expected.amax())


def test_beta_sharpens_what_a_softmax_reads():
    plain, sharp = (codec_of(labels_of(), CrossEntropy(), beta=beta) for beta in (1.0, 10.0))
    scores = (torch.randn(1, 3, 16, 12),)
    torch.testing.assert_close(sharp.activate(scores), plain.activate((scores[0] * 10,)))
    seen = torch.full((1, 3), 2)
    torch.testing.assert_close(
        sharp.training_loss(scores, PLACES, seen).loss,
        plain.training_loss((scores[0] * 10,), PLACES, seen).loss,
    )


def test_beta_is_refused_where_no_softmax_reads_it():
    with pytest.raises(IncompatibleError, match="beta=10 sharpens"):
        codec_of(labels_of(), Mse(), beta=10.0)
