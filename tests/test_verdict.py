"""From run folders, written as runs write them, to sentences."""

import json
import logging
import re
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from heatmap_research import average_precision
from heatmap_research.analysis import runs as found_runs
from heatmap_research.analysis.verdict.judge import judge
from heatmap_research.average_precision import Found, People
from heatmap_research.metrics.mean_oks import MeanOks
from heatmap_research.metrics.pixel_error import PixelError
from heatmap_research.run_store import PREDICTIONS, RunStore
from heatmap_research.types import Prediction, Sample

JOINTS, IMAGES = 5, 60
TOLERANCES = [0.05, 0.06, 0.08, 0.1, 0.07]
SPREADS = {"argmax": 1.5, "dark": 1.0}  # pixels of an arm that adds none


def person_count(images: int) -> np.ndarray:
    """Images of one, two and three people."""
    return np.repeat(np.arange(images), 1 + np.arange(images) % 3)


def predictions(seed: int, added: float, spreads=SPREADS, images=IMAGES, joints=JOINTS) -> pa.Table:
    """Errors of images are shared by all runs; what is added is along x."""
    tables = []
    for number, stage in enumerate(("val", "test")):
        image = person_count(images)
        shape = (len(image), joints)
        shared, own = np.random.default_rng(number), np.random.default_rng([number, seed])
        truth = shared.uniform(10, 50, (*shape, 2))
        visible = np.where(shared.random(shape) < 0.1, 0, 2)
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
                for axis, name in enumerate("xy"):
                    columns[name + suffix] = factor * places[..., axis].ravel()
                    columns[f"{name}_true{suffix}"] = factor * truth[..., axis].ravel()
            length = len(image) * joints
            columns |= {"stage": [stage] * length, "decoder": [decoder] * length}
            arrays = [pa.array(columns[name]) for name in PREDICTIONS.names]
            tables.append(pa.table(arrays, names=PREDICTIONS.names).cast(PREDICTIONS))
    return pa.concat_tables(tables).unify_dictionaries()


def write(folder: Path, arm="simcc", seed=0, added=0.0, sigma=2, status="finished", **more) -> Path:
    config = {"seed": seed, "sigma": sigma, "stride": 1, "tolerances": TOLERANCES, "joints": None}
    config |= {"data": {"test": {}, "val": {}}, "target": {"sigma": sigma}}
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


def mean_error(run, decoder: str, stage: str = "test") -> float:
    """By the metric itself."""
    prediction, batch = as_batch(run, decoder, stage)
    metric = PixelError("labelled")
    metric.update(prediction, batch)
    return float(metric.compute())


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


def test_the_difference_is_that_of_the_recorded_metric(two):
    (verdict,) = judge(two)
    errors = {(run.arm, run.seed): mean_error(run, "dark") for run in two}
    expected = np.mean([errors["ce_2d", seed] - errors["simcc", seed] for seed in range(3)])
    assert (verdict.arm, verdict.other) == ("ce_2d", "simcc")
    assert verdict.interval.estimate == pytest.approx(expected, abs=1e-6)
    assert (verdict.seeds, verdict.images) == ((0, 1, 2), IMAGES)


def test_oks_is_the_mean_oks_of_the_evaluation(two):
    (verdict,) = judge(two, metric="mean_oks")
    means = {}
    for run in two:
        metric = MeanOks(TOLERANCES)
        metric.update(*as_batch(run, "dark", "test"))
        means[run.arm, run.seed] = float(metric.compute())
    expected = np.mean([means["ce_2d", seed] - means["simcc", seed] for seed in range(3)])
    assert verdict.interval.estimate == pytest.approx(expected, abs=1e-6)
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
    assert "are not told apart: they differ by 0.0" in verdict.words
    assert "would be found four times in five" in verdict.words
    assert "nor are they shown to be equivalent within 0.0001 px" in verdict.words


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
    assert "They are equivalent within 0.05 px." in verdict.words
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
    assert all(v.p_holm >= v.p for v in verdicts)
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
            RunStore(run.folder).write_results(stage, decoder, 1, found)


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
