"""Where errors come from: planted causes are found again, and the parts come to the whole."""

import json
import math
from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import running
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import imread

from heatmap_research.analysis.error_budget import (
    account,
    figures,
    gross,
    law,
    parts,
    per_joint,
    profiles,
    report,
    rounding,
    stages,
)
from heatmap_research.analysis.error_budget.gross import Gross
from heatmap_research.analysis.error_budget.replacements import Decoding, Flip, JointBias, PhaseBias
from heatmap_research.analysis.error_budget.stages import Stage, StageTruth
from heatmap_research.analysis.error_budget.state import Frame, start
from heatmap_research.analysis.theory import round_trip
from heatmap_research.analysis.theory.laws import dithering, quantisation
from heatmap_research.analysis.theory.round_trip import Representation
from heatmap_research.codec.codec import Codec
from heatmap_research.codec.decoders.argmax import Argmax
from heatmap_research.codec.decoders.dark import Dark
from heatmap_research.codec.decoders.quarter_offset import QuarterOffset
from heatmap_research.codec.grid import Grid
from heatmap_research.codec.learnt_joints import Labels
from heatmap_research.codec.losses.mse import Mse
from heatmap_research.codec.targets.gaussian import Gaussian
from heatmap_research.codec.targets.one_hot import OneHot
from heatmap_research.codec.targets.rounded import Rounded
from heatmap_research.data.rendering import body
from heatmap_research.types import Schema

SIZE = (64, 80)
STRIDE = 4.0
LINES = ((1.5, STRIDE), (1.5, STRIDE))  # half-pixel centres at stride 4
SCHEMA = Schema(("left", "right", "top"), (1, 0, 2), (), (0.1, 0.1, 0.1))
FRAME = Frame(SIZE, LINES, SCHEMA.sigmas, SCHEMA.flip, good=0.85, near=0.5)
PLAIN = ("argmax", False)
SCALE = 40.0  # with a tolerance of .1 a similarity of exp(-1/2) is 8 pixels off
GOOD = 8 * math.sqrt(-2 * math.log(0.85))  # 4.56 pixels
NEAR = 8 * math.sqrt(-2 * math.log(0.5))  # 9.42 pixels


def truth(points, images=None, unit=1.0, scale=SCALE) -> StageTruth:
    points = np.asarray(points, dtype=float)
    people = len(points)
    return StageTruth(
        images=np.arange(people) if images is None else np.asarray(images),
        points=points,
        visible=np.full(points.shape[:2], 2),
        scale=np.full(people, scale * unit),
        first=np.zeros((people, 2)),
        unit=np.full((people, 2), float(unit)),
    )


def stage(true: StageTruth, **errors) -> Stage:
    """Answers off by these errors, by decoder; names that end in `_flip` are flip tests."""
    answers = {
        (name.removesuffix("_flip"), name.endswith("_flip")): true.points + away
        for name, away in errors.items()
    }
    return Stage(true, answers, {readout: np.ones(true.visible.shape) for readout in answers})


def apart(seed: int, people: int = 400, joints: int = 3) -> StageTruth:
    """Joints of a person are 20 pixels from each other, and anywhere in a bin."""
    moves = np.random.default_rng(seed).random((people, 1, 2)) * 8
    return truth(np.array([[20.0, 30], [40, 30], [60, 30]])[:joints] + moves)


def noise(seed: int, like: StageTruth, size: float = 0.5) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size, like.points.shape)


def to_bins(true: StageTruth) -> np.ndarray:
    """What an argmax of a sure network is off by."""
    return -FRAME.phase(true.points) * STRIDE


def started(fit: Stage, read: Stage, readout=PLAIN):
    return start(FRAME, fit, read, readout)


ABLE = parts.replacements(None)


@pytest.fixture(scope="module")
def mixed():
    """A bit of everything: whole bins, biases, noise and gross errors; a better decoder."""
    pair = []
    for seed in (0, 1):
        true = apart(seed, 200)
        own = noise(seed + 2, true) + np.array([[1.0, 0], [0, -1], [0, 0]])
        own[:20, 0] += [20, 0]
        own[20:50, 2] += [0, 25]
        pair.append(stage(true, argmax=own + to_bins(true), dark=own, argmax_flip=own + 0.1))
    return started(*pair)


def test_parts_and_remainder_come_to_the_total_in_either_order(mixed):
    forwards, backwards = parts.both_orders([mixed], ABLE)
    for budget in (forwards, backwards):
        assert sum(p.mean_px for p in budget.parts) + budget.remainder_px == pytest.approx(
            budget.total_px, abs=1e-12
        )
        squares = sum(p.square_px2 for p in budget.parts)
        assert squares + budget.remainder_px2 == pytest.approx(budget.total_px2, abs=1e-10)
        assert sum(p.share for p in budget.parts) == pytest.approx(
            1 - budget.remainder_px / budget.total_px
        )
    assert forwards.order == backwards.order[::-1]


def test_a_budget_comes_back_from_its_file(mixed):
    budget = parts.both_orders([mixed], ABLE)[0]
    assert parts.Budget.from_json(json.loads(json.dumps(budget.as_json()))) == budget


@settings(max_examples=5, deadline=None)
@given(order=st.permutations([each.name for each in ABLE]))
def test_any_order_leaves_the_same_remainder(mixed, order):
    usual = parts.both_orders([mixed], ABLE)[0]
    budget = parts.budget([mixed], ABLE, order)
    assert budget.order == tuple(order)
    assert budget.remainder_px == pytest.approx(usual.remainder_px, abs=1e-12)
    assert sum(p.mean_px for p in budget.parts) + budget.remainder_px == pytest.approx(
        usual.total_px, abs=1e-12
    )


def test_a_total_is_the_mean_error_of_labelled_joints_alone():
    true = apart(0)
    true = replace(true, visible=np.where(np.arange(3) == 1, 0, true.visible))
    errors = np.zeros(true.points.shape) + np.array([[3.0, 4], [1000, 0], [0, 1]])
    budget = parts.budget([started(*[stage(true, argmax=errors)] * 2)], (), ())
    assert budget.total_px == pytest.approx(3) == budget.remainder_px
    assert budget.total_px2 == pytest.approx(13)


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.016, "+2 %"), (-0.016, "-2 %"), (-0.004, "0 %"), (0.004, "0 %"), (0.0, "0 %")],
)
def test_a_share_has_a_sign_where_there_is_something(share, words):
    assert report._percent(share) == words


def test_pixels_have_a_sign_where_there_is_something():
    shown = [figures.signed(value) for value in (0.01, -0.0104, -0.0004, 0.0)]
    assert shown == ["+0.010", "-0.010", "0.000", "0.000"]


def test_a_figure_says_what_a_phase_is_within(mixed):
    figure = figures.bars(parts.both_orders([mixed], ABLE), cell="pixel")
    names = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert names[0] == "as it is"
    assert "bias by phase in the pixel" in names
    assert names[-1] == "remainder"


def test_an_order_that_leaves_a_part_out_is_refused(mixed):
    with pytest.raises(ValueError, match="name each"):
        parts.budget([mixed], ABLE, ["decoding"])


def test_what_whole_bins_cost_is_the_phase_part_and_the_law_of_argmax():
    pair = [stage(true := apart(seed, 4000), argmax=to_bins(true)) for seed in (0, 1)]
    budget = parts.budget([started(*pair)], (PhaseBias(),), ("phase_bias",))
    law = quantisation.mean_distance(STRIDE, STRIDE)  # 1.530
    assert budget.part("phase_bias").mean_px == pytest.approx(law, rel=0.02)
    assert budget.total_px2 == pytest.approx(STRIDE**2 / 6, rel=0.03)
    assert budget.remainder_px == pytest.approx(0, abs=1e-9)


def test_quarter_offsets_jump_twice_a_bin_and_are_removed_too():
    def quarter(true):
        phase = FRAME.phase(true.points)
        return (np.sign(phase) / 4 - phase) * STRIDE

    pair = [stage(true := apart(seed, 4000), argmax=quarter(true)) for seed in (0, 1)]
    budget = parts.budget([started(*pair)], (PhaseBias(),), ("phase_bias",))
    assert budget.total_px == pytest.approx(0.1913 * STRIDE, rel=0.02)
    assert budget.remainder_px == pytest.approx(0, abs=1e-9)


def test_a_planted_bias_by_joint_is_removed_and_weighs_its_square():
    bias = np.array([[1.0, 0], [0, -2], [0.5, 0.5]])
    pair = [stage(t := apart(s, 4000), argmax=bias + noise(s + 9, t)) for s in (0, 1)]
    part = parts.budget([started(*pair)], (JointBias(),), ("joint_bias",)).part("joint_bias")
    assert part.square_px2 == pytest.approx((bias**2).sum(-1).mean(), rel=0.03)


def test_gross_errors_do_not_make_a_bias():
    true = apart(0)
    errors = np.zeros(true.points.shape)
    errors[:100, 2] = [30, 0]
    state = JointBias()(started(*[stage(true, argmax=errors)] * 2))
    np.testing.assert_allclose(state.errors, errors)


def test_biases_are_fitted_to_one_stage_and_read_on_the_other():
    """A bias that only val has is added to test: nothing is learnt from what is read."""
    val, test = apart(0), apart(1)
    pair = stage(val, argmax=np.full(val.points.shape, 1.0)), stage(test, argmax=0 * test.points)
    for bias in (JointBias(), PhaseBias()):
        budget = parts.budget([started(*pair)], (bias,), (bias.name,))
        assert budget.parts[0].mean_px == pytest.approx(-math.sqrt(2))
        assert budget.total_px == 0


def test_the_decoder_is_chosen_on_val_and_its_gain_on_test_has_a_sign():
    val, test = apart(0), apart(1)
    one, two, three = (np.full(val.points.shape, size) for size in (1.0, 2.0, 3.0))
    pair = stage(val, argmax=two, dark=one), stage(test, argmax=two, dark=three)
    part = parts.budget([started(*pair)], (Decoding(),), ("decoding",)).part("decoding")
    assert part.mean_px == pytest.approx(-math.sqrt(2))
    assert part.share == pytest.approx(-0.5)


def test_a_flip_test_is_taken_where_it_helps_and_left_where_it_harms():
    val, test = apart(0), apart(1)
    one, two, three = (np.full(val.points.shape, size) for size in (1.0, 2.0, 3.0))
    helps = stage(val, argmax=two, argmax_flip=one), stage(test, argmax=two, argmax_flip=one)
    harms = stage(val, argmax=two, argmax_flip=three), stage(test, argmax=two, argmax_flip=three)
    flips = [
        parts.budget([started(*pair, readout)], (Flip(),), ("flip",)).parts[0].mean_px
        for pair, readout in ((helps, PLAIN), (harms, PLAIN), (harms, ("argmax", True)))
    ]
    assert flips == pytest.approx([math.sqrt(2), 0, math.sqrt(2)])


def test_halves_of_a_stage_are_fitted_to_each_other():
    true = apart(0, 200)
    away = np.zeros(true.points.shape)
    away[::2, :, 0], away[1::2, :, 0] = 1.0, -1.0  # so that each half's bias is wrong for the other
    read = stage(true, argmax=away)
    taken = account.of_run(FRAME, SCHEMA, None, read, PLAIN, "it has no bins", person=0.5)
    assert taken.forwards.part("joint_bias").mean_px == pytest.approx(1 - 2)


@pytest.mark.parametrize("known", [True, False])
def test_lines_that_go_by_oks_say_where_no_tolerance_was_measured(known):
    true, errors = planted()
    schema = replace(SCHEMA, tolerances_known=known)
    read = stage(true, argmax=errors)
    taken = account.of_run(FRAME, schema, read, read, PLAIN, "it has no bins", person=0.5)
    said = [line for line in report.sentences(taken, SCHEMA.names) if "stand-in" in line]
    assert [line.split()[0] for line in said] == ([] if known else ["Of", "Scores:"])
    assert all("a stand-in tolerance of 0.1 for each joint" in line for line in said)


def test_halves_share_no_image():
    true = truth(np.zeros((7, 3, 2)), images=[5, 5, 3, 9, 9, 9, 4])
    one, other = stage(true, argmax=true.points).halves()
    assert set(one.truth.images) | set(other.truth.images) == {3, 4, 5, 9}
    assert not set(one.truth.images) & set(other.truth.images)


def planted():
    """Two people in image 0, one in image 1: a known mistake of each kind."""
    points = [
        [[10, 30], [40, 30], [60, 30]],
        [[10, 50], [40, 60], [70, 60]],
        [[10, 30], [40, 30], [60, 30]],
    ]
    true = truth(points, images=[0, 0, 1])
    errors = np.full(true.points.shape, 0.5)
    errors[0, 0] = [30 + 1, 0]  # left at right of the same person, 1 pixel beside it
    errors[0, 1] = [0, 30 - 2]  # right at the other's right, 2 pixels above it
    errors[0, 2] = [0, -25]  # nobody is there
    errors[1, 0] = [GOOD + 0.1, 0]
    errors[1, 1] = [0, NEAR - 0.1]
    errors[2, 1] = [0, 30]  # where the other image has a joint, but not this one
    return true, errors


def test_planted_mistakes_are_told_apart():
    true, errors = planted()
    found = gross.mistakes(FRAME, true, errors)
    names = [[gross.KINDS[kind] for kind in person] for person in found.kind]
    assert names == [
        ["inversion", "swap", "miss"],
        ["jitter", "jitter", "good"],
        ["good", "miss", "good"],
    ]
    assert found.counts() == {"good": 3, "jitter": 2, "inversion": 1, "swap": 1, "miss": 2}


def test_joints_that_are_not_labelled_are_no_mistakes_and_nothing_is_taken_for_them():
    true, errors = planted()
    visible = true.visible.copy()
    visible[0, 1] = visible[1, 1] = 0
    found = gross.mistakes(FRAME, replace(true, visible=visible), errors)
    assert found.kind[0].tolist() == [gross.KINDS.index("miss"), gross.NOT_LABELLED, 4]
    assert sum(found.counts().values()) == 7


def test_a_person_s_size_in_the_source_image_decides_and_not_the_crop_s():
    true, errors = planted()
    larger = truth(true.points, true.images, unit=3.0)
    np.testing.assert_array_equal(
        gross.mistakes(FRAME, larger, errors).kind, gross.mistakes(FRAME, true, errors).kind
    )


def test_a_swap_is_found_across_crops_of_different_place_and_size():
    """The same two people, the second seen through a crop half as fine that starts elsewhere."""
    true, errors = planted()
    first, unit = np.array([[0, 0], [7.0, -3], [0, 0]]), np.array([[1, 1], [2.0, 2], [1, 1]])
    points = (true.points - first[:, None]) / unit[:, None]
    moved = replace(true, points=points, first=first, unit=unit)
    kinds = gross.mistakes(FRAME, moved, errors / unit[:, None])
    assert kinds.counts() == {"good": 3, "jitter": 2, "inversion": 1, "swap": 1, "miss": 2}
    np.testing.assert_allclose(kinds.taken[0, 1], [0, 30])


def test_inversions_and_swaps_keep_their_distance_from_what_they_were_taken_for():
    true, errors = planted()
    state = started(*[stage(true, argmax=errors)] * 2)
    np.testing.assert_allclose(Gross("inversion")(state).errors[0, 0], [1, 0])
    np.testing.assert_allclose(Gross("swap")(state).errors[0, 1], [0, -2])
    for kind in ("inversion", "swap"):
        assert (Gross(kind)(state).errors != state.errors).any(-1).sum() == 1


def test_misses_become_as_long_as_good_errors_of_the_joint_and_keep_their_side():
    true = apart(0, people=6, joints=1)
    errors = np.array([[1.0, 0], [0, 2], [-3, 0], [0, 4], [0, -50], [30, 0]])[:, None]
    state = start(
        replace(FRAME, flip=(0,), tolerances=(0.1,)), *[stage(true, argmax=errors)] * 2, PLAIN
    )
    after = Gross("miss")(state).errors[:, 0]
    np.testing.assert_allclose(after[:4], errors[:4, 0])
    lengths = np.quantile([1, 2, 3, 4], [0.25, 0.75])  # the shorter miss is the better
    np.testing.assert_allclose(after[4:], [[0, -lengths[1]], [lengths[0], 0]])


def test_misses_without_a_good_error_to_learn_from_become_as_long_as_good_may_be():
    true = apart(0, people=2)
    errors = np.full(true.points.shape, 200.0)
    state = Gross("miss")(started(*[stage(true, argmax=errors)] * 2))
    np.testing.assert_allclose(np.hypot(*state.errors.reshape(-1, 2).T), GOOD)


DECODERS = {
    "argmax": Argmax(),
    "quarter_offset": QuarterOffset(step=0.25, dead_zone=1e-6, border="none"),
    "dark": Dark(floor=1e-30),
}


def representation(target, ndim=2, whole_pixels=False, stride=STRIDE) -> Representation:
    labels = Labels("regress", "ignore", outside="ignore", reach=3.0, sigma=1.0)
    codec = Codec(Grid(SIZE, stride, ndim), target, Mse(), DECODERS, labels, score="product")
    sigmas = dict.fromkeys(DECODERS, 8.0)
    return Representation(codec, "", "", "center", sigmas, False, 0.0, whole_pixels)


def laws(target, width, **kinds):
    made = representation(target, **kinds)
    frame = replace(FRAME, lines=made.codec.grid.lines)
    return law.laws(made, SCHEMA, frame, (width,) * 3)


@pytest.mark.parametrize("ndim", [1, 2])
def test_a_sure_network_s_laws_are_those_of_argmax_and_quarter_offset(ndim):
    phase, found = law.even_phases(), laws(Gaussian(8.0), 0.0, ndim=ndim)
    for joint in range(3):
        for axis in (0, 1):
            bias = found["argmax"].bias[:, joint, axis]
            np.testing.assert_allclose(bias, -STRIDE * phase, atol=1e-4)
            bias = found["quarter_offset"].bias[:, joint, axis]
            np.testing.assert_allclose(bias, STRIDE * (np.sign(phase) / 4 - phase), atol=1e-4)
    assert found["argmax"].absolute.mean() == pytest.approx(STRIDE / 4, rel=1e-3)


def test_an_unsure_network_s_law_is_the_dithering_law_over_where_its_mean_may_lie():
    width = 0.25  # bins
    found = laws(Rounded(Gaussian(8.0), "nearest"), width * STRIDE)["dark"].bias[:, 0, 0]
    means = np.random.default_rng(0).normal(0, width, 200_000)
    for place in (5, 20, 50):
        phase = law.even_phases()[place] + means
        phase -= np.floor(phase + 0.5)
        expected = STRIDE * dithering.dark_error(phase, width, 2.0).mean()
        assert found[place] == pytest.approx(expected, abs=0.01)


def simulated(target, widths, seed, people=3000):
    """Truths about what a calibrated network takes for their mean, and what it answers there."""
    made = representation(target)
    draws = np.random.default_rng(seed)
    means = 12 + draws.random((people, 3, 2)) * 40
    known = replace(made, uncertainty=widths)
    found = round_trip.decoded(known, SCHEMA, torch.from_numpy(means).float())
    true = truth(means + draws.normal(size=means.shape) * np.array(widths)[:, None])
    return stage(
        true, **{name: there.double().numpy() - true.points for name, there in found.items()}
    )


@pytest.mark.parametrize("target", [Gaussian(8.0), Rounded(Gaussian(8.0), "nearest")])
def test_the_width_of_a_posterior_is_measured_by_joint(target):
    widths = (1.0, 1.4, 2.0)
    found = simulated(target, widths, seed=3)
    measured = per_joint.uncertainty(FRAME, found, flip=False).widths
    np.testing.assert_allclose(measured, widths, rtol=0.06)


def test_gross_errors_and_biases_do_not_widen_what_is_measured():
    true = apart(0, 3000)
    errors = noise(1, true, 0.7) + np.array([[2.0, 0], [0, 1], [0, 0]])
    errors[:150] += [40, 0]
    found = per_joint.uncertainty(FRAME, stage(true, argmax=errors), flip=False)
    np.testing.assert_allclose(found.widths, 0.7, rtol=0.06)
    assert found.share == pytest.approx(0.95)
    assert not found.is_of_few
    assert len(list(per_joint.sentences(found, SCHEMA.names))) == 1


def test_what_is_measured_on_the_few_that_are_near_is_said_to_be():
    """Three quarters of joints are far off, and of the last all but five."""
    true = apart(0, 400)
    errors = noise(1, true, 0.7)
    errors[100:] += [40, 0]
    errors[5:, 2] = [40, 0]
    found = per_joint.uncertainty(FRAME, stage(true, argmax=errors), flip=False)
    assert found.share == pytest.approx(205 / 1200)
    assert found.pooled.tolist() == [False, False, True]
    rest, warning = per_joint.sentences(found, SCHEMA.names)
    assert "measured on the 17 % of labelled joints" in rest
    left, right, top = rest.partition("px: ")[2].partition(" (")[0].split(", ")
    assert top.endswith("*")
    assert not (left + right).count("*")
    assert warning.startswith("Warning: 83 % of joints are gross errors")


def test_a_joint_of_few_points_is_as_unsure_as_all_are():
    true = apart(0, 600)
    visible = true.visible.copy()
    visible[5:, 2] = 0
    found = stage(replace(true, visible=visible), argmax=noise(1, true, 0.7))
    measured = per_joint.uncertainty(FRAME, found, flip=False)
    assert measured.widths[2] == pytest.approx(0.7, rel=0.08)
    assert measured.pooled.tolist() == [False, False, True]


@pytest.mark.parametrize("bins", [0.1, 0.2, 0.3])
@pytest.mark.parametrize("decoder", ["dark", "quarter_offset"])
def test_exact_labels_save_what_the_same_network_would_without_rounding(bins, decoder):
    """The same network, trained without rounding, is simulated too."""
    widths = (bins * STRIDE,) * 3
    target = Rounded(Gaussian(8.0), "nearest")
    pair = [simulated(target, widths, seed) for seed in (0, 1)]
    labels = rounding.exact_labels(representation(target), SCHEMA, FRAME, np.array(widths))
    part = parts.budget([started(*pair, (decoder, False))], (labels,), ("labels",)).parts[0]
    pair[0] = simulated(Gaussian(8.0), widths, seed=1)
    squares = [(s.errors((decoder, False)) ** 2).sum(-1).mean() for s in pair]
    assert part.square_px2 == pytest.approx(squares[1] - squares[0], abs=0.05 * squares[1])


def test_argmax_does_not_notice_that_labels_are_rounded():
    widths = (1.0,) * 3
    target = Rounded(Gaussian(8.0), "nearest")
    labels = rounding.exact_labels(representation(target), SCHEMA, FRAME, np.array(widths))
    read = simulated(target, widths, seed=1, people=500)
    changes = {}
    for name in ("argmax", "dark"):
        after = labels(started(read, read, (name, False))).errors
        changes[name] = np.abs(after - read.errors((name, False))).mean()
    assert changes["argmax"] < 0.02 < 0.2 < changes["dark"]


def test_labels_at_whole_pixels_cost_what_whole_bins_of_a_pixel_would():
    """At stride 1 both roundings are one."""
    kinds = {"stride": 1.0, "ndim": 1}
    pixels = law.laws(
        representation(Gaussian(3.0), whole_pixels=True, **kinds),
        SCHEMA,
        replace(FRAME, lines=((0.0, 1.0), (0.0, 1.0))),
        (0.2, 0.3, 0.4),
    )
    bins = law.laws(
        representation(Rounded(Gaussian(3.0), "nearest"), **kinds),
        SCHEMA,
        replace(FRAME, lines=((0.0, 1.0), (0.0, 1.0))),
        (0.2, 0.3, 0.4),
    )
    np.testing.assert_allclose(pixels["dark"].bias, bins["dark"].bias, atol=1e-4)
    assert np.abs(bins["dark"].bias[:, 0]).max() > 0.05


def test_exact_targets_and_those_without_an_exact_form_have_no_labels_to_put_right():
    for target in (Gaussian(8.0), OneHot(0.0)):
        why = rounding.exact_labels(representation(target), SCHEMA, FRAME, np.ones(3))
        assert why == "its labels are exact, or have no exact form as one_hot"


def test_a_profile_over_phase_has_the_law_s_bias_and_size():
    true = apart(0, 6000)
    found = profiles.by_phase([started(*[stage(true, argmax=to_bins(true))] * 2)], 8)
    middles = (np.arange(8) + 0.5) / 8 - 0.5
    for axis in ("x", "y"):
        np.testing.assert_allclose(found[axis].middle, middles, atol=0.01)
        np.testing.assert_allclose(found[axis].bias, -STRIDE * middles, atol=0.04)
        np.testing.assert_allclose(found[axis].absolute, STRIDE * abs(middles), atol=0.04)
        assert found[axis].count.sum() == true.counted.sum()


def test_the_border_is_half_a_pixel_beyond_the_outer_pixels_middles():
    points = np.array([[-0.5, 30], [10, 30], [79.5, 63.5], [40, 65.5]])
    np.testing.assert_allclose(profiles.to_border(points, FRAME), [0, 10.5, 0, -2])


def test_a_profile_of_hand_made_points():
    place, error = np.array([0.1, 0.2, 0.9]), np.array([1.0, -3, 2])
    found = profiles.profile(place, error, np.array([0.0, 0.5, 1.0]))
    assert found.middle.tolist() == pytest.approx([0.15, 0.9])
    assert found.bias.tolist() == [-1, 2]
    assert found.absolute.tolist() == [2, 2]
    assert found.deviation.tolist() == pytest.approx([2.0, 0])  # sd 2, over the root of 2 - 1
    assert found.absolute_deviation.tolist() == pytest.approx([1.0, 0])
    assert found.count.tolist() == [2, 1]


def test_rows_of_a_run_store_become_arrays_with_their_way_to_the_source():
    draws = np.random.default_rng(0)
    people, joints = 5, 3
    crop, true = draws.random((2, people, joints, 2)) * 60
    unit, first = 1 + draws.random((people, 1, 2)), draws.random((people, 1, 2)) * 90
    order = draws.permutation(people * joints)
    instance, joint = (axis.ravel()[order] for axis in np.indices((people, joints)))

    def column(values):
        return np.broadcast_to(values, (people, joints)).ravel()[order]

    columns = {"stage": ["test"] * 15, "decoder": ["argmax"] * 15, "flip_test": [True] * 15}
    columns |= {"instance": 100 + instance, "joint": joint, "image": instance // 2}
    columns |= {"score": column(0.5), "visible": column(2), "scale": column(30.0)}
    for a, axis in enumerate("xy"):
        for name, points in (("", crop), ("_true", true)):
            columns[f"{axis}{name}"] = column(points[..., a])
            columns[f"{axis}{name}_source"] = column((points * unit + first)[..., a])
    found = stages.from_tables("test", [pa.table(columns)])
    np.testing.assert_allclose(found.answers["argmax", True], crop)
    np.testing.assert_allclose(found.truth.points, true)
    np.testing.assert_allclose(found.truth.unit, unit[:, 0])
    np.testing.assert_allclose(found.truth.first, first[:, 0])
    assert found.truth.images.tolist() == [0, 0, 1, 1, 2]
    with pytest.raises(ValueError, match="stage=val"):
        stages.from_tables("val", [pa.table(columns)])


# A run of a few steps of each kind, with the parts that it cannot have.
RUNS = {
    "maps": (("arm=mse_2d", "target=gaussian_rounded"), {"swap"}),
    "vectors": (("arm=simcc", "target=gaussian"), {"swap", "labels"}),
    "coordinates": (("arm=regression",), {"swap", "labels", "decoding"}),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("budget")
    return cache(lambda kind: running.train(folder / kind, *running.SMOKE, *RUNS[kind][0]))


@pytest.fixture(params=RUNS)
def run(request, trained):
    return trained(request.param), RUNS[request.param][1]


def test_a_run_s_error_is_accounted_for_from_its_folder_alone(run):
    folder, absent = run
    done = running.succeed("budget", f"run={folder.name}", cwd=folder.parent)
    out = folder / "evaluate" / "budget"
    found = json.loads((out / "budget.json").read_text())
    record = json.loads((folder / "run.json").read_text())
    decoder = found["decoder"]
    on_val = {name: each["pixel_error"] for name, each in record["metrics"]["val"].items()}
    assert decoder == min(on_val, key=on_val.__getitem__)  # the decoder that the run is read by
    stored = record["metrics"]["test"][decoder]["pixel_error"]
    for order in ("forwards", "backwards"):
        budget = found[order]
        assert budget["total_px"] == pytest.approx(stored, rel=1e-5)
        parts_px = sum(part["mean_px"] for part in budget["parts"])
        assert parts_px + budget["remainder_px"] == pytest.approx(stored, rel=1e-5)
        assert set(budget["order"]) == set(parts.ORDER) - absent
    assert set(found["absent"]) == absent
    assert found["joints"] == record["config"]["names"]
    by_joint = found["by_joint"]
    means, counts = np.array(by_joint["mean_px"]), np.array(by_joint["count"])
    assert (means * counts).sum() / counts.sum() == pytest.approx(stored, rel=1e-5)
    assert len(by_joint["uncertainty"]) == len(by_joint["pooled"]) == len(found["joints"])
    written, near = (out / "budget.txt").read_text(), found["uncertainty_share"]
    said = " ".join(written.split())  # lines are wrapped
    assert f"on the {100 * near:.0f} % of labelled joints" in said or near == 0
    assert ("Warning" in said) == (0 < near < 0.5)
    cell = "pixel" if "decoding" in absent else "bin"
    assert found["phase_in"] == cell
    assert f"bias by phase in the {cell} " in said
    assert ("whole-bin answers" in said) == (cell == "bin")
    assert sum(found["kinds"].values()) == 32 * 13
    for name in ("budget", "phase", "border", "scores"):
        assert imread(out / f"{name}.png").shape[0] > 300
        assert f"{name}.png" in done.out
    for words in ("remainder", "Largest forwards", "labelled joints", "n/a: swap", "ECE", "AURC"):
        assert words in written
    conclusion = " ".join(done.out.partition("remainder")[2].split())
    assert f"Of {stored:.3f} px by {decoder}" in conclusion
    assert all(words in conclusion for words in ("would be left", "read best", "furthest off"))
    assert "Largest forwards" not in conclusion
    assert done.out.count("│ ") // 6 <= 10  # rows, of six cells
    for name, flip in (("plain", False), ("flip", True)):
        table = pq.read_table(out / name / "predictions.parquet")
        assert set(table["flip_test"].to_pylist()) == {flip}
        assert set(table["stage"].to_pylist()) == {"val", "test"}


@pytest.fixture
def maps(trained):
    return trained("maps")


def test_val_is_read_by_halves_and_other_choices_are_taken(maps):
    asked = ("stage=val", "decoder=dark", "flip_test=true", "data.occlusion=0.2", "name=other")
    running.succeed("budget", f"run={maps}", *asked, cwd=maps.parent)
    found = json.loads((maps / "evaluate" / "other" / "budget.json").read_text())
    assert (found["stage"], found["decoder"], found["flip_test"]) == ("val", "dark", True)
    assert found["fitted_to"] == "the other half of the images"
    record = json.loads((maps / "evaluate" / "other" / "flip" / "run.json").read_text())
    assert record["config"]["data"]["occlusion"] == 0.2


def test_what_cannot_be_is_refused_in_a_line_and_nothing_is_left(maps):
    (maps / "evaluate" / "there").mkdir(parents=True)
    refused = {
        ("run=nowhere",): "run=nowhere",
        (f"run={maps}", "decoder=soft_argmax"): "decoder=soft_argmax",
        (f"run={maps}", "stage=train"): "stage=train",
        (f"run={maps}", "flip_test=maybe"): "flip_test=maybe",
        (f"run={maps}", "near=0.9"): "near=0.9",
        (f"run={maps}", "good=high"): "good=high",
        (f"run={maps}", "checkpoint=best"): "checkpoint=best",
        (f"run={maps}", "name=there"): "name=there",
        (f"run={maps}", "data.oclusion=1"): "oclusion",
    }
    before = sorted(file.name for file in (maps / "evaluate").iterdir())
    for arguments, words in refused.items():
        done = running.command("budget", *arguments, cwd=maps.parent)
        assert done.status != 0
        assert words in done.err
        assert done.err.startswith("heatmap-budget: ")
        assert done.err.count("\n") == 1, done.err
    assert sorted(file.name for file in (maps / "evaluate").iterdir()) == before


def test_a_ceiling_is_of_a_run_s_own_codec_and_as_unsure_as_it_is(maps):
    few = ("uniform.people=20", f"run={maps}", "out=ceiling", "near=0.01")
    done = running.succeed("ceiling", *few, cwd=maps.parent)
    table = pq.read_table(maps.parent / "ceiling" / "ceiling.parquet")
    rows, facts = table.to_pylist(), table.schema.metadata
    record = json.loads((maps / "run.json").read_text())
    assert {row["decoder"] for row in rows} == set(record["decoders"])
    for key, value in (("height", 32), ("stride", 4), ("sigma", 2), ("target", "gaussian_rounded")):
        assert {row[key] for row in rows} == {value}
    widths = list(json.loads(facts[b"uncertainties"]).values())
    frame = Frame((32, 32), LINES, body.SCHEMA.sigmas, body.SCHEMA.flip, good=0.505, near=0.01)
    val = stages.from_tables("val", [pq.read_table(maps / "predictions.parquet")])
    measured = per_joint.uncertainty(frame, val, flip=False)
    assert widths == pytest.approx(measured.widths.tolist(), abs=1e-4)
    assert f"on the {100 * float(facts[b'uncertainty_share']):.0f} % of labelled" in done.out
    pooled = json.loads(facts[b"uncertainty_pooled"])
    assert ("(*:" in done.out) == bool(pooled)
    shown = sorted({row["uncertainty"] for row in rows})
    assert shown == pytest.approx([0, np.mean(widths)], rel=1e-3)
    assert "by joint" in done.out


def test_a_ceiling_of_a_run_takes_no_codec_besides(maps):
    done = running.command("ceiling", f"run={maps}", "stride=[4]", cwd=maps.parent)
    assert done.status != 0
    assert "stride=" in done.err
    assert "run" in running.command("ceiling", "run=nowhere", cwd=maps.parent).err
