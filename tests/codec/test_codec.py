import math
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from options import (
    DECODERS,
    LOSSES,
    MATCHING,
    NDIMS,
    OUTER,
    STRIDES,
    TARGETS,
    labels_of,
    perfect_scores,
    uniform_keypoints,
)
from pairwise import covering, each, shared

from heatmap_research.codec import gaussians, heatmaps
from heatmap_research.codec.codec import Codec, readable
from heatmap_research.codec.decoders.argmax import Argmax
from heatmap_research.codec.decoders.dark import Dark
from heatmap_research.codec.decoders.soft_argmax import SoftArgmax
from heatmap_research.codec.grid import Grid
from heatmap_research.codec.losses.cross_entropy import CrossEntropy
from heatmap_research.codec.losses.mse import Mse
from heatmap_research.codec.targets.gaussian import Gaussian
from heatmap_research.codec.targets.merged import Merged
from heatmap_research.types import IncompatibleError, Schema

every_outer_target = pytest.mark.parametrize("target", OUTER.values(), ids=OUTER)
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
both_layouts = each(ndim=NDIMS)

ANY_SCORES = shared(  # what holds whatever a head answers
    "sum",
    "repeated",
    "unlabelled",
    "outside",
    "huge",
    "half_precision",
    "score",
    "perfect",
    allowed=lambda test, loss, **_: test != "perfect" or loss in MATCHING,
    ndim=NDIMS,
    loss=LOSSES,
    target=TARGETS,
    hard=[
        ("ndim2", "mse", "softened"),  # the target whose map is no product of its vectors
        ("ndim1", "emd", "one_hot"),  # the loss that adds up bins before it compares them
        ("ndim2", "ohkm", "gaussian"),  # the loss that looks from one joint to another
    ],
)

SCHEMA = Schema(
    names=("nose", "left_eye", "right_eye"),
    flip=(0, 2, 1),
    skeleton=((0, 1), (0, 2)),
    sigmas=(0.026, 0.025, 0.025),
)


ARGMAX = {"argmax": Argmax()}  # all a score asks for: it is the same for every decoder


def codec_of(
    ndim=2,
    stride=2,
    target=TARGETS["gaussian"],
    loss=LOSSES["mse"],
    decoders=None,
    covered="regress",
    score="product",
    image_size=(32, 24),
):
    decoders = decoders or {n: d for n, d in DECODERS.items() if readable(d.needs, loss.activation)}
    grid = Grid(image_size, stride, ndim)
    return Codec(grid, target, loss, decoders, labels_of(covered=covered), score)


def crowd(codec, people=4, margin=0.0, seed=0):
    """Keypoints of `people` people, each of whom has the three joints of SCHEMA."""
    flat = uniform_keypoints(people * SCHEMA.joints, codec.grid.image_size, margin, seed)
    return flat.view(people, SCHEMA.joints, 2)


def seen(keypoints):
    return torch.full(keypoints.shape[:2], 2)


def random_scores(codec, people=4, joints=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(people, joints, *s, generator=generator) for s in codec.grid.shapes)


def perfect(codec, keypoints):
    labels = codec.encode(keypoints, seen(keypoints))
    return tuple(perfect_scores(codec.loss, label.heatmap) for label in labels)


def reflect(keypoints, width, flip):
    mirrored = keypoints[:, list(flip)]
    return torch.stack([width - 1 - mirrored[..., 0], mirrored[..., 1]], -1)


# --- keypoints to labels and back -----------------------------------------------------------------


@given(
    size=st.tuples(st.integers(3, 24), st.integers(3, 24)).map(lambda n: (4 * n[0], 4 * n[1])),
    stride=st.sampled_from(STRIDES),
    ndim=st.sampled_from(NDIMS),
    sigma=st.floats(0.25, 8.0),  # bins
    loss=st.sampled_from([Mse(), CrossEntropy()]),
    share=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_decoding_a_label_returns_its_keypoint(size, stride, ndim, sigma, loss, share):
    target, decoders = Gaussian(sigma * stride), {"dark": Dark(1e-30)}
    codec = codec_of(ndim, stride, target, loss, decoders, image_size=size)
    room = [side - 2.01 * stride for side in (size[1], size[0])]
    inset = 1.005 * stride - 0.5  # one bin from the border
    keypoints = torch.tensor([[[share[0] * room[0] + inset, share[1] * room[1] + inset]]])
    decoded = codec.decode(codec.activate(perfect(codec, keypoints)))["dark"].keypoints
    torch.testing.assert_close(decoded, keypoints, atol=1e-3, rtol=0)


@every_loss
@both_layouts
def test_every_decoder_reads_what_its_loss_trains(ndim, loss):
    for stride in STRIDES:
        codec = codec_of(ndim, stride, Gaussian(2 * stride), loss, image_size=(64, 96))
        keypoints = crowd(codec, margin=min(24, 10.5 * stride))
        for prediction in codec.decode(codec.activate(perfect(codec, keypoints))).values():
            assert (prediction.keypoints - keypoints).abs().max() <= stride / 2 + 1e-3
            assert prediction.score.shape == (4, 3)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@both_layouts
def test_labels_of_a_mirrored_person_are_mirrored_labels(ndim, target):
    for stride in STRIDES:
        codec = codec_of(ndim, stride, target)
        keypoints = crowd(codec, people=100)
        other = reflect(keypoints, 24, SCHEMA.flip)
        here, there = (codec.encode(k, seen(k)) for k in (keypoints, other))
        mirrored = codec.mirror(tuple(label.heatmap for label in there), SCHEMA.flip)
        for label, heatmap in zip(here, mirrored, strict=True):
            torch.testing.assert_close(heatmap, label.heatmap, atol=1e-5, rtol=0)


@both_layouts
def test_mirroring_twice_changes_nothing(ndim):
    codec = codec_of(ndim)
    maps = random_scores(codec)
    twice = codec.mirror(codec.mirror(maps, SCHEMA.flip), SCHEMA.flip)
    assert all(torch.equal(a, b) for a, b in zip(maps, twice, strict=True))


@both_layouts
def test_a_label_carries_the_position_it_was_drawn_from(ndim):
    codec = codec_of(ndim)
    keypoints = crowd(codec)
    labels = codec.encode(keypoints, seen(keypoints))
    joined = codec.grid.join([label.position for label in labels])
    torch.testing.assert_close(joined, keypoints)


@pytest.mark.parametrize(
    ("covered", "expected"), [("regress", [0, 1, 1, 0]), ("ignore", [0, 0, 1, 0])]
)
@both_layouts
def test_only_labelled_joints_inside_the_crop_are_learnt(ndim, covered, expected):
    codec = codec_of(ndim, covered=covered)
    keypoints = torch.tensor([[[5.0, 5.0], [5.0, 5.0], [5.0, 5.0], [30.0, 5.0]]])
    visible = torch.tensor([[0, 1, 2, 2]])
    for label in codec.encode(keypoints, visible):
        assert label.visible.tolist() == [expected]


# --- scores to loss -------------------------------------------------------------------------------


@ANY_SCORES["sum"]
def test_training_loss_sums_over_maps_and_averages_over_learnt_joints(ndim, loss, target):
    codec = codec_of(ndim, target=target, loss=loss)
    keypoints, scores = crowd(codec), random_scores(codec)
    visible = torch.tensor([[2, 1, 0]] * 4)
    total = least = 0.0
    for score, label in zip(scores, codec.encode(keypoints, visible), strict=True):
        total += loss(score, label)[:, :2].double().numpy().sum()
        least += loss.least(label)[:, :2].double().numpy().sum()
    cost = codec.training_loss(scores, keypoints, visible)
    assert cost.loss.item() == pytest.approx(total / 8, rel=1e-5)
    assert cost.excess.item() == pytest.approx((total - least) / 8, rel=1e-5)


@ANY_SCORES["perfect"]
def test_perfect_scores_have_no_excess(ndim, loss, target):
    codec = codec_of(ndim, target=target, loss=loss)
    keypoints = crowd(codec)
    cost = codec.training_loss(perfect(codec, keypoints), keypoints, seen(keypoints))
    assert cost.excess.item() == pytest.approx(0, abs=1e-5)
    random = codec.training_loss(random_scores(codec), keypoints, seen(keypoints))
    assert random.excess.item() > 0.1


@ANY_SCORES["repeated"]
def test_a_repeated_batch_costs_the_same(ndim, loss, target):
    codec = codec_of(ndim, target=target, loss=loss)
    keypoints, scores = crowd(codec), random_scores(codec)
    once = codec.training_loss(scores, keypoints, seen(keypoints))
    doubled = tuple(torch.cat([score, score]) for score in scores)
    twice = torch.cat([keypoints, keypoints])
    again = codec.training_loss(doubled, twice, seen(twice))
    torch.testing.assert_close(again.loss, once.loss)
    torch.testing.assert_close(again.excess, once.excess)


@ANY_SCORES["unlabelled"]
def test_joints_without_a_label_cost_nothing_and_learn_nothing(ndim, loss, target):
    codec = codec_of(ndim, target=target, loss=loss)
    keypoints, scores = crowd(codec), random_scores(codec)
    once = codec.training_loss(scores, keypoints, seen(keypoints))
    padded = tuple(torch.cat([s, torch.full_like(s, 3)], 1).requires_grad_() for s in scores)
    elsewhere = torch.cat([keypoints, crowd(codec, seed=1)], 1)
    visible = torch.cat([seen(keypoints), torch.zeros(4, 3, dtype=torch.long)], 1)
    again = codec.training_loss(padded, elsewhere, visible)
    torch.testing.assert_close(again.loss, once.loss)
    torch.testing.assert_close(again.excess, once.excess)
    for gradient in torch.autograd.grad(again.loss, padded):
        assert gradient[:, :3].abs().max() > 0
        assert gradient[:, 3:].abs().max() == 0


@ANY_SCORES["outside"]
def test_joints_outside_the_crop_cost_nothing_and_learn_nothing(ndim, loss, target):
    codec = codec_of(ndim, target=target, loss=loss, stride=1)
    keypoints, scores = crowd(codec), random_scores(codec)
    once = codec.training_loss(
        tuple(s[:, :2] for s in scores), keypoints[:, :2], seen(keypoints[:, :2])
    )
    places = [[-3.0, 10.0], [10.0, 40.0], [-60.0, -80.0], [1e6, 1e6]]  # a person each
    keypoints[:, 2] = torch.tensor(places)
    scores = tuple(score.requires_grad_() for score in scores)
    cost = codec.training_loss(scores, keypoints, seen(keypoints))
    torch.testing.assert_close(cost.loss, once.loss)
    torch.testing.assert_close(cost.excess, once.excess)
    for gradient in torch.autograd.grad(cost.loss, scores):
        assert gradient[:, :2].abs().max() > 0
        assert gradient[:, 2].abs().max() == 0


@both_layouts
def test_a_merged_label_shows_the_second_figure_where_it_is_known_and_learnt(ndim):
    target = TARGETS["gaussian"]
    merged, single = (codec_of(ndim, target=t) for t in (Merged(target, "maximum"), target))
    keypoints, others = crowd(single, margin=3), crowd(single, margin=3, seed=1)
    others[0, 0], others[1, 1] = torch.nan, -40.0  # none there; one outside the crop
    visible = seen(keypoints).index_put((torch.tensor(2), torch.tensor(2)), torch.tensor(0))
    labels = merged.encode(keypoints, seen(keypoints), (others, visible))
    alone, second = (single.encode(points, seen(points)) for points in (keypoints, others))
    for label, first, other in zip(labels, alone, second, strict=True):
        both = torch.maximum(first.heatmap, other.heatmap)
        for person, joint in ((0, 0), (1, 1), (2, 2)):
            both[person, joint] = first.heatmap[person, joint]
        torch.testing.assert_close(label.heatmap, both)
        assert torch.equal(label.position, first.position)
        assert torch.equal(label.visible, first.visible)
    for plain in (single.encode(keypoints, seen(keypoints), (others, visible)), alone):
        assert torch.equal(plain[0].heatmap, alone[0].heatmap)


@every_loss
def test_a_batch_without_labels_costs_nothing(loss):
    for ndim in NDIMS:
        codec = codec_of(ndim, loss=loss)
        scores = tuple(score.requires_grad_() for score in random_scores(codec))
        cost = codec.training_loss(scores, crowd(codec), torch.zeros(4, 3, dtype=torch.long))
        assert cost.loss.item() == 0
        assert cost.excess.item() == 0
        assert all(g.abs().max() == 0 for g in torch.autograd.grad(cost.loss, scores))


@every_outer_target
def test_both_layouts_cost_the_same_for_an_outer_sum_under_cross_entropy(target):
    for stride in STRIDES:
        plane, lines = (codec_of(ndim, stride, target, CrossEntropy()) for ndim in (2, 1))
        keypoints, (down, right) = crowd(plane), random_scores(lines)
        joint = (down[..., :, None] + right[..., None, :],)
        both = plane.training_loss(joint, keypoints, seen(keypoints))
        apart = lines.training_loss((down, right), keypoints, seen(keypoints))
        torch.testing.assert_close(both.loss, apart.loss, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(both.excess, apart.excess, rtol=1e-5, atol=1e-5)


@ANY_SCORES["huge"]
def test_huge_scores_have_a_finite_cost_and_gradient(ndim, loss, target):
    codec = codec_of(ndim, target=target, loss=loss)
    keypoints = crowd(codec)
    for size in (1e4, -1e4):
        scores = tuple((size * s.sign()).requires_grad_() for s in random_scores(codec))
        cost = codec.training_loss(scores, keypoints, seen(keypoints))
        assert cost.loss.isfinite()
        assert cost.excess.isfinite()
        assert all(g.isfinite().all() for g in torch.autograd.grad(cost.loss, scores))


@ANY_SCORES["half_precision"]
def test_half_precision_scores_cost_what_the_same_numbers_cost_in_single(ndim, loss, target):
    codec = codec_of(ndim, target=target, loss=loss)
    keypoints = crowd(codec)
    half = tuple((30 * s).bfloat16().requires_grad_() for s in random_scores(codec))
    single = tuple(score.detach().float().requires_grad_() for score in half)
    expected = codec.training_loss(single, keypoints, seen(keypoints))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cost = codec.training_loss(half, keypoints, seen(keypoints))
    assert torch.equal(cost.loss, expected.loss)
    assert torch.equal(cost.excess, expected.excess)
    gradients = zip(
        torch.autograd.grad(cost.loss, half),
        torch.autograd.grad(expected.loss, single),
        strict=True,
    )
    for rough, fine in gradients:
        assert torch.equal(rough, fine.bfloat16())


class Overlap:
    """A loss that autocast would round."""

    activation = "identity"

    def __call__(self, scores, label):
        return (scores.flatten(2)[:, :, None] @ label.heatmap.flatten(2)[..., None])[..., 0, 0]

    def least(self, label):
        return torch.zeros_like(label.visible)


@both_layouts
def test_the_products_of_a_loss_are_not_rounded_under_autocast(ndim):
    codec = codec_of(ndim, loss=Overlap())
    keypoints, scores = crowd(codec), random_scores(codec)
    expected = codec.training_loss(scores, keypoints, seen(keypoints))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cost = codec.training_loss(scores, keypoints, seen(keypoints))
    assert torch.equal(cost.loss, expected.loss)


@every_loss
def test_decoding_under_autocast_keeps_every_digit(loss):
    for ndim in NDIMS:
        codec = codec_of(ndim, loss=loss)
        scores = random_scores(codec)
        expected = codec.decode(codec.activate(scores))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            predictions = codec.decode(codec.activate(scores))
        for name, prediction in predictions.items():
            assert prediction.keypoints.dtype == torch.float32
            assert torch.equal(prediction.keypoints, expected[name].keypoints)
            assert torch.equal(prediction.score, expected[name].score)


@both_layouts
def test_half_precision_scores_are_decoded_in_single(ndim):
    codec = codec_of(ndim, loss=CrossEntropy())
    scores = tuple(score.bfloat16() for score in random_scores(codec))
    half, single = (
        codec.decode(codec.activate(s)) for s in (scores, tuple(s.float() for s in scores))
    )
    for name, prediction in half.items():
        assert torch.equal(prediction.keypoints, single[name].keypoints)


# --- score ----------------------------------------------------------------------------------------


@covering(ndim=NDIMS, loss=LOSSES, rule=["product", "mean", "min"])
def test_an_ideal_label_scores_one_whatever_its_phase(ndim, loss, rule):
    for sigma in (0.8, 1.0, 2.0, 3.0):  # bins
        codec = codec_of(
            ndim, 2, Gaussian(2 * sigma), loss, ARGMAX, score=rule, image_size=(80, 96)
        )
        keypoints = crowd(codec, people=100, margin=10 * sigma)
        score = codec.decode(codec.activate(perfect(codec, keypoints)))["argmax"].score
        torch.testing.assert_close(score, torch.ones_like(score), atol=1e-3, rtol=0)


@every_loss
@both_layouts
def test_an_ideal_label_narrower_than_a_bin_scores_one_whatever_its_phase(ndim, loss):
    for sigma in (0.2, 0.25, 0.3, 0.5):  # bins
        codec = codec_of(ndim, 2, Gaussian(2 * sigma), loss, ARGMAX, image_size=(80, 96))
        keypoints = crowd(codec, people=100, margin=10.0)
        score = codec.decode(codec.activate(perfect(codec, keypoints)))["argmax"].score
        torch.testing.assert_close(score, torch.ones_like(score), atol=1e-3, rtol=0)


@every_outer_target
def test_the_score_of_a_map_is_the_product_of_its_vectors_scores(target):
    for loss in LOSSES.values():
        plane, lines = (codec_of(n, 2, target, loss, ARGMAX) for n in (2, 1))
        keypoints = crowd(lines, people=100, margin=10.0)  # five sigmas from the border
        down, right = lines.activate(perfect(lines, keypoints))
        down, right = 0.9 * down, 0.7 * right
        both = plane.decode((down[..., :, None] * right[..., None, :],))["argmax"].score
        apart = lines.decode((down, right))["argmax"].score
        torch.testing.assert_close(both, apart, atol=1e-4, rtol=0)


@every_loss
@both_layouts
def test_a_blurred_prediction_scores_the_share_of_its_variance(ndim, loss):
    codec = codec_of(ndim, 1, Gaussian(2.0), loss, ARGMAX, image_size=(64, 80))
    keypoints = crowd(codec, people=20, margin=24.0)
    before = torch.ones(20, 3)
    for tau in (0.5, 1.0, 2.0, 3.0):
        wide = heatmaps_of(codec, keypoints, math.sqrt(4 + tau**2))
        height = 4 / (4 + tau**2) if ndim == 2 else math.sqrt(4 / (4 + tau**2))
        if loss.activation == "softmax":
            maps = tuple(heatmaps.normalise(heatmap) for heatmap in wide)
        else:
            maps = tuple(height * heatmap for heatmap in wide)
        score = codec.decode(maps)["argmax"].score
        law = torch.full_like(score, 4 / (4 + tau**2))
        torch.testing.assert_close(score, law, atol=1e-3, rtol=0)
        assert (score < before).all()
        before = score


def heatmaps_of(codec, keypoints, sigma):
    pairs = zip(codec.grid.split(keypoints), codec.grid.shapes, strict=True)
    return tuple(
        gaussians.gaussian(p, (sigma / codec.grid.stride,) * len(shape), shape)
        for p, shape in pairs
    )


@pytest.mark.parametrize(("rule", "expected"), [("product", 0.4), ("mean", 0.65), ("min", 0.5)])
def test_a_score_joins_the_heights_of_a_joints_maps_by_its_rule(rule, expected):
    codec = codec_of(1, score=rule)
    keypoints = crowd(codec, margin=6.0)
    down, right = heatmaps_of(codec, keypoints, 2.0)
    score = codec.decode((0.5 * down, 0.8 * right))["argmax"].score
    torch.testing.assert_close(score, torch.full_like(score, expected), atol=1e-4, rtol=0)


@ANY_SCORES["score"]
def test_a_score_lies_between_zero_and_one(ndim, loss, target):
    codec = codec_of(ndim, 2, target, loss, ARGMAX)
    for scale in (1e-3, 1.0, 30.0, 1e4):
        scores = tuple(scale * score for score in random_scores(codec))
        score = codec.decode(codec.activate(scores))["argmax"].score
        assert score.min() >= 0
        assert score.max() <= 1


@covering(target=TARGETS)
def test_a_map_without_a_peak_scores_nothing(target):
    for ndim, rule, value in product(
        NDIMS, ("product", "mean", "min"), (0.0, -1e-3, -1.0, -5.0, -1e4)
    ):
        codec = codec_of(ndim, target=target, loss=Mse(), score=rule)
        flat = tuple(torch.full((1, 3, *shape), value) for shape in codec.grid.shapes)
        bumpy = tuple(value - s.abs() for s in random_scores(codec, people=1))
        for maps in (flat, bumpy if value else flat):
            for prediction in codec.decode(maps).values():
                torch.testing.assert_close(prediction.score, torch.zeros(1, 3))
                assert prediction.keypoints.isfinite().all()


@every_loss
def test_constant_scores_have_a_finite_prediction(loss):
    for ndim in NDIMS:
        codec = codec_of(ndim, loss=loss)
        for value in (0.0, 1.0, -1.0, 1e4, -1e4):
            flat = tuple(torch.full((2, 3, *shape), value) for shape in codec.grid.shapes)
            for prediction in codec.decode(codec.activate(flat)).values():
                assert prediction.keypoints.isfinite().all()
                assert prediction.score.isfinite().all()


@every_loss
def test_maps_of_double_precision_are_decoded_in_it(loss):
    for ndim in NDIMS:
        codec = codec_of(ndim, loss=loss)
        single = codec.activate(perfect(codec, crowd(codec, margin=5.0)))
        double = codec.decode(tuple(heatmap.double() for heatmap in single))
        for name, prediction in codec.decode(single).items():
            assert double[name].keypoints.dtype == double[name].score.dtype == torch.float64
            expected = prediction.keypoints.double()
            torch.testing.assert_close(double[name].keypoints, expected, atol=1e-3, rtol=0)


# --- refusals -------------------------------------------------------------------------------------


def test_a_decoder_that_cannot_read_the_maps_is_refused_by_name():
    with pytest.raises(IncompatibleError, match="decoder=soft_argmax") as refusal:
        codec_of(
            loss=Mse(), decoders={"argmax": Argmax(), "soft_argmax": SoftArgmax(temperature=1.0)}
        )
    assert "decoder=[argmax]" in str(refusal.value)


def test_the_name_in_a_refusal_is_the_one_it_was_given():
    with pytest.raises(IncompatibleError, match="decoder=mean"):
        codec_of(loss=Mse(), decoders={"mean": SoftArgmax(temperature=1.0)})


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
def test_a_decoder_is_readable_exactly_where_a_codec_takes_it(decoder):
    for loss in LOSSES.values():
        if readable(decoder.needs, loss.activation):
            assert codec_of(loss=loss, decoders={"it": decoder}).decoders == {"it": decoder}
        else:
            with pytest.raises(IncompatibleError, match="decoder=it"):
                codec_of(loss=loss, decoders={"it": decoder})


def test_a_codec_without_decoders_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        Codec(Grid((32, 24), 2, 2), Gaussian(2.0), Mse(), {}, labels_of(), "product")


@each(ndim=NDIMS)
def test_a_flip_that_does_not_pair_joints_is_refused(ndim):
    for flip in [(1, 2, 0), (0, 1), (0, 1, 3)]:
        with pytest.raises(ValueError, match="flip"):
            Schema(("a", "b", "c"), flip, (), (0.1, 0.1, 0.1))


@each(ndim=(1, 2))
def test_a_joint_without_a_place_costs_nothing_and_spoils_nothing(ndim: int) -> None:
    codec = Codec(
        Grid((64, 48), 4, ndim),
        Gaussian(sigma=8.0),
        CrossEntropy(),
        {"argmax": Argmax()},
        labels_of(),
        "product",
    )
    keypoints = torch.tensor([[[20.0, 30.0], [torch.nan, torch.nan], [-900.0, 5000.0]]])
    scores = [torch.randn(1, 3, *shape).requires_grad_() for shape in codec.grid.shapes]
    cost = codec.training_loss(tuple(scores), keypoints, torch.tensor([[2, 0, 2]]))
    alone = codec.training_loss(
        tuple(s[:, :1] for s in scores), keypoints[:, :1], torch.tensor([[2]])
    )
    torch.testing.assert_close(cost.loss, alone.loss)
    cost.loss.backward()
    for score in scores:
        assert score.grad is not None
        assert score.grad.isfinite().all()
        assert not score.grad[:, 1:].any()
