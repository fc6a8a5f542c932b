"""Curves of notebooks: what was simulated lies where its law says."""

import numpy as np
import pytest

from heatmap_research.analysis.theory import true_poses
from heatmap_research.analysis.theory.simulation import ceilings, decoding
from heatmap_research.codec.decoders.argmax import Argmax
from heatmap_research.codec.decoders.dark import Dark
from heatmap_research.codec.decoders.local_soft_argmax import LocalSoftArgmax
from heatmap_research.codec.decoders.quarter_offset import QuarterOffset
from heatmap_research.codec.decoders.soft_argmax import SoftArgmax
from heatmap_research.codec.targets.gaussian import Gaussian
from heatmap_research.codec.targets.rounded import Rounded
from heatmap_research.types import Schema

JOINTS = Schema(names=("a", "b"), flip=(1, 0), skeleton=(), sigmas=(0.05, 0.1))
STEPS = {
    "argmax": Argmax(),
    "quarter_offset": QuarterOffset(step=0.25, dead_zone=1e-6, border="none"),
    "dark": Dark(floor=1e-30),
}


def points(number=4000, size=(64, 64)):
    return true_poses.uniform(JOINTS, size, number, margin=0.125, area=0.32, seed=0)


def close(curve, **tolerance):
    np.testing.assert_allclose(curve.measured, curve.law, **tolerance)


def test_decoders_climb_the_staircase_of_the_law():
    for curve in decoding.staircase(STEPS, sigma=8.0, stride=4.0, bins=11):
        close(curve, atol=1e-9, rtol=0)


def test_errors_follow_their_laws_at_any_width_of_the_label():
    means_too = {
        "soft_argmax": SoftArgmax(temperature=1.0),
        "local_soft_argmax": LocalSoftArgmax(sigma=8.0, reach=2.0),
    }
    curves = decoding.by_width(STEPS | means_too, sigma=8.0, widths=[0.5, 0.6, 1, 2, 4], reach=2.0)
    tolerances = {"soft_argmax": 0.03, "local_soft_argmax": 0.15}
    for curve in curves:
        known = ~np.isnan(curve.law)
        tolerance = tolerances.get(curve.name, 1e-6)
        np.testing.assert_allclose(
            curve.measured[known], curve.law[known], rtol=tolerance, atol=1e-6
        )


def test_a_mean_is_cut_off_at_the_border_as_the_law_says():
    for curve, tolerance in zip(
        decoding.border([1.0, 2.0, 4.0], 64), (0.04, 0.01, 0.01), strict=True
    ):
        close(curve, atol=tolerance, rtol=0)


@pytest.mark.parametrize("shape", [(64, 48), (64,)])
def test_a_softmaxs_background_pulls_as_the_law_says(shape):
    for curve in decoding.background([1, 5, 10], 2.0, shape):
        close(curve, atol=1e-3, rtol=0)
    (worst,) = decoding.worst_background([1, 5, 10], 2.0, {"it": shape})
    close(worst, atol=1e-3, rtol=0)


def test_codecs_of_both_layouts_lose_what_the_law_says():
    exact, rounded = Gaussian(sigma=8.0), Rounded(Gaussian(sigma=8.0), rule="nearest")
    made = [
        (ceilings.codec("2d", exact, 4.0, STEPS, (64, 64)), "gaussian"),
        (ceilings.codec("2d", rounded, 4.0, STEPS, (64, 64)), "gaussian_rounded"),
        (ceilings.codec("1d", exact, 0.5, {"argmax": Argmax()}, (64, 64)), "gaussian"),
    ]
    table = [row for codec, target in made for row in ceilings.rows(codec, target, points())]
    curves = {curve.name: curve for curve in ceilings.by_stride(table)}
    assert len(curves) == 7
    for curve in curves.values():
        close(curve, rtol=0.02, atol=0.002)
    assert curves["2d gaussian, dark"].law == 0
    assert curves["2d gaussian_rounded, dark"].law == pytest.approx(1.530, abs=5e-4)


def test_doubt_dithers_rounded_labels_as_the_law_says():
    rounded = Rounded(Gaussian(sigma=8.0), rule="nearest")
    codec = ceilings.codec(
        "2d", rounded, 4.0, {name: STEPS[name] for name in ("quarter_offset", "dark")}, (64, 64)
    )
    table = [
        row
        for width in (0.15, 0.2, 0.3)
        for row in ceilings.rows(codec, "gaussian_rounded", points(), 4.0 * width)
    ]
    for curve in ceilings.dithered(table, width=2.0):
        close(curve, rtol=0.05)


def test_argmax_takes_from_oks_what_the_law_says():
    sizes = ((64, 64), (128, 128))
    table = [
        row
        for size in sizes
        for stride in (2, 8)
        for row in ceilings.rows(
            ceilings.codec("1d", Gaussian(sigma=8.0), stride, {"argmax": Argmax()}, size),
            "gaussian",
            points(size=size),
        )
    ]
    curves = ceilings.oks_losses(table, JOINTS.sigmas, area=0.32)
    assert [curve.name for curve in curves] == ["64 x 64", "128 x 128"]
    for curve in curves:
        close(curve, rtol=0.03)
