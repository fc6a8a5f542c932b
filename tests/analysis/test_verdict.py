"""From run folders, written as runs write them, to sentences."""

import contextlib
import io
import json
import logging
import re
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from heatmap_research import metrics
from heatmap_research.analysis.comparison.verdict.judge import judge
from heatmap_research.metrics import average_precision, measures
from heatmap_research.metrics.average_precision import Found, People
from heatmap_research.metrics.mean_oks import MeanOks
from heatmap_research.metrics.pck import Pck
from heatmap_research.metrics.pixel_error import PixelError
from heatmap_research.runs import find as found_runs
from heatmap_research.runs.store import PREDICTIONS, RunStore
from heatmap_research.types import Prediction, Sample

JOINTS, IMAGES = 5, 60
NAMES = [f"joint_{n}" for n in range(JOINTS)]
TOLERANCES = [0.05, 0.06, 0.08, 0.1, 0.07]
COMPARED = {  # a figure that runs can be compared by is one line
    "pixel_error": lambda: PixelError("labelled"),
    "pixel_error_covered": lambda: PixelError("covered"),
    "pixel_error_visible": lambda: PixelError("visible"),
    "mean_oks": lambda: MeanOks(TOLERANCES),
    "PCK@1.2px": lambda: Pck("PCK", [1.2], NAMES, "pixel", None, [], "points"),
}
SPREADS = {"argmax": 1.5, "dark": 1.0}  # pixels of an arm that adds none


def person_count(images: int) -> np.ndarray:
    """Images of one, two and three people."""
    return np.repeat(np.arange(images), 1 + np.arange(images) % 3)


def predictions(
    seed: int, added: float, spreads=SPREADS, images=IMAGES, joints=JOINTS, **truths: float
) -> pa.Table:
    """Errors of images are shared by all runs; what is added is along x.

    `truths`: `moved` in the image, `cropped` in the crop alone, `covered` of those visible.
    """
    tables = []
    for number, stage in enumerate(("val", "test")):
        image = person_count(images)
        shape = (len(image), joints)
        shared, own = np.random.default_rng(number), np.random.default_rng([number, seed])
        truth = shared.uniform(10, 50, (*shape, 2))
        hidden, over = shared.random(shape), np.random.default_rng(number).random(shape)
        visible = np.where(hidden < 0.1, 0, np.where(over < truths.get("covered", 0), 1, 2))
        away = shared.normal(0, 0.2, (*shape, 2)) + own.normal(0, 0.05, (*shape, 2))
        away[..., 0] += 0.02 * own.normal()
        for decoder, spread in spreads.items():
            points = truth + away + np.array([spread + added, 0.0])
            columns = {
                "image": np.repeat(1000 + image, joints),
                "instance": np.repeat(np.arange(len(image)), joints),
                "joint": np.tile(np.arange(joints), len(image)),
                "visible": visible.ravel(),
                "scale": np.full(len(image) * joints, 30.0),
                "score": np.repeat(own.random(len(image)), joints),
                "flip_test": np.zeros(len(image) * joints, bool),
            }
            for suffix, places, factor in (("", points, 1), ("_source", points, 2)):
                whole = truths.get("moved", 0) if suffix else truths.get("cropped", 0)
                for axis, name in enumerate("xy"):
                    columns[name + suffix] = whole + factor * places[..., axis].ravel()
                    columns[f"{name}_true{suffix}"] = whole + factor * truth[..., axis].ravel()
            length = len(image) * joints
            columns |= {"stage": [stage] * length, "decoder": [decoder] * length}
            arrays = [pa.array(columns[name]) for name in PREDICTIONS.names]
            tables.append(pa.table(arrays, names=PREDICTIONS.names).cast(PREDICTIONS))
    return pa.concat_tables(tables).unify_dictionaries()


def write(
    folder: Path, arm="simcc", seed=0, added=0.0, sigma=2, status="finished", config=None, **more
) -> Path:
    asked = config or {}
    config = {"seed": seed, "sigma": sigma, "stride": 1, "tolerances": TOLERANCES, "joints": None}
    config |= {"data": {"test": {}, "val": {}}, "target": {"sigma": sigma}} | asked
    folder.mkdir(parents=True)
    store = RunStore(folder)
    table = predictions(seed, added, **more)
    decoders = list(more.get("spreads", SPREADS))
    store.update(
        status=status,
        config=config,
        config_hash=f"{arm}{seed}{sigma}",
        choices={"arm": arm, "head": arm},
        seed=seed,
        decoders=decoders,
        metrics={},
        boxes="exact",
    )
    store.write_predictions(table)
    return folder


def sweep(folder: Path, added: dict[str, float], seeds=(0, 1, 2), sigmas=(2,), **more) -> list:
    for arm, size in added.items():
        for sigma in sigmas:
            for seed in seeds:
                write(folder / f"{arm}_{sigma}_{seed}", arm, seed, size, sigma, **more)
    return found_runs.find(folder)


def as_batch(run, decoder: str, stage: str) -> tuple[Prediction, Sample]:
    table = run.predictions(stage, decoder)

    def points(*names: str) -> torch.Tensor:
        columns = [table[name].to_numpy().reshape(-1, JOINTS) for name in names]
        return torch.from_numpy(np.stack(columns, -1).copy())

    people = len(table) // JOINTS
    to_source = torch.tensor([[2.0, 0, 0], [0, 2.0, 0]]).expand(people, 2, 3)
    fields = {name: torch.zeros(people) for name in Sample._fields}
    fields |= {"keypoints": points("x_true", "y_true"), "to_source": to_source}
    fields |= {"visible": points("visible")[..., 0], "scale": points("scale")[:, 0, 0]}
    score = torch.ones(people, JOINTS)
    return Prediction(points("x", "y"), score), Sample(**fields)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return sweep(tmp_path_factory.mktemp("two"), {"simcc": 0.4, "ce_2d": 0.0})


@pytest.fixture(scope="module")
def covered(tmp_path_factory):
    """Half of the joints are covered."""
    return sweep(tmp_path_factory.mktemp("covered"), {"simcc": 0.4, "ce_2d": 0.0}, covered=0.5)


def measured(figure: str, run, decoder: str = "dark", stage: str = "test") -> float:
    """By the metric itself."""
    metric = COMPARED[figure]()
    metric.update(*as_batch(run, decoder, stage))
    found = metric.compute()
    return float(found[figure] if isinstance(found, dict) else found)


@pytest.mark.parametrize("figure", COMPARED)
def test_the_difference_is_that_of_the_metric_itself(figure, covered):
    (verdict,) = judge(covered, metric=figure, decoder="dark")
    figures = {(run.arm, run.seed): measured(figure, run) for run in covered}
    expected = np.mean([figures["ce_2d", seed] - figures["simcc", seed] for seed in range(3)])
    assert (verdict.arm, verdict.other) == ("ce_2d", "simcc")
    assert verdict.interval.estimate == pytest.approx(expected, abs=1e-6)
    assert verdict.seeds == (0, 1, 2)
    assert verdict.better


def test_every_metric_that_says_it_can_be_compared_is_compared_here():
    names = {name for module in measures._modules() for name in module.FIGURES}
    assert {name.partition("@")[0] for name in names} == {f.partition("@")[0] for f in COMPARED}


NEW_METRIC = """
from heatmap_research.metrics.measures import CROP, Measure, away

FIGURES = ("bias",)


def measure(figure):
    return Measure("px", False, CROP, rows) if figure == "bias" else None


def rows(columns, sigmas):
    return away(columns)[:, 0], (columns["visible"] > 0).double()
"""


def test_a_metric_can_be_compared_once_its_file_is_there(two, tmp_path, monkeypatch):
    (tmp_path / "bias.py").write_text(NEW_METRIC)
    monkeypatch.setattr(metrics, "__path__", [*metrics.__path__, str(tmp_path)])
    (verdict,) = judge(two, metric="bias", decoder="dark")
    assert -0.5 < verdict.interval.estimate < -0.3  # of simcc 0.4 px are added along x
    assert verdict.better


def test_pck_is_a_share_of_labelled_joints(two):
    (verdict,) = judge(two, metric="PCK@1.2px")
    shares = {}
    for run in two:
        rows = columns(run.predictions("test", "dark"))
        away = np.hypot(rows["x"] - rows["x_true"], rows["y"] - rows["y_true"])
        shares[run.arm, run.seed] = (away <= 1.2)[rows["visible"] > 0].mean()
    expected = np.mean([shares["ce_2d", seed] - shares["simcc", seed] for seed in range(3)])
    assert verdict.interval.estimate == pytest.approx(expected, abs=1e-6)


def test_a_verdict_says_who_is_worse_by_how_much_and_what_is_covered(two):
    (verdict,) = judge(two, baseline="ce_2d")
    assert re.fullmatch(
        r"simcc \(dark\) is worse than ce_2d \(dark\) by 0\.3\d+ px \(95 % interval 0\.3\d+ to "
        r"0\.\d+, new seeds and new images, 3 seeds x 60 images; p < \.001\)\.",
        verdict.words,
    )
    assert verdict.different
    assert not verdict.better


def test_what_is_not_told_apart_says_what_could_have_been_found(tmp_path):
    runs = sweep(tmp_path, {"simcc": 0.0, "ce_2d": 0.0005}, seeds=(0, 1))
    for run in runs[:2]:
        shift(run.folder, 0.05)
    (verdict,) = judge(runs, margin=0.0001)
    assert not verdict.different
    assert not verdict.equivalent
    assert "differ by 0.000 px and are not told apart (95 % interval -0.0" in verdict.words
    assert "would be found four times in five" in verdict.words
    assert "They are not shown to be equivalent within 0.0001 px (90 % interval" in verdict.words


def test_what_is_not_told_apart_is_named_with_its_side_and_an_interval_of_its_own(tmp_path):
    """Three arms, of which two differ by more than their interval, but not among three tests."""
    runs = sweep(tmp_path, {"a": 0.0, "b": 0.01, "c": 0.01})
    noisy = [run for run in runs if run.arm == "a"]
    for run, (x, y) in zip(noisy, ((0.0, 0.0), (-0.004, 0.0), (0.0032, 0.0)), strict=True):
        move(run.folder, x, y)
    one = judge(runs, margin=0.02)[0]
    assert one.interval.high < 0
    assert one.interval.p < 0.05 < one.p_holm
    words = (
        r"a \(dark\) is lower than b \(dark\) by 0\.0\d+ px, but they are not told apart \(95 % "
        r"interval of this comparison alone 0\.0\d+ to 0\.0\d+, .*; "
        r"p = \.\d+ among 3 comparisons\)\. .*"
    )
    assert re.fullmatch(words, one.words)


def move(folder: Path, x: float, y: float) -> None:
    store = RunStore(folder)
    table = store.read_predictions()
    for name, by in (("x", x), ("y", y)):
        column = pa.array((table[name].to_numpy() + by).astype(np.float32))
        table = table.set_column(table.column_names.index(name), name, column)
    store.write_predictions(table)


@pytest.mark.parametrize("margin", [0.011, 0.02, 0.05])
def test_equivalence_is_where_its_interval_lies_within_the_margin(margin, tmp_path):
    runs = sweep(tmp_path, {"simcc": 0.01, "ce_2d": 0.0})
    for seed, run in enumerate(run for run in runs if run.arm == "simcc"):
        move(run.folder, 0.003 * seed, 0.0)
    (verdict,) = judge(runs, margin=margin)
    ends = re.search(r"90 % interval (\S+) to (\S+);", verdict.words).groups()
    known = verdict.interval
    assert float(ends[0]) + float(ends[1]) == pytest.approx(2 * abs(known.estimate), abs=2e-3)
    assert verdict.equivalent == (-margin < float(ends[0]) and float(ends[1]) < margin)


def shift(folder: Path, spread: float) -> None:
    """Other errors of the same images, by seed."""
    store = RunStore(folder)
    table = store.read_predictions()
    noise = np.random.default_rng(store.read()["seed"]).normal(0, spread, len(table))
    column = pa.array((table["x"].to_numpy() + noise).astype(np.float32))
    index = table.column_names.index("x")
    store.write_predictions(table.set_column(index, "x", column))


def test_equivalence_is_told_within_a_margin_given_beforehand(tmp_path):
    runs = sweep(tmp_path, {"simcc": 0.001, "ce_2d": 0.0})
    (verdict,) = judge(runs, margin=0.05)
    assert verdict.equivalent
    assert "is better than" in verdict.words  # by a thousandth of a pixel
    assert "They are equivalent within 0.05 px (90 % interval 0.0009" in verdict.words
    with pytest.raises(ValueError, match="margin=0: it must be greater than 0"):
        judge(runs, margin=0.0)


def test_the_decoder_is_chosen_on_val_whatever_test_says(tmp_path):
    runs = sweep(tmp_path, {"simcc": 0.4, "ce_2d": 0.0})
    for run in runs:
        store = RunStore(run.folder)
        val = {"argmax": {"pixel_error": 0.1}, "dark": {"pixel_error": 0.2}}
        store.update(metrics={"val": val})
    (verdict,) = judge(found_runs.find(tmp_path))
    assert (verdict.decoder, verdict.other_decoder) == ("argmax", "argmax")
    (given,) = judge(runs, decoder="dark")
    assert given.decoder == "dark"
    with pytest.raises(ValueError, match=r"decoder=exact: .* choose one of argmax, dark"):
        judge(runs, decoder="exact")


def test_arms_are_compared_within_every_setting_and_over_all(tmp_path):
    runs = sweep(tmp_path, {"a": 0.3, "b": 0.0, "c": 0.1}, seeds=(0, 1), sigmas=(2, 4))
    verdicts = judge(runs)
    assert len(verdicts) == 9
    assert [(v.arm, v.other, v.setting, v.over) for v in verdicts[:3]] == [
        ("a", "b", (), ("sigma",)),
        ("a", "b", (("sigma", 2),), ()),
        ("a", "b", (("sigma", 4),), ()),
    ]
    whole, *each = (v.interval.estimate for v in verdicts[:3])
    assert whole == pytest.approx(np.mean(each))
    assert verdicts[0].words.startswith("Averaged over sigma: a (dark) is worse than b (dark) by")
    assert verdicts[1].words.startswith("At sigma=2: a (dark)")
    assert all("among 9 comparisons" in v.words for v in verdicts)
    assert all(v.p_holm >= v.interval.p for v in verdicts)
    assert {v.other for v in judge(runs, baseline="b")} == {"b"}
    by_sigma = judge(runs, by="sigma")
    assert [v.setting for v in by_sigma[1:]] == [(("arm", arm),) for arm in "abc"]


def test_one_seed_says_nothing_of_new_ones_and_says_so(tmp_path):
    (verdict,) = judge(sweep(tmp_path, {"simcc": 0.4, "ce_2d": 0.0}, seeds=(7,)))
    assert "new images, but this one seed only, 1 seed x 60 images" in verdict.words


def test_runs_are_paired_by_seed_and_the_others_named(tmp_path):
    sweep(tmp_path / "one", {"simcc": 0.4}, seeds=(0, 1, 2))
    sweep(tmp_path / "other", {"ce_2d": 0.0}, seeds=(1, 2, 3))
    (verdict,) = judge(found_runs.find(tmp_path))
    assert verdict.seeds == (1, 2)
    assert verdict.words.endswith("Seeds that not all of these runs have are left out: 0, 3.")


def test_arms_without_a_common_seed_are_refused(tmp_path):
    sweep(tmp_path / "one", {"simcc": 0.4}, seeds=(0, 1))
    sweep(tmp_path / "other", {"ce_2d": 0.0}, seeds=(2, 3))
    with pytest.raises(ValueError, match="no two of simcc, ce_2d have runs of the same seed"):
        judge(found_runs.find(tmp_path))


def test_broken_runs_and_repeated_ones_do_not_count(tmp_path, caplog):
    sweep(tmp_path / "a", {"simcc": 0.4, "ce_2d": 0.0}, seeds=(0, 1))
    write(tmp_path / "broken", "simcc", 2, 9.0, status="failed")
    write(tmp_path / "x_again", "simcc", 1, 0.4)
    with caplog.at_level(logging.WARNING):
        (verdict,) = judge(found_runs.find(tmp_path))
    assert verdict.seeds == (0, 1)
    assert "is left out: x_again repeats it" in caplog.text


def test_one_arm_alone_is_refused(tmp_path):
    with pytest.raises(ValueError, match="nothing to compare: all 2 finished runs have arm=simcc"):
        judge(sweep(tmp_path, {"simcc": 0.0}, seeds=(0, 1)))


def test_other_images_are_refused(tmp_path):
    write(tmp_path / "a", "simcc")
    write(tmp_path / "b", "ce_2d", images=40)
    with pytest.raises(
        ValueError, match=r"a and b were evaluated on different images \(60 and 40\)"
    ):
        judge(found_runs.find(tmp_path))


def test_other_joints_of_images_of_the_same_numbers_are_refused(tmp_path):
    """As of two sizes of crop that a program renders: its image is the crop."""
    write(tmp_path / "a", "simcc", config={"image_size": [32, 32]})
    write(tmp_path / "b", "ce_2d", config={"image_size": [64, 64]}, moved=3.0)
    with pytest.raises(ValueError, match="test images of a and b have the same numbers") as told:
        judge(found_runs.find(tmp_path))
    assert "true joints are up to 3 px of the image apart" in str(told.value)
    assert str(told.value).endswith("; image_size is [32, 32] and [64, 64].")


def test_joints_covered_for_one_arm_alone_are_refused(tmp_path):
    write(tmp_path / "a", "simcc", config={"data": {"occlusion": 0.0}})
    write(tmp_path / "b", "ce_2d", config={"data": {"occlusion": 0.5}}, covered=0.5)
    with pytest.raises(ValueError, match=r"joints differ in whether they are visible; data\.occl"):
        judge(found_runs.find(tmp_path))


def test_seeds_that_met_other_images_are_refused(tmp_path):
    for arm in ("simcc", "ce_2d"):
        write(tmp_path / f"{arm}_0", arm, 0)
        write(tmp_path / f"{arm}_1", arm, 1, moved=3.0)
    with pytest.raises(ValueError, match="of ce_2d_0 and ce_2d_1 have the same numbers"):
        judge(found_runs.find(tmp_path))


def test_other_crops_are_refused_in_their_pixels_but_not_in_those_of_the_image(tmp_path):
    write(tmp_path / "a", "simcc")
    write(tmp_path / "b", "ce_2d", cropped=3.0)
    write(tmp_path / "c", "udp", cropped=0.5)  # where geometries of a crop put its pixels
    runs = found_runs.find(tmp_path)
    with pytest.raises(ValueError, match=r"their crops differ .* mean_oks and AP do not depend"):
        judge(runs)
    assert len(judge(runs, metric="mean_oks")) == 3
    assert len(judge([run for run in runs if run.arm != "ce_2d"])) == 1


def test_settings_that_differ_in_their_truth_are_averaged_over(tmp_path):
    for arm in ("simcc", "ce_2d"):
        for share in (0.0, 0.5):
            config = {"data": {"occlusion": share}}
            write(tmp_path / f"{arm}_{share}", arm, config=config, covered=share)
    over, *each = judge(found_runs.find(tmp_path))
    assert over.over == ("data.occlusion",)
    assert len(each) == 2


def test_what_arms_differ_in_besides_is_told(tmp_path):
    """Once, however often the config has it; not the head's stride, which is the arm's own."""
    data = {"pool": 64, "train": {"pool": 64}}
    more = {"stride": 4, "trainer": {"max_steps": 60}, "data": data}
    write(tmp_path / "a", "ce_2d", 0, config=more)
    data = {"pool": 256, "train": {"pool": 256}}
    more = {"stride": 0.5, "trainer": {"max_steps": 20}, "data": data}
    write(tmp_path / "b", "simcc", 0, config=more)
    runs = found_runs.find(tmp_path)
    (verdict,) = judge(runs)
    told = "ce_2d also differs in data.pool (64, not 256) and trainer.max_steps (60, not 20)"
    assert verdict.notes == (told,)
    assert verdict.words.endswith(f". {told}.")
    (by_steps,) = judge(runs, by="trainer.max_steps")
    assert "stride (4, not 0.5)" in by_steps.notes[0]


def test_an_option_and_what_it_brings_are_told_once(tmp_path):
    for arm, first, name in (("a", 0, "udp"), ("b", -0.5, "center")):
        place = {"geometry": {"first": first}}
        config = place | {"data": {"train": place}, "backbone": {"options": {"depth": first}}}
        folder = write(tmp_path / arm, arm, config=config)
        RunStore(folder).update(choices={"arm": arm, "geometry": name})
    (verdict,) = judge(found_runs.find(tmp_path))
    told = "a also differs in geometry (udp, not center) and backbone.options.depth (0, not -0.5)"
    assert verdict.notes == (told,)


def test_what_differs_in_each_setting_is_told_of_all_of_them(tmp_path):
    for arm, sigma, steps in (("a", 2, 60), ("a", 4, 30), ("b", 2, 20), ("b", 4, 20)):
        config = {"trainer": {"max_steps": steps}}
        write(tmp_path / f"{arm}{sigma}", arm, sigma=sigma, config=config)
    over, *each = judge(found_runs.find(tmp_path))
    assert over.notes == ("a also differs in trainer.max_steps (60, not 20; 30, not 20)",)
    assert [v.notes for v in each] == [
        ("a also differs in trainer.max_steps (60, not 20)",),
        ("a also differs in trainer.max_steps (30, not 20)",),
    ]


def test_a_metric_that_no_joint_counts_in_is_refused(two):
    told = "metric=pixel_error_covered: on val there is no joint that counts in it (ce_2d_2_0, "
    with pytest.raises(ValueError, match=re.escape(told)):
        judge(two, metric="pixel_error_covered")
    with pytest.raises(ValueError, match="_covered: on test there is no joint that counts in it"):
        judge(two, metric="pixel_error_covered", decoder="dark")


@pytest.mark.parametrize("size", ["-2", "0", "nan", "inf"])
def test_a_distance_within_which_nothing_is_found_is_refused(size, two):
    with pytest.raises(ValueError, match=f"metric=PCK@{size}px: the distance must be greater"):
        judge(two, metric=f"PCK@{size}px")


def test_predictions_that_are_gone_or_damaged_are_named_with_what_helps(tmp_path):
    runs = sweep(tmp_path, {"simcc": 0.4, "ce_2d": 0.0}, seeds=(0, 1))
    file = runs[2].folder / "predictions.parquet"
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"simcc_2_0: its predictions\.parquet is damaged: .*run="):
        judge(runs)
    file.unlink()
    with pytest.raises(
        ValueError, match=r"predictions\.parquet is missing \(heatmap-evaluate run="
    ):
        judge(runs)


def test_predictions_that_are_no_numbers_are_neither_chosen_nor_compared(tmp_path):
    runs = sweep(tmp_path, {"simcc": 0.4, "ce_2d": 0.0}, seeds=(0, 1))
    store = RunStore(runs[0].folder)
    table = store.read_predictions()
    dark = np.array(table["decoder"].to_pylist()) == "dark"
    x = pa.array(
        np.where(dark, np.nan, table["x"].to_numpy()).astype(np.float32), from_pandas=False
    )
    store.write_predictions(table.set_column(table.column_names.index("x"), "x", x))
    (verdict,) = judge(runs)
    assert (verdict.decoder, verdict.other_decoder) == ("argmax", "dark")
    with pytest.raises(ValueError, match="that are no numbers cannot be compared: ce_2d_2_0"):
        judge(runs, decoder="dark")


def test_an_unknown_metric_is_refused(two):
    with pytest.raises(ValueError, match=r"metric=speed: choose one .* pixel_error.*, AP"):
        judge(two, metric="speed")


def columns(table: pa.Table) -> dict[str, np.ndarray]:
    return {name: table[name].to_numpy() for name in table.column_names}


def people_rows(run, stage: str, decoder: str) -> dict[str, np.ndarray]:
    """(person, joint) of each column."""
    rows = columns(run.predictions(stage, decoder))
    return {name: column.reshape(-1, JOINTS) for name, column in rows.items()}


def results(run) -> None:
    """As people are stored who have been scored."""
    for stage in ("val", "test"):
        for decoder in SPREADS:
            rows = people_rows(run, stage, decoder)
            points = np.stack([rows["x_source"], rows["y_source"]], -1).astype(float)
            found = Found(rows["image"][:, 0], points, rows["score"][:, 0].astype(float))
            RunStore(run.folder).write_results(stage, decoder, found.results(1))


def official_ap(run, decoder: str) -> float:
    rows = people_rows(run, "test", decoder)
    truth = np.stack([rows[n] for n in ("x_true_source", "y_true_source", "visible")], -1)
    image, area = rows["image"][:, 0], rows["scale"][:, 0].astype(float) ** 2
    boxes, crowd = np.zeros((len(area), 4)), np.zeros(len(area), bool)
    people = People(image, truth.astype(float), area, boxes, crowd)
    stored = json.loads((run.folder / "results" / f"test_{decoder}.json").read_text())
    points = np.array([one["keypoints"] for one in stored]).reshape(-1, JOINTS, 3)[..., :2]
    found = Found(image, points, np.array([one["score"] for one in stored]))
    return average_precision.evaluate(people, found, np.array(TOLERANCES))["AP"]


def test_ap_is_the_official_one_of_what_was_scored(tmp_path):
    runs = sweep(tmp_path, {"simcc": 1.5, "ce_2d": 0.0}, seeds=(0, 1))
    for run in runs:
        results(run)
    (verdict,) = judge(runs, metric="AP")
    aps = {(run.arm, run.seed): official_ap(run, "dark") for run in runs}
    expected = np.mean([aps["ce_2d", seed] - aps["simcc", seed] for seed in (0, 1)])
    assert verdict.interval.estimate == pytest.approx(expected, abs=1e-12)
    assert verdict.better
    assert verdict.interval.method == "two-way random effects, images by bootstrap"
    assert verdict.words.startswith("ce_2d (dark)")
    again = judge(runs, metric="AP")[0]
    assert again.interval == verdict.interval
    with pytest.raises(ValueError, match="resamples=10: AP needs 1000 or more"):
        judge(runs, metric="AP", resamples=10)


def annotated(file: Path, run, missed: int) -> Path:
    """The people of a run's test, and some in its last image whom nobody predicted."""
    rows = people_rows(run, "test", "dark")
    points = np.stack([rows[n] for n in ("x_true_source", "y_true_source", "visible")], -1)
    image = rows["image"][:, 0]
    people = list(zip(image.tolist(), points, strict=True))
    people += [(int(image[-1]), points[0] + np.array([500, 0, 0]))] * missed
    category = {"id": 1, "name": "person", "keypoints": NAMES, "sigmas": TOLERANCES}
    content = {
        "images": [
            {"id": number, "file_name": f"{number}.jpg", "width": 900, "height": 900}
            for number in np.unique(image).tolist()
        ],
        "annotations": [
            {
                **{"id": n, "image_id": number, "category_id": 1, "iscrowd": 0},
                **{"bbox": [0.0, 0.0, 60.0, 60.0], "area": 900.0},
                "num_keypoints": int((joints[:, 2] > 0).sum()),
                "keypoints": joints.astype(float).ravel().tolist(),
            }
            for n, (number, joints) in enumerate(people, 1)
        ],
        "categories": [category],
    }
    file.write_text(json.dumps(content))
    return file


def test_ap_counts_the_annotated_whom_nobody_predicted(tmp_path):
    """As pycocotools counts them."""
    runs = sweep(tmp_path / "runs", {"simcc": 1.5, "ce_2d": 0.0}, seeds=(0, 1))
    file = annotated(tmp_path / "people.json", runs[0], missed=40)
    for run in runs:
        results(run)
        config = run.record["config"] | {"data": {"test": {"annotations": str(file)}, "val": {}}}
        RunStore(run.folder).update(config=config)
    (verdict,) = judge(found_runs.find(tmp_path / "runs"), metric="AP", decoder="dark")
    aps = {(run.arm, run.seed): coco_ap(file, run) for run in runs}
    expected = np.mean([aps["ce_2d", seed] - aps["simcc", seed] for seed in (0, 1)])
    assert verdict.interval.estimate == pytest.approx(expected, abs=1e-9)
    assert max(aps.values()) < 0.8  # of 120 people, 40 are missed
    assert verdict.images == IMAGES


def coco_ap(file: Path, run) -> float:
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(file))
        found = truth.loadRes(str(run.folder / "results" / "test_dark.json"))
        scored = COCOeval(truth, found, "keypoints")
        scored.params.kpt_oks_sigmas = np.array(TOLERANCES)
        scored.evaluate()
        scored.accumulate()
        scored.summarize()
    return float(scored.stats[0])


def test_ap_of_other_annotations_is_refused(tmp_path):
    for name, arm in (("a", "simcc"), ("b", "ce_2d")):
        run = found_runs.find(write(tmp_path / name, arm))[0]
        file = annotated(tmp_path / f"{name}.json", run, missed=int(arm == "simcc"))
        config = run.record["config"] | {"data": {"test": {"annotations": str(file)}, "val": {}}}
        RunStore(run.folder).update(config=config)
        results(run)
    with pytest.raises(ValueError, match=r"a and b have .* they are of other people or joints"):
        judge(found_runs.find(tmp_path), metric="AP", decoder="dark")


def test_ap_without_scored_people_is_refused(two):
    with pytest.raises(ValueError, match="AP needs its scored people"):
        judge(two, metric="AP")


def test_a_usual_store_is_judged_in_seconds(tmp_path):
    """12 runs, 6 decoders, 1000 people or more, 17 joints."""
    spreads = {name: 1.0 + n for n, name in enumerate("abcdef")}
    more = {"spreads": spreads, "images": 500, "joints": 17}
    runs = sweep(tmp_path, {"simcc": 0.4, "ce_2d": 0.0}, sigmas=(2, 4), **more)
    for run in runs:
        val = {name: {"pixel_error": spread} for name, spread in spreads.items()}
        RunStore(run.folder).update(metrics={"val": val})
    runs = found_runs.find(tmp_path)
    began = time.process_time()
    assert len(judge(runs)) == 3
    assert time.process_time() - began < 5
