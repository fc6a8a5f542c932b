"""COCO's images, and sets of other joints, through the commands; skipped without HEATMAP_DATA."""

import contextlib
import io
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import running
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from heatmap_research.network.efficientnet_lite0 import imagenet_weights
from heatmap_research.runs.store import RunStore

DATA = Path(os.environ.get("HEATMAP_DATA", "nowhere"))
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="HEATMAP_DATA names no folder of real data"
)
COCO_TESTS = DATA / "coco_tests"
SMALL = ("trainer=smoke", "image_size=[64,48]", "data.batch_size=8", "data.workers=0")
FIGURES = (
    *("AP", "AP50", "AP75", "AP_medium", "AP_large"),
    *("AR", "AR50", "AR75", "AR_medium", "AR_large"),
)


def custom(name, **files):
    folder = DATA / name
    train, val = (folder / "annotations" / f"{name}_{part}.json" for part in ("train", "val"))
    return (
        "data=custom",
        f"data.train.annotations={train}",
        f"data.train.images={folder / 'images'}",
        f"data.val.annotations={val}",
        f"data.val.images={folder / 'images'}",
    )


def official(annotations, results, sigmas=None):
    """What pycocotools itself makes of a written file, nan where it says -1."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotations))
        scored = COCOeval(truth, truth.loadRes(str(results)), "keypoints")
        if sigmas is not None:
            scored.params.kpt_oks_sigmas = sigmas
        scored.evaluate()
        scored.accumulate()
        scored.summarize()
    return [math.nan if value < 0 else value for value in scored.stats]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return running.train(
        tmp_path_factory.mktemp("coco") / "run",
        *("data=coco", f"data.root={COCO_TESTS}", *SMALL),
        *("metric=[coco_ap,mean_oks,pixel_error]", "decoder=[argmax,dark]"),
        "trainer.limit_test_batches=1.0",
    )


@pytest.mark.parametrize("decoder", ["argmax", "dark"])
def test_a_written_file_scores_with_pycocotools_what_the_run_says(run, decoder):
    metrics = RunStore(run).read()["metrics"]["test"][decoder]
    annotations = COCO_TESTS / "annotations" / "person_keypoints_val2017.json"
    expected = official(annotations, run / "results" / f"test_{decoder}.json")
    found = [metrics[name] for name in FIGURES]
    found = [math.nan if value is None else value for value in found]
    assert found == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_a_run_on_coco_says_whose_boxes_it_cropped(run):
    record = RunStore(run).read()
    assert record["status"] == "finished"
    assert record["boxes"] == "gt"


def test_every_learnable_person_is_predicted_once(run):
    rows = running.predictions(run)
    people = {row["instance"] for row in rows if row["stage"] == "test"}
    assert len(people) == 18  # of 44, those with a labelled joint and a box
    assert len([r for r in rows if r["stage"] == "test" and r["decoder"] == "dark"]) == 18 * 17


@pytest.mark.parametrize(("name", "joints"), [("lspet", 14), ("dlc_openfield", 4)])
def test_a_set_of_other_joints_needs_nothing_but_its_files(name, joints, tmp_path):
    few = (
        "trainer.limit_val_batches=1.0",
        "data.batch_size=32",
        "decoder=[dark]",
        "metric=[coco_ap,pixel_error]",
        f"data.sigmas=[{','.join(f'{0.04 + 0.01 * joint:.2f}' for joint in range(joints))}]",
    )
    run = running.train(
        tmp_path / "run", *custom(name), *SMALL[:2], "data.workers=0", *few, "evaluate=[val]"
    )
    record = RunStore(run).read()
    assert len(record["config"]["names"]) == joints
    sigmas = np.array(record["config"]["tolerances"])
    annotations = DATA / name / "annotations" / f"{name}_val.json"
    expected = official(annotations, run / "results" / "val_dark.json", sigmas)
    found = [record["metrics"]["val"]["dark"][figure] for figure in FIGURES]
    found = [math.nan if value is None else value for value in found]
    assert found == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_the_preset_of_lspet_is_its_files_by_name(tmp_path):
    few = ("trainer.max_steps=2", "decoder=[dark]", "evaluate=[]")
    run = running.train(tmp_path / "run", "data=lspet", f"data.root={DATA / 'lspet'}", *SMALL, *few)
    assert RunStore(run).read()["status"] == "finished"


def test_a_trunk_that_has_seen_photographs_is_trained_on_lspet_and_read_on_its_test(tmp_path):
    few = ("trainer=smoke", "data.train.first=64", "decoder=[dark]", "metric=[pixel_error]")
    few += ("image_size=[64,64]", "data.batch_size=16", "data.workers=0", "augment=none")
    few += ("monitor=pixel_error", "monitor_mode=min")
    run = running.train(tmp_path / "run", "data=lspet", "backbone=efficientnet_lite0", *few)
    before, after = imagenet_weights()["conv_stem.weight"], running.weights(run)
    change = after["net.backbone.net.conv_stem.weight"] - before
    assert 0 < float(change.abs().max()) < 0.1  # it starts from the package's and learns
    images = {row["image"] for row in running.predictions(run) if row["stage"] == "test"}
    assert len(images) == 32
    assert 8001 <= min(images) < max(images) < 9001  # lspet_test, before the numbers of val


@pytest.mark.slow  # tests/metrics and tests/training have it on drawn figures
def test_two_processes_have_the_figures_of_one(tmp_path):
    """On 19 people: 10 for one process, 9 for the other."""
    odd = COCO_TESTS / "annotations" / "person_keypoints_train2017.json"
    (images,) = COCO_TESTS.glob("**/train2017")
    same = tuple(
        f"data.{s}.{k}={v}"
        for s in ("train", "val")
        for k, v in (("annotations", odd), ("images", images))
    )
    same += (
        "data=custom",
        "image_size=[64,48]",
        "data.batch_size=4",
        "data.workers=0",
        "backbone=test_resnet",
        "trainer.max_steps=1",
        "decoder=[dark]",
    )
    same += ("metric=[coco_ap,pck,mean_oks,pixel_error]", "trainer.log_every_n_steps=1")
    run = running.train(tmp_path / "one", *same, "trainer=cpu")
    again = ("name=two", "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")
    done = running.script(
        "evaluate", f"run={run}", *again, "trainer.precision=32-true", cwd=tmp_path, timeout=120
    )
    assert done.status == 0, done.err
    one = RunStore(run).read()["metrics"]["test"]["dark"]
    found = RunStore(run / "evaluate" / "two").read()["metrics"]
    two = running.without_ellipses(found)["test"]["dark"]
    assert two == pytest.approx(one, abs=1e-6, nan_ok=True)
    written = [
        json.loads((f / "results" / "test_dark.json").read_text())
        for f in (run, run / "evaluate" / "two")
    ]
    assert len(written[0]) == len(written[1])


@pytest.mark.parametrize("arm", [pytest.param("mse_2d", marks=pytest.mark.slow), "simcc"])
def test_eight_people_can_be_learnt_by_heart_in_either_layout(arm, tmp_path):
    eight = (
        "data=coco",
        f"data.root={COCO_TESTS}",
        "overfit=1",
        "data.batch_size=8",
        "augment=none",
    )
    size = ("image_size=[96,72]", "sigma=4", "decoder=[dark]", "metric=[coco_ap]")
    long = ("trainer.max_steps=150", "trainer.check_val_every_n_epoch=1000", "evaluate=[val]")
    options = (f"arm={arm}", *eight, *size, *long, "data.workers=0", "optimizer.lr=0.003")
    run = running.train(tmp_path / "run", *options)
    assert RunStore(run).read()["metrics"]["val"]["dark"]["AP"] >= 0.9


def test_a_run_is_evaluated_on_another_preset(run):
    again = ("name=preset", "data=coco", f"data.root={COCO_TESTS}", "metric=[mean_oks]")
    running.succeed("evaluate", f"run={run}", *again, "data.workers=0", cwd=run.parent)
    record = RunStore(run / "evaluate" / "preset").read()
    assert record["metrics"]["test"]["dark"].keys() == {"mean_oks"}
    assert record["skipped"] == {}
