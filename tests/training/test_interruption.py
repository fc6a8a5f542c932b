"""A run that is told to end says so, whatever it was doing, and goes on from there."""

import signal
from pathlib import Path

import pytest
import running
from running import SMOKE

from heatmap_research.runs.store import RunStore

SHORT = (*SMOKE, "decoder=[argmax]", "trainer.max_steps=3", "+trainer.val_check_interval=2")


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> str:
    """A folder with callback=told."""
    folder = tmp_path_factory.mktemp("conf")
    (folder / "callback").mkdir()
    text = f"told:\n  _target_: running.SignalIn\n  hook: ???\n  number: {int(signal.SIGTERM)}\n"
    (folder / "callback" / "told.yaml").write_text(text)
    return str(folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return running.train(tmp_path_factory.mktemp("whole") / "run", *SHORT)


def ended(told: str, run: Path, hook: str, *more: str) -> running.Finished:
    line = ("--config-dir", told, f"hydra.run.dir={run}", *SHORT, "callback=[told]")
    return running.command("train", *line, f"callback.told.hook={hook}", *more, cwd=run.parent)


@pytest.mark.parametrize(
    "hook",
    [
        "on_fit_start",  # Lightning's handlers are not there yet
        "on_validation_batch_end",  # within training: the step after it
        "on_train_end",  # all steps are done, and none of the evaluation is
        "on_test_batch_end",
    ],
)
def test_a_run_that_is_terminated_is_interrupted_and_goes_on(hook, told, whole, tmp_path):
    run = tmp_path / "run"
    done = ended(told, run, hook)
    assert done.status == 130, done.out + done.err
    assert "Traceback" not in done.out + done.err
    assert RunStore(run).read()["status"] == "interrupted"
    if hook == "on_fit_start":  # nothing to go on from yet
        return
    assert f"to go on: heatmap-train resume={run}" in done.out + done.err
    done = running.command("train", f"resume={run}", "callback.told.hook=none", cwd=tmp_path)
    assert done.status == 0, done.out + done.err
    running.assert_same_weights(run, whole)
    assert running.predictions(run) == running.predictions(whole)
