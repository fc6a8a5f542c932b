"""What a run is watched by, with the mode that follows from the metric; AP where it means much."""

import json

import pytest
import running
import torch

from heatmap_research.config.instantiate import instantiate, with_values
from heatmap_research.config.job import prepare
from heatmap_research.config.monitor import with_mode
from heatmap_research.config.tolerances import with_tolerances
from heatmap_research.runs.store import RunStore
from heatmap_research.types import IncompatibleError, Schema

LESS = ("pixel_error", "pixel_error_covered", "pixel_error_visible", "nme", "ghosts")
MORE = {
    **{"coco_ap": "AP", "mean_oks": "mean_oks", "pck": "PCK@0.1", "pckh": "PCKh@0.5"},
    **{"pck_px": "PCK@0.25px", "pck_torso": "PCK_torso@0.2", "auc": "auc"},
}


def completed(*overrides, schema=None):
    cfg = running.compose(*overrides)
    names = ["left_shoulder", "right_hip", "nose"]
    known = schema or Schema(tuple(names), (0, 1, 2), (), (0.1, 0.1, 0.1))
    cfg = with_tolerances(with_values(cfg, names=names), known)
    return with_mode(cfg, instantiate(cfg.metric, "metric"))


def test_the_mode_follows_from_the_metric():
    figures = {name: (name, "min") for name in LESS} | {n: (f, "max") for n, f in MORE.items()}
    for monitor in ("{}", "argmax/{}"):
        found = {
            (metric, figure): completed(f"metric=[{metric}]", f"monitor={monitor.format(figure)}")
            for metric, (figure, _) in figures.items()
        }
        modes = {metric: (figure, cfg.monitor_mode) for (metric, figure), cfg in found.items()}
        assert modes == figures


def test_every_metric_either_says_which_of_its_figures_is_better_or_has_no_such_figure():
    assert {*LESS, *MORE} == {*running.options("metric")} - {"breakdown", "ellipses"}


def test_a_mode_that_would_keep_the_worst_weights_is_refused():
    with pytest.raises(IncompatibleError, match="of nme less is better, so this would keep the wo"):
        completed("metric=[nme]", "monitor=nme", "monitor_mode=max")
    assert completed("metric=[nme]", "monitor=nme", "monitor_mode=min").monitor_mode == "min"
    with pytest.raises(IncompatibleError, match="monitor_mode=least: leave it out, or give min"):
        completed("monitor_mode=least")


def test_a_figure_that_nothing_gives_is_refused_before_a_callback_waits_for_it():
    asked = ("metric=[nme]", "monitor=AP")
    assert completed(*asked).monitor_mode == "min"  # nobody watches it
    with pytest.raises(
        IncompatibleError, match=r"none of metric=\[nme\] says .* choose monitor=nme"
    ):
        completed(*asked, "callback=[best]")
    given = ("metric=[breakdown]", "monitor=error_px", "callback=[best]", "monitor_mode=min")
    assert completed(*given).monitor_mode == "min"


UNKNOWN = Schema(("left_shoulder", "right_hip", "nose"), (0, 1, 2), (), (0.05,) * 3, False)


def test_ap_and_oks_are_left_out_where_nobody_has_measured_the_tolerances():
    cfg = completed("metric=[pixel_error,nme,mean_oks,coco_ap,breakdown]", schema=UNKNOWN)
    assert list(cfg.metric) == ["pixel_error", "nme", "breakdown"]
    assert cfg.tolerances is None
    with pytest.raises(IncompatibleError, match=r"metric=\[coco_ap\]: it needs OKS tolerances"):
        completed("metric=[coco_ap]", schema=UNKNOWN)


def own_data(folder, **category):
    """Eight mice in noise, with boxes of 20 by 10 pixels."""
    from PIL import Image

    draw = torch.Generator().manual_seed(0)
    images, mice = [], []
    for number in range(1, 9):
        pixels = torch.randint(0, 256, (30, 40, 3), generator=draw, dtype=torch.uint8)
        Image.fromarray(pixels.numpy()).save(folder / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 40, "height": 30})
        points = [12, 11, 2, 25, 14, 2]
        mice.append(
            {"id": number, "image_id": number, "category_id": 1, "keypoints": points}
            | {"bbox": [10, 10, 20, 10], "area": 200}
        )
    kind = {"id": 1, "name": "mouse", "keypoints": ["snout", "tailbase"], **category}
    content = {"images": images, "annotations": mice, "categories": [kind]}
    (folder / "mice.json").write_text(json.dumps(content))
    stages = [
        f"data.{s}.{k}={v}"
        for s in ("train", "val")
        for k, v in (("annotations", folder / "mice.json"), ("images", folder))
    ]
    return ("data=custom", *stages, "image_size=[32,32]", "data.workers=0", "data.batch_size=8")


def test_own_data_are_watched_by_the_mean_error_and_have_ap_once_the_file_gives_sigmas(tmp_path):
    job = prepare(running.compose(*own_data(tmp_path)), {})
    assert (job.watched, job.config.monitor_mode) == ("val/argmax/pixel_error", "min")
    assert list(job.config.metric) == ["pixel_error", "nme"]
    job = prepare(running.compose(*own_data(tmp_path, sigmas=[0.1, 0.2])), {})
    assert list(job.config.metric) == ["pixel_error", "nme", "mean_oks", "coco_ap"]
    assert job.config.tolerances == [0.1, 0.2]


def test_a_flip_test_is_refused_where_a_side_has_no_mirror_joint(tmp_path):
    alone = own_data(tmp_path, keypoints=["left_ear", "tailbase"])
    with pytest.raises(
        IncompatibleError, match="flip_test=true: a joint of these data is called l"
    ):
        prepare(running.compose(*alone, "flip_test=true"), {})


def test_the_best_weights_by_nme_are_those_of_least_nme_and_both_errors_are_printed(tmp_path):
    """What went wrong before: with the mode of AP the largest nme was kept."""
    watched = ("monitor=nme", "callback=[best]", "trainer.check_val_every_n_epoch=1")
    steps = ("trainer.max_steps=4", "trainer.limit_val_batches=1.0", "evaluate=[val]")
    done = running.succeed(
        "train", *own_data(tmp_path), *watched, *steps, "hydra.run.dir=run", "decoder=[argmax]",
        "trainer=smoke", cwd=tmp_path,
    )  # fmt: skip
    lines = [line.split(":")[0].strip() for line in done.out.splitlines()]
    assert [line for line in lines if line.startswith("val")] == ["val pixel_error", "val nme"]
    kept = torch.load(tmp_path / "run" / "checkpoints" / "best.ckpt", weights_only=False)
    (state,) = (s for k, s in kept["callbacks"].items() if k.startswith("ModelCheckpoint"))
    followed = running.logged(tmp_path / "run", "val/argmax/nme")
    assert len(set(followed)) > 1
    assert float(state["best_model_score"]) == pytest.approx(min(followed))
    figures = RunStore(tmp_path / "run").read()["metrics"]["val"]["argmax"]
    assert figures.keys() == {"pixel_error", "nme"}
