"""Ceilings: true points to maps and back, against closed forms, Monte Carlo and pycocotools."""

import contextlib
import io
import json
import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import running
import torch
from matplotlib.image import imread
from pairwise import covering, each
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from heatmap_research.analysis.theory import ceiling_table, ceiling_words, true_poses
from heatmap_research.analysis.theory.ceiling_table import SCHEMA
from heatmap_research.analysis.theory.posterior import along_axes, learnt, panels
from heatmap_research.analysis.theory.round_trip import Representation
from heatmap_research.codec import gaussians, geometry, heatmaps
from heatmap_research.codec.codec import Codec
from heatmap_research.codec.decoders.argmax import Argmax
from heatmap_research.codec.decoders.dark import Dark
from heatmap_research.codec.decoders.quarter_offset import QuarterOffset
from heatmap_research.codec.geometry import Geometry
from heatmap_research.codec.grid import CENTER, Grid
from heatmap_research.codec.learnt_joints import Labels
from heatmap_research.codec.losses.cross_entropy import CrossEntropy
from heatmap_research.codec.losses.mse import Mse
from heatmap_research.codec.targets.gaussian import Gaussian
from heatmap_research.codec.targets.gaussian_patch import GaussianPatch
from heatmap_research.codec.targets.one_hot import OneHot
from heatmap_research.codec.targets.rounded import Rounded
from heatmap_research.codec.targets.softened import Softened
from heatmap_research.data import annotations
from heatmap_research.types import IncompatibleError, Schema

DATA = Path(os.environ.get("HEATMAP_DATA", "nowhere"))
VAL = DATA / "coco_val2017_keypoints.json.gz"
FLOOR = (math.sqrt(2) + math.asinh(1)) / 6  # .38260, mean distance to the middle of a unit square
SIZE = (160, 120)  # within a margin of .1 whole numbers of bins
LEGACY = Geometry(first=0, last=0, flip_shift=None)
UDP = Geometry(first=0, last=-1, flip_shift=None)
DECODERS = {
    "argmax": Argmax(),
    "quarter_offset": QuarterOffset(step=0.25, dead_zone=1e-6, border="none"),
    "dark": Dark(floor=1e-30),
}
JOINTS = Schema(
    names=("left", "right", "top"), flip=(1, 0, 2), skeleton=(), sigmas=(0.05, 0.1, 0.2)
)
UNIFORM = true_poses.uniform(JOINTS, SIZE, number=6000, margin=0.1, area=0.32, seed=1)
COLUMNS = (
    *("layout", "target", "sigma", "stride", "decoder", "geometry", "flip_test", "uncertainty"),
    *("height", "width", "mean_px", "median_px", "p95_px", "bias_x", "bias_y", "mean_source_px"),
    *("mean_oks", "ap", "ap50", "ap75", "pck05"),
)
# One codec of each layout, on few points.
FEW = ("uniform.people=20", "image_size=[32,32]", "stride=[4]", "sigma=[4]", "uncertainty=[0]")


def codec(target, ndim=2, stride=4.0, frame=CENTER, loss=None) -> Codec:
    labels = Labels("regress", "ignore", outside="ignore", reach=3.0, sigma=1.0)
    grid = Grid(SIZE, stride, ndim, frame)
    return Codec(grid, target, loss or Mse(), DECODERS, labels, score="product")


def rows(target, uncertainty=0.0, flip_test=False, poses=UNIFORM, noise=0.0, **kinds):
    made = Representation(
        codec=codec(target, **kinds),
        layout="",
        target="",
        geometry="",
        sigmas=dict.fromkeys(DECODERS, 8.0),
        flip_test=flip_test,
        uncertainty=uncertainty,
    )
    return {row["decoder"]: row for row in ceiling_table.rows(made, poses, noise)}


def rounded(sigma=8.0) -> Rounded:
    return Rounded(Gaussian(sigma), "nearest")


@pytest.mark.parametrize(
    ("ndim", "stride"), [(2, 4), (2, 2), (1, 4), (1, 2), (1, 1), (1, 1 / 2), (1, 1 / 3)]
)
def test_exact_labels_reach_the_laws_of_their_decoders(ndim, stride):
    found = rows(Gaussian(3.0), ndim=ndim, stride=stride)
    assert found["argmax"]["mean_px"] == pytest.approx(FLOOR * stride, rel=0.01)
    assert found["quarter_offset"]["mean_px"] == pytest.approx(FLOOR / 2 * stride, rel=0.02)
    assert found["dark"]["mean_px"] < 1e-3
    assert found["argmax"]["mean_source_px"] == pytest.approx(found["argmax"]["mean_px"], abs=1e-5)


@pytest.mark.parametrize(("k", "expected"), [(1, 0.383), (2, 0.191), (3, 0.128)])
def test_classes_of_a_vector_are_off_by_a_law(k, expected):
    found = rows(OneHot(0.0), ndim=1, stride=1 / k, loss=CrossEntropy())
    assert found["argmax"]["mean_px"] == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_rounded_label_alone_says_nothing_of_what_lies_between_bins(decoder):
    assert rows(rounded())[decoder]["mean_px"] == pytest.approx(1.530, rel=0.01)


@pytest.mark.parametrize("bins", [0.2, 0.3, 0.5])
def test_a_rounded_label_under_a_posterior_has_a_sign(bins):
    found = rows(rounded(), uncertainty=4 * bins)["quarter_offset"]["mean_px"]
    assert found == pytest.approx(4 * FLOOR / 2, rel=0.01)  # .765, and .73 by rougher means


def test_a_posterior_too_narrow_to_reach_the_next_bin_leaves_the_middle_without_a_step():
    """Where neighbours differ by less than 1e-6 of the peak, the middle of the bin is closer."""
    found = rows(rounded(), uncertainty=0.4)
    assert found["quarter_offset"]["mean_px"] == pytest.approx(0.639, rel=0.02)  # float64 sum


@pytest.mark.parametrize(("bins", "law"), [(0.1, 1.05), (0.3, 0.25), (0.5, 0.020)])
def test_a_rounded_label_under_a_posterior_is_nearly_exact_for_a_taylor_step(bins, law):
    found = rows(rounded(), uncertainty=4 * bins)["dark"]["mean_px"]
    assert found == pytest.approx(law, rel=0.05)


@pytest.mark.parametrize("bins", [0.1, 0.2])
def test_what_is_left_of_the_bias_falls_as_the_law_of_dithering_says(bins):
    """exp(-2 pi^2 tau^2) / pi bins at most, of the mean place of rounded labels."""
    place = torch.linspace(49.5, 53.5, 401)  # of x, a bin and its edges
    points = torch.stack([place, torch.full_like(place, 50.0)], dim=-1)[:, None]
    one_hot = codec(Rounded(OneHot(0.0), "nearest"), ndim=1)
    _, across = learnt(one_hot, points, 4 * bins)
    mean = heatmaps.expectation(across)
    away = mean[:, 0, 0] - one_hot.grid.split(points)[1][:, 0, 0]
    fourier = (away * torch.sin(2 * torch.pi * (place - 1.5) / 4))[:-1].mean().abs() * 2
    assert fourier == pytest.approx(math.exp(-2 * (math.pi * bins) ** 2) / math.pi, rel=0.05)


@covering(
    target={
        "rounded": rounded(),
        "gaussian": Gaussian(6.0),
        "patch": GaussianPatch(6.0, 2.0, "nearest"),
        "one_hot": OneHot(0.0),
    },
    ndim=[1, 2],
    frame={"center": CENTER, "legacy": LEGACY, "udp": UDP},
)
def test_a_learnt_map_is_the_mean_of_labels_at_displaced_places(target, ndim, frame):
    points = torch.tensor([[[41.3, 60.2], [50.0, 49.9], [30.1, 77.7]]])
    made = codec(target, ndim=ndim, frame=frame)
    draws = torch.randn(30_000, 1, 2, generator=torch.Generator().manual_seed(0))
    seen = torch.ones(2000, 3, dtype=torch.long)
    sums = [torch.zeros(1, 3, *shape) for shape in made.grid.shapes]
    for some in draws.split(2000):
        for total, label in zip(sums, made.encode(points + 1.3 * some, seen), strict=True):
            total += label.heatmap.sum(0, keepdim=True)
    for found, total in zip(learnt(made, points, 1.3), sums, strict=True):
        assert (found - total / len(draws)).abs().max() < 0.01  # .5 / sqrt(3e4) is .003


def test_a_learnt_map_of_a_gaussian_is_the_wider_gaussian():
    points = torch.tensor([[[41.3, 60.2]]])
    (found,) = learnt(codec(Gaussian(6.0)), points, 2.0)
    expected = 36 / 40 * codec(Gaussian(40**0.5)).encode(points, torch.ones(1, 1).long())[0].heatmap
    assert torch.allclose(found, expected, atol=2e-4)


def test_distributions_are_averaged_as_distributions():
    made = codec(rounded(), ndim=1, loss=CrossEntropy())
    for found in learnt(made, torch.tensor([[[41.3, 60.2]]]), 2.0):
        assert found.sum() == pytest.approx(1, abs=1e-5)


def test_a_learnt_map_of_no_width_is_the_label():
    points, made = torch.tensor([[[41.3, 60.2]]]), codec(rounded())
    label = made.encode(points, torch.ones(1, 1).long())[0].heatmap
    assert torch.equal(learnt(made, points, 0)[0], label)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("width", [0.01, 0.3, 4.0])
def test_panels_hold_all_mass_and_its_moments(whole, width):
    place = torch.tensor([[3.0, 3.24, 3.5, 3.99]], dtype=torch.float64)
    moves, shares = panels(place, width, 5 * width, whole)
    assert torch.allclose(shares.sum(-1), torch.ones(1, 4).double())
    if not whole:
        assert (shares * moves).sum(-1).abs().max() < 1e-3 * width
        spread = (shares * moves**2).sum(-1).sqrt()
        assert torch.allclose(spread, torch.full_like(spread, width), rtol=2e-3)


def test_profiles_are_those_of_the_codec_itself():
    made, points = codec(Gaussian(6.0)), torch.tensor([[[41.3, 60.2]]])
    seen = torch.ones(1, 1).long()
    profiles = [label.heatmap for label in along_axes(made).encode(points, seen)]
    assert torch.equal(gaussians.outer(profiles), made.encode(points, seen)[0].heatmap)


@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize("frame", [CENTER, UDP])
def test_the_flip_test_of_edges_that_agree_changes_nothing(ndim, frame):
    once, twice = (rows(Gaussian(8.0), flip_test=f, ndim=ndim, frame=frame) for f in (False, True))
    for decoder in DECODERS:
        for name in ("mean_px", "bias_x", "bias_y", "mean_oks", "ap"):
            assert twice[decoder][name] == pytest.approx(once[decoder][name], abs=1e-4)


def test_the_flip_test_of_a_shift_that_is_off_is_seen():
    """HRNet's one cell, for three quarters: the mean of both is an eighth of a cell off."""
    hrnet = Geometry(first=0, last=0, flip_shift=1.0)
    found = rows(Gaussian(8.0), flip_test=True, frame=hrnet)["dark"]
    assert abs(found["bias_x"]) == pytest.approx(0.5, rel=0.05)
    assert abs(found["bias_y"]) < 1e-3


def test_noise_costs_what_the_bound_says_or_more():
    quiet, loud = (rows(Gaussian(8.0), noise=n)["dark"]["mean_px"] for n in (0.0, 0.02))
    bound = 0.798 * 0.02 * 4 * math.sqrt(math.pi / 2)  # mean length of two such errors
    assert quiet < 1e-3 < bound < loud < 10 * bound


def test_the_oks_that_quantisation_costs_is_that_of_the_law():
    """[sqrt(2 pi) t / s erf(s / (2 sqrt 2 t))]^2 with t = 2 sigma sqrt(area)."""
    schema = Schema(names=("one",), flip=(0,), skeleton=(), sigmas=(0.05,))
    area = 0.32 * SIZE[0] * SIZE[1]
    poses = true_poses.uniform(schema, SIZE, number=20_000, margin=0.1, area=0.32, seed=0)
    t = 2 * 0.05 * math.sqrt(area) / 4
    law = (math.sqrt(2 * math.pi) * t * math.erf(1 / (2 * math.sqrt(2) * t))) ** 2
    found = rows(Gaussian(8.0), poses=poses)["argmax"]["mean_oks"]
    assert 1 - found == pytest.approx(1 - law, rel=0.02)


def test_a_point_outside_the_map_counts_in_oks_but_not_in_pixels():
    poses = true_poses.uniform(JOINTS, SIZE, number=50, margin=0.1, area=0.32, seed=0)
    moved = poses.people.keypoints.copy()
    moved[:, 0, :2] = [200.0, 50.0]
    people = poses.people._replace(keypoints=moved)
    other = replace(poses, people=people, truth=people)
    found = rows(Gaussian(8.0), poses=other)["dark"]
    assert found["mean_px"] < 1e-3
    assert found["mean_oks"] == pytest.approx(2 / 3, abs=0.02)
    assert found["pck05"] == pytest.approx(2 / 3)


def test_an_entangled_target_has_no_uncertainty_in_two_axes():
    with pytest.raises(IncompatibleError, match="layout=1d"):
        rows(Softened(Gaussian(8.0), beta=10.0), uncertainty=1.0)
    assert rows(Softened(Gaussian(8.0), beta=10.0), uncertainty=1.0, ndim=1)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Three people in two images, and a crowd."""
    draws = np.random.default_rng(0)
    people = []
    for number, image in enumerate((7, 3, 7)):
        corner, size = draws.uniform(0, 50, 2), draws.uniform(80, 120, 2)
        points = corner + size * draws.uniform(0.1, 0.9, (2, 2))
        marked = [[float(x), float(y), 2] for x, y in points.round(1)]
        people.append(
            {
                "id": number + 1,
                "image_id": image,
                "category_id": 1,
                "bbox": [*corner.tolist(), *size.tolist()],
                "area": float(size.prod() / 2),
                "iscrowd": 0,
                "num_keypoints": 2,
                "keypoints": [value for mark in marked for value in mark],
            }
        )
    people.append(people[0] | {"id": 9, "iscrowd": 1, "keypoints": [0] * 6, "num_keypoints": 0})
    category = {"id": 1, "name": "animal", "keypoints": ["left_ear", "right_ear"], "skeleton": []}
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 200, "height": 200} for i in (3, 7)]
    path = tmp_path_factory.mktemp("coco") / "people.json"
    path.write_text(json.dumps({"images": images, "annotations": people, "categories": [category]}))
    return path


def test_the_command_leaves_a_row_a_codec_and_figures(file, tmp_path):
    sizes = "image_size=[[64,48],[32,32]]"
    done = running.succeed("ceiling", f"annotations={file}", sizes, "out=a/b", cwd=tmp_path)
    table = pq.read_table(tmp_path / "a" / "b" / "ceiling.parquet")
    assert table.column_names == list(COLUMNS) == SCHEMA.names
    found = table.to_pylist()
    assert 120 <= len(found) <= 200
    keys = [tuple(row[name] for name in COLUMNS[:10]) for row in found]
    assert len(set(keys)) == len(keys)
    assert {row["layout"] for row in found} == {"1d", "2d"}
    assert {(row["height"], row["width"]) for row in found} == {(64, 48), (32, 32)}
    assert all(row["sigma"] is None for row in found if row["target"] == "one_hot")
    assert all(row["mean_px"] is not None and row["ap"] is not None for row in found)
    exact = [r for r in found if (r["target"], r["decoder"]) == ("gaussian", "dark")]
    assert min(row["mean_px"] for row in exact) < 0.01
    for name in ("codecs", "stride", "uncertainty"):
        assert imread(tmp_path / "a" / "b" / f"{name}_64x48.png").shape[1] > 300
    assert "3 people" in done.out
    assert "Least is left by" in done.out
    assert sum(line.startswith("│") for line in done.out.splitlines()) == 2 * 10  # ten of a size
    assert table.schema.metadata[b"noise"] == b"0.0"


def test_lists_take_the_place_of_those_of_every_grid(tmp_path):
    asked = ("layout=[1d]", "target=[gaussian]", "decoder=[argmax,expected_oks,soft_argmax]")
    more = ("loss=cross_entropy", "geometry=[udp]", "flip_test=[true]")
    running.succeed("ceiling", *FEW, *asked, *more, cwd=tmp_path)
    found = pq.read_table(tmp_path / "ceiling" / "ceiling.parquet").to_pylist()
    assert [row["decoder"] for row in found] == ["argmax", "expected_oks", "soft_argmax"]
    assert {(row["geometry"], row["flip_test"], row["layout"]) for row in found} == {
        ("udp", True, "1d")
    }


def test_all_stands_for_every_decoder_that_reads_the_maps(tmp_path):
    running.succeed("ceiling", *FEW, "layout=[2d]", "loss=mse", "decoder=[all]", cwd=tmp_path)
    found = pq.read_table(tmp_path / "ceiling" / "ceiling.parquet").to_pylist()
    names = {row["decoder"] for row in found}
    assert {"argmax", "dark_published", "debiased_soft_argmax"} <= names
    assert not names & {"soft_argmax", "coordinates", "all", "main"}


@each(
    refused=[
        (("annotations=nowhere.json",), "annotations: nowhere.json: there is no such file."),
        (("target=[gausian]",), "target=gausian: there is no such target; choose"),
        (("decoder=[drk]",), "decoder=drk: there is no such decoder; choose"),
        (("decoder=[soft_argmax]",), "decoder=soft_argmax reads softmax maps"),
        (("geometry=[round]",), "geometry=round: there is no such geometry; choose"),
        (("stride=[5]",), "stride=5 does not divide"),
        (("stride=[wide]",), "stride=wide: give"),
        (("sigma=[-1]",), "sigma=-1"),
        (("sigma=[wide]",), "sigma=wide: give numbers"),
        (("layout=[3d]",), "layout=3d: choose 2d, 1d"),
        (("flip_test=[maybe]",), "flip_test=maybe: choose"),
        (("uncertainty=[-1]",), "uncertainty=-1: give a width"),
        (("noise=-1",), "noise=-1: give"),
        (("image_size=[64]",), "image_size=[64]: give the height and width"),
        (("image_size=64",), "image_size=64: give the height and width"),
        (("target=[none]",), "target=none draws no map"),
        (("uniform.people=0",), "uniform.people=0: give 1 or more"),
        (("seed=-1",), "seed=-1: give a whole number"),
        (("layout=[]",), "layout=[]: give at least one"),
        (("+foo=1",), "foo=1: nothing reads this key"),
        (("strid=[4]",), "strid: there is no such key. Did you mean stride?"),
        (("target=[softened]", "layout=[2d]", "uncertainty=[1]"), "choose uncertainty=0"),
    ],
)
def test_what_has_no_ceiling_is_said_in_a_line(refused, tmp_path):
    overrides, words = refused
    done = running.command("ceiling", *overrides, cwd=tmp_path)
    assert done.status != 0
    assert words in done.err
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "ceiling").exists()


@pytest.mark.skipif(not VAL.is_file(), reason="HEATMAP_DATA names no folder of real data")
def test_ap_is_that_of_pycocotools():
    """With a score of 1 for everyone, handed over image by image as the file has them."""
    truth = annotations.read(VAL)
    few = truth.select(np.arange(len(truth.image_ids)) % 12 == 0)
    poses = true_poses.annotated(few, padding=1.25)
    whole = rows(rounded(), poses=poses, stride=8.0)["argmax"]
    assert 0.1 < whole["ap"] < 0.99
    made = codec(rounded(), stride=8.0)
    to_source = made.grid.geometry.to_source(torch.from_numpy(poses.crops), SIZE)
    inside = geometry.apply(geometry.inverse(to_source), torch.from_numpy(poses.keypoints)).float()
    bins = torch.stack([axis[..., 0] for axis in along_axes(made).grid.split(inside)], dim=-1)
    nearest = (bins.clamp(min=-0.5) + 0.5).floor().clamp(min=0).double()
    nearest = nearest.minimum(torch.tensor(made.grid.bins).double() - 1)
    points = geometry.apply(to_source, (nearest * 8 + 3.5).flip(-1)).numpy()
    results = [
        {
            "image_id": image,
            "category_id": few.category,
            "keypoints": np.pad(pose, ((0, 0), (0, 1)), constant_values=1).ravel().tolist(),
            "score": 1.0,
        }
        for image, pose in zip(poses.people.image.tolist(), points, strict=True)
    ]
    stats = official(few, results)
    for name, expected in zip(("ap", "ap50", "ap75"), stats, strict=False):
        assert whole[name] == pytest.approx(expected, abs=1e-9)


def official(truth, results):
    people = [
        {
            "id": int(truth.ids[row]),
            "image_id": int(truth.image_ids[truth.images[row]]),
            "category_id": truth.category,
            "bbox": truth.boxes[row].tolist(),
            "area": float(truth.areas[row]),
            "iscrowd": int(truth.crowd[row]),
            "num_keypoints": int(truth.labelled[row]),
            "keypoints": truth.keypoints[row].ravel().tolist(),
        }
        for row in range(len(truth))
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = {
            "images": [{"id": int(image)} for image in truth.image_ids],
            "annotations": people,
            "categories": [{"id": truth.category}],
        }
        known.createIndex()
        scored = COCOeval(known, known.loadRes(results), "keypoints")
        scored.evaluate()
        scored.accumulate()
        scored.summarize()
    return scored.stats


def test_a_table_comes_to_three_sentences():
    """Two strides and two decoders, by hand: a stride costs .5 or 1 px, a decoder .5 or 1."""
    alike = dict.fromkeys(COLUMNS) | {"layout": "2d", "target": "gaussian", "sigma": 8.0}
    errors = {(4.0, "dark"): 0.0, (4.0, "argmax"): 0.5, (8.0, "dark"): 0.5, (8.0, "argmax"): 1.5}
    table = [
        alike
        | {"stride": stride, "decoder": decoder, "mean_px": error, "ap": 0.5, "flip_test": False}
        for (stride, decoder), error in errors.items()
    ]
    assert list(ceiling_words.conclusion(table)) == [
        "Least is left by stride 4 dark (0.000 px, AP 50.0), "
        "most by stride 8 argmax (1.500 px, AP 50.0).",
        "1 of 4 codecs leave less than 0.1 px in the mean.",
        "What a choice is worth, from its worst to its best with all else alike: "
        "stride 0.750 px, decoder 0.750 px.",
    ]
