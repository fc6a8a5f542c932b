"""Which evaluation tells how wide a run's ellipses have to be."""

import os
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from heatmap_research.config import of_run
from heatmap_research.runs.store import RunStore
from heatmap_research.runs.widening import fitted

OPTION = {"_target_": "dark"}
WEIGHTS = Path("checkpoints/weights.safetensors")


def evaluated(place: Path, age: int, factor: float | None, **facts: Any) -> None:
    store = RunStore(place)
    known = {
        "status": "finished",
        "flip_test": False,
        "config": {"decoder": {"dark": OPTION}},
        "metrics": {"val": {"dark": {"widening": factor}}},
        "checkpoint": "elsewhere/checkpoints/weights.safetensors",
        "as_trained": True,
    }
    store.update(**known | facts)
    os.utime(store.record, (1e9 - age, 1e9 - age))


def found(run: Path, **asked: Any) -> float | None:
    usual = {"decoder": "dark", "option": OPTION, "flip_test": False, "weights": WEIGHTS}
    return fitted(run, **usual | asked)


def test_the_last_evaluation_of_the_same_answers_tells_the_factor(tmp_path):
    assert found(tmp_path) is None
    evaluated(tmp_path, 9, 0.9)
    assert found(tmp_path) == 0.9  # a training that counted it
    evaluated(tmp_path / "evaluate" / "a", 5, 0.5)
    evaluated(tmp_path / "evaluate" / "b", 7, 0.7)
    assert found(tmp_path) == 0.5
    assert found(tmp_path, weights=Path("checkpoints/last.ckpt")) == 0.5


@pytest.mark.parametrize(
    "other",
    [
        {"as_trained": False},
        {"flip_test": True},
        {"config": {"decoder": {"dark": {"_target_": "dark", "window": 3}}}},
        {"config": {"decoder": {"argmax": {}}}},
        {"metrics": {"test": {"dark": {"within_68": 0.6}}}},
        {"metrics": {"val": {"dark": {"widening": None}}}},
        {"checkpoint": "elsewhere/checkpoints/best.ckpt"},
    ],
    ids=str,
)
def test_an_evaluation_of_other_answers_tells_none(tmp_path, other):
    evaluated(tmp_path / "evaluate" / "a", 5, 0.5, **other)
    assert found(tmp_path) is None


def test_weights_kept_for_another_reason_have_a_factor_of_their_own(tmp_path):
    evaluated(tmp_path, 9, 0.9)
    best = "elsewhere/checkpoints/best.ckpt"
    evaluated(tmp_path / "evaluate" / "a", 5, 0.5, checkpoint=best)
    assert found(tmp_path, weights=Path("checkpoints/best.ckpt")) == 0.5
    assert found(tmp_path) == 0.9


@pytest.mark.parametrize(
    ("changes", "own"),
    [
        ({"flip_test": True}, True),
        ({"data.workers": 7, "trainer.precision": "bf16-mixed", "evaluate": ["val"]}, True),
        ({"data.val.pool": 8}, False),
        ({"image_size": [64, 32]}, False),
    ],
    ids=str,
)
def test_an_evaluation_reads_the_data_of_its_run_unless_they_are_changed(smoke, changes, own):
    cfg = OmegaConf.create({"name": "x", **dict.fromkeys(of_run.GROUPS), "change": {}})
    for key, value in changes.items():
        OmegaConf.update(cfg, f"change.{key}", value, force_add=True)
    merged = of_run.changed(cfg, smoke)
    assert of_run.reads_as_trained(merged, smoke) is own
