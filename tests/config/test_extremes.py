"""Numbers at their limits, and beyond: what cannot be meant is refused from the config alone."""

import pytest
import running
from pairwise import each

from heatmap_research.config.job import prepare
from heatmap_research.runs.store import RunStore
from heatmap_research.training.build import build_trainer, wire
from heatmap_research.training.callbacks.progress import Lines
from heatmap_research.types import IncompatibleError

BEYOND = {
    "stride=0.0001": "stride=0.0001 makes 640,000 bins of",
    "sigma=1e-30": "sigma=1e-30: no map has a label so narrow",
    "anisotropy=[1e-9,1e9]": "from 0.001 to 1000",
    "seed=4294967296": "seed=4294967296: give a whole number from 0 to 4294967295",
    "seed=-1": "seed=-1: give a whole number",
    "optimizer.lr=1e38": "optimizer.lr=1e+38: give a learning rate",
    "optimizer.lr=-0.1": "optimizer.lr=-0.1: give a learning rate",
    "optimizer.lr=.nan": "give a learning rate",
    "trainer.max_steps=-1": "trainer.max_steps=-1 leaves the length to trainer.max_epochs",
    "trainer.max_steps=0": "trainer.max_steps=0: give a number of steps",
    "trainer.max_steps=-7": "trainer.max_steps=-7: give a number of steps",
    "trainer.max_epochs=-2": "trainer.max_epochs=-2: give a number of epochs",
    "trainer.gradient_clip_val=-1": "trainer.gradient_clip_val=-1: give a norm above 0",
}
LIMITS = ("sigma=0.05", "sigma=60", "seed=4294967295", "stride=1/16", "anisotropy=[0.5,2]")


@each(override=BEYOND)
def test_a_number_that_cannot_be_meant_is_refused(override):
    with pytest.raises(IncompatibleError) as told:
        prepare(running.compose(override), {})
    assert BEYOND[override] in str(told.value)
    assert "\n" not in str(told.value)


@each(override=LIMITS)
def test_a_number_at_its_limit_is_taken(override):
    prepare(running.compose(override), {})


def test_a_length_in_epochs_is_taken():
    prepare(running.compose("trainer.max_steps=-1", "trainer.max_epochs=3"), {})


@each(precision=["bf16-true", "64-true", "16-true"])
def test_labels_and_losses_stay_in_single_precision(precision):
    with pytest.raises(IncompatibleError, match=f"trainer.precision={precision}: choose 32-true"):
        wire(prepare(running.compose(f"trainer.precision={precision}"), {}))


def trainer_of(folder, *overrides):
    job = prepare(running.compose(f"output_dir={folder}", *overrides), {})
    return build_trainer(job, RunStore(folder), Lines(1000, job.watched))


def test_what_a_callback_goes_by_is_logged(tmp_path):
    wrong = ("callback=[early_stopping]", "callback.early_stopping.monitor=val/argmax/nme")
    with pytest.raises(IncompatibleError) as told:
        trainer_of(tmp_path, *wrong)
    assert str(told.value) == (
        "EarlyStopping goes by val/argmax/nme, which is not logged: choose monitor=pixel_error."
    )


@each(chosen=["monitor=pixel_error", "monitor=argmax/pixel_error", "callback.best.monitor=lr"])
def test_what_is_logged_can_be_gone_by(chosen, tmp_path):
    trainer_of(tmp_path, "metric=[pixel_error,pck]", "callback=[best,early_stopping]", chosen)
