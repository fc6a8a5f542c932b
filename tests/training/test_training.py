import csv
import itertools
import json
import math
import signal
from collections import defaultdict
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import pytorch_lightning as pl
import running
import torch
from options import LOSSES, NDIMS, STRIDES, labels_of, perfect_scores, uniform_keypoints
from pairwise import each
from running import build, build_data
from timm.optim import param_groups_weight_decay
from torch import nn

from heatmap_research.codec.codec import Codec
from heatmap_research.codec.decoders.dark import Dark
from heatmap_research.codec.grid import Grid
from heatmap_research.codec.targets.gaussian import Gaussian
from heatmap_research.config.job import prepare
from heatmap_research.metrics.ghosts import is_apart
from heatmap_research.runs.store import RunStore
from heatmap_research.training.build import build_trainer
from heatmap_research.training.callbacks.interruption import InterruptedRunError, Interruption
from heatmap_research.training.callbacks.progress import Lines
from heatmap_research.training.schedules.cosine import Cosine
from heatmap_research.training.schedules.multi_step import MultiStep
from heatmap_research.training.schedules.one_cycle import OneCycle
from heatmap_research.training.task import KeypointTask
from heatmap_research.types import IncompatibleError, Schema

JOINTS = 13
COLUMNS = [
    "stage",
    "image",
    "instance",
    "joint",
    "decoder",
    "flip_test",
    "x",
    "y",
    "x_true",
    "y_true",
    "x_source",
    "y_source",
    "x_true_source",
    "y_true_source",
    "score",
    "visible",
    "scale",
    "x_other",
    "y_other",
]
FACTS = {
    "version",
    "status",
    "config",
    "config_hash",
    "seed",
    "commit",
    "source_hash",
    "versions",
    "device",
    "parameters",
    "macs",
    "seconds",
    "peak_memory",
    "boxes",
    "score",
    "flip_test",
    "decoders",
    "metrics",
}

# 128 steps of 32 batches an epoch, logged often enough to be compared.
LONG = (
    "image_size=[32,32]",
    "trainer.max_steps=128",
    "trainer.log_every_n_steps=16",
    "data.batch_size=8",
    "data.pool=256",
    "data.val.pool=16",
    "data.test.pool=16",
    "data.device=cpu",
    "decoder=[argmax,dark]",
)
EVERYTHING = (
    "ema=0.9",
    "trainer.accumulate_grad_batches=2",
    "+backbone.options.drop_path_rate=0.2",
    "trainer.max_steps=64",
)
HABITS = {"plainly": (), "with averages, accumulation and dropout": EVERYTHING}


def fit(folder, *overrides, callbacks=()):
    """In this process, so that a test can look inside."""
    cfg = running.compose(*running.SMOKE, f"output_dir={folder}", *overrides)
    trainer = build_trainer(
        prepare(cfg, {}), RunStore(folder), Lines(1000, "val/argmax/pixel_error")
    )
    trainer.callbacks[-1:-1] = callbacks
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    task, data = build(cfg), build_data(cfg)
    trainer.fit(task, data)
    return trainer, task, data


def untrained(*overrides):
    cfg = running.compose(*running.TINY, *overrides)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    return {name: value.clone() for name, value in build(cfg).state_dict().items()}


def decoders_of(run):
    return json.loads((run / "run.json").read_text())["decoders"]


# What a run leaves behind


def test_a_run_says_what_it_was(smoke):
    record = json.loads((smoke / "run.json").read_text())
    assert record.keys() >= FACTS
    assert record["version"] == 1
    assert record["status"] == "finished"
    assert record["steps"] == 4
    assert record["config"]["image_size"] == [32, 32]
    assert record["boxes"] == "exact"
    assert "soft_argmax" in record["decoders_not_applicable"]
    for stage, decoder in itertools.product(("val", "test"), record["decoders"]):
        assert math.isfinite(record["metrics"][stage][decoder]["pixel_error"])


def test_a_run_keeps_its_config_its_weights_and_its_curves(smoke):
    assert (smoke / ".hydra" / "config.yaml").is_file()
    assert (smoke / "checkpoints" / "last.ckpt").is_file()
    assert len(running.logged(smoke, "train/loss")) == 2


def test_a_run_counts_its_own_weights(smoke):
    record = json.loads((smoke / "run.json").read_text())
    names = dict(build(running.compose(*running.TINY)).net.named_parameters())
    assert record["parameters"] == sum(parameter.numel() for parameter in names.values())


def test_predictions_have_a_row_per_instance_joint_decoder_and_stage(smoke):
    table = pq.read_table(smoke / "predictions.parquet")
    assert table.column_names == COLUMNS
    found = [(r["stage"], r["instance"], r["joint"], r["decoder"]) for r in table.to_pylist()]
    firsts = {"val": 0, "test": 10_000_000}
    wanted = [
        (stage, first + i, joint, decoder)
        for stage, first in firsts.items()
        for i in range(32)
        for joint in range(JOINTS)
        for decoder in decoders_of(smoke)
    ]
    assert sorted(found) == sorted(wanted)
    assert table["image"] == table["instance"]  # one person an image


def test_the_metrics_of_a_run_follow_from_its_predictions(smoke):
    metrics = json.loads((smoke / "run.json").read_text())["metrics"]
    errors = defaultdict(list)
    for row in running.predictions(smoke):
        if row["visible"] > 0:
            error = math.dist((row["x"], row["y"]), (row["x_true"], row["y_true"]))
            errors[row["stage"], row["decoder"]].append(error)
    for (stage, decoder), found in errors.items():
        mean = sum(found) / len(found)
        assert metrics[stage][decoder]["pixel_error"] == pytest.approx(mean, rel=1e-5)


def test_a_net_trained_on_merged_labels_shows_both_figures(folder):
    choices = ("arm=ce_2d", "target=merged", "data.distractor=1", "data.batch_size=8")
    steps = ("overfit=1", "trainer.max_steps=50", "optimizer.lr=0.01")
    _, task, data = fit(folder / "merged", *choices, *steps)
    batch = data.collate([data.dataset("train")[i] for i in range(8)])
    with torch.inference_mode():
        (maps,) = task.eval().activated(batch.image)
    apart = is_apart(batch.keypoints, batch.others)
    for figure in (batch.keypoints, batch.others):  # each is labelled with half of the mass
        near = _mass_near(maps, task.codec.grid.split(figure)[0])
        assert 0.3 < near[apart].mean() < 0.6


def _mass_near(maps, position):
    bins = torch.cartesian_prod(*map(torch.arange, maps.shape[2:]))
    near = (bins - position[..., None, :]).abs().amax(-1) < 1.5
    return (maps.flatten(2) * near).sum(-1)


def test_the_same_command_gives_the_same_bits(smoke, folder):
    again = running.train(folder / "again", *running.SMOKE)
    running.assert_same_weights(smoke, again)
    assert running.metrics(smoke) == running.metrics(again)
    assert running.predictions(smoke) == running.predictions(again)


def test_another_seed_gives_other_weights(smoke, folder):
    other = running.train(folder / "seed1", *running.SMOKE, "seed=1")
    name = "net.head.joint.weight"
    assert not torch.equal(running.weights(smoke)[name], running.weights(other)[name])


class Drawn(pl.Callback):
    """What a step may draw, once the task has seeded it."""

    def __init__(self):
        self.numbers = []

    def on_before_zero_grad(self, trainer, pl_module, optimizer):
        self.numbers.append(torch.rand(()).item())


def test_every_step_of_a_training_draws_other_numbers(tmp_path):
    drawn = Drawn()
    fit(tmp_path, "trainer.max_steps=4", callbacks=[drawn])
    assert len(set(drawn.numbers)) == len(drawn.numbers) == 4


# Learning


def test_one_batch_is_learnt_by_heart(folder):
    """Untrained, a map is flat: what it finds is as far off as a guess, some 10 px of 32."""
    run = running.train(
        folder / "overfit",
        *running.TINY,
        "overfit=1",
        "trainer.max_steps=80",
        "trainer.log_every_n_steps=10",
        "trainer.check_val_every_n_epoch=20",
        "data.batch_size=8",
        "decoder=[dark]",
        "evaluate=[val]",
    )
    losses = running.logged(run, "train/loss")
    assert losses[-1] < 0.2 * losses[0]
    metrics = json.loads((run / "run.json").read_text())["metrics"]
    assert metrics["val"]["dark"]["pixel_error"] < 2.0


@pytest.fixture(scope="module")
def long(folder: Path) -> dict[str, Path]:
    """Uninterrupted runs, by what they were trained with."""
    return {
        habit: running.train(folder / f"long{i}", *LONG, *options)
        for i, (habit, options) in enumerate(HABITS.items())
    }


def test_a_run_logs_what_its_arms_are_compared_by(long):
    run = long["plainly"]
    for name in ("lr", "train/loss", "train/excess", "train/neck_gradient"):
        found = running.logged(run, name)
        assert len(found) == 8, name
        assert all(math.isfinite(value) for value in found), name
    assert min(running.logged(run, "train/neck_gradient")) > 0


def test_a_run_logs_how_many_samples_it_trains_on_a_second(long):
    with (long["plainly"] / "metrics.csv").open(newline="") as file:
        found = [row["train/images_per_second"] for row in csv.DictReader(file)]
    assert any(float(rate) > 0 for rate in found if rate)


def test_squared_error_has_nothing_it_cannot_reach(long):
    run = long["plainly"]
    assert running.logged(run, "train/excess") == running.logged(run, "train/loss")


def test_a_likelihood_is_never_below_its_labels_entropy(experiments):
    """And begins there at log(bins) minus it, where a map is flat."""
    for run in sorted(path.parent for path in experiments["demo"].glob("*/run.json")):
        loss = json.loads((run / "run.json").read_text())["config"]["loss"]["_target_"]
        excess, total = running.logged(run, "train/excess"), running.logged(run, "train/loss")
        assert min(excess) > 0
        if loss.endswith("CrossEntropy"):
            assert all(e < t for e, t in zip(excess, total, strict=True))


# Stopping and going on


@pytest.fixture(scope="module")
def stop(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with callback=stop."""
    folder = tmp_path_factory.mktemp("conf")
    (folder / "callback").mkdir()
    (folder / "callback" / "stop.yaml").write_text(
        "stop:\n  _target_: running.SignalAt\n  batch: ???\n  number: ???\n"
    )
    return str(folder)


def interrupted(folder, stop, number, *options, batch=78):
    """In the middle of epoch 2, and of what is accumulated."""
    where = ("--config-dir", stop, f"hydra.run.dir={folder}")
    last = f"callback=[{'last,' if number == signal.SIGKILL else ''}stop]"
    when = (last, f"callback.stop.batch={batch}", f"callback.stop.number={int(number)}")
    return running.command("train", *where, *LONG, *options, *when, cwd=folder.parent)


def resumed(folder, batch=-1):
    """From elsewhere; it would be stopped again at the batch that stopped it."""
    line = (f"resume={folder}", f"callback.stop.batch={batch}")
    return running.command("train", *line, cwd=folder.parent / "elsewhere")


@pytest.mark.parametrize("habit", ["plainly"])
def test_a_run_that_was_interrupted_goes_on_as_if_it_had_not_been(habit, long, stop, tmp_path):
    run = tmp_path / "run"
    done = interrupted(run, stop, signal.SIGINT, *HABITS[habit])
    assert done.status == 130
    assert f"to go on: heatmap-train resume={run}" in done.out + done.err
    assert "Traceback" not in done.out + done.err
    assert RunStore(run).read()["status"] == "interrupted"
    done = resumed(run)
    assert done.status == 0, done.out + done.err
    assert RunStore(run).read()["status"] == "finished"
    running.assert_same_weights(run, long[habit])
    assert running.predictions(run) == running.predictions(long[habit])


@pytest.mark.parametrize("habit", [habit for habit in HABITS if habit != "plainly"])
def test_a_run_that_was_interrupted_twice_has_the_curves_of_one_that_was_not(
    habit, long, stop, tmp_path
):
    run = tmp_path / "run"
    assert interrupted(run, stop, signal.SIGINT, *HABITS[habit], batch=46).status == 130
    earlier = running.metrics(run)
    assert earlier
    assert resumed(run, batch=110).status == 130
    assert running.metrics(run)[: len(earlier)] == earlier
    assert resumed(run).status == 0
    assert running.metrics(run) == running.metrics(long[habit])


def test_a_resumed_run_still_says_what_it_was_made_of(long, stop, tmp_path):
    run = tmp_path / "run"
    assert interrupted(run, stop, signal.SIGINT).status == 130
    before = RunStore(run).read()
    assert resumed(run).status == 0
    after, whole = RunStore(run).read(), RunStore(long["plainly"]).read()
    for fact in ("choices", "seed", "decoders", "decoders_not_applicable", "parameters"):
        assert after[fact] == before[fact]
    assert after["metrics"] == whole["metrics"]
    assert after["steps"] == whole["steps"]


def test_a_run_that_was_killed_goes_on_from_its_periodic_checkpoint(long, stop, tmp_path):
    run = tmp_path / "run"
    options = ("callback.last.every_n_train_steps=20",)
    assert interrupted(run, stop, signal.SIGKILL, *options).status == -signal.SIGKILL
    assert RunStore(run).read()["status"] == "running"
    done = resumed(run)
    assert done.status == 0, done.out + done.err
    running.assert_same_weights(run, long["plainly"])
    assert running.predictions(run) == running.predictions(long["plainly"])
    assert running.metrics(run) == running.metrics(long["plainly"])


def test_an_interrupt_from_outside_ends_a_run_in_one_line(tmp_path):
    run = tmp_path / "run"
    started = running.start(
        "train", *LONG, "trainer.max_steps=5000", f"hydra.run.dir={run}", cwd=tmp_path
    )
    running.wait_for(lambda: (run / "metrics.csv").exists(), started)
    started.signal(signal.SIGINT)
    done = started.wait()
    assert done.status == 130
    assert "Traceback" not in done.out + done.err
    assert (run / "checkpoints" / "last.ckpt").is_file()


class Asks(pl.Callback):
    """Asks for a stop in a step, as a signal does."""

    def __init__(self, batch):
        self.batch = batch

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx == self.batch:
            (stop,) = (each for each in trainer.callbacks if isinstance(each, Interruption))
            stop.asked.add(signal.SIGINT)


def test_a_run_that_is_stopped_does_the_validation_that_is_due_first(tmp_path):
    due = ("trainer.max_steps=4", "+trainer.val_check_interval=2")
    with pytest.raises(InterruptedRunError, match="after step 3"):
        fit(tmp_path, *due, callbacks=[Asks(1)])


def test_the_step_that_a_run_is_stopped_after_has_its_row(tmp_path):
    with pytest.raises(InterruptedRunError, match="after step 1"):
        fit(tmp_path, "trainer.log_every_n_steps=1", callbacks=[Asks(0)])
    assert len(running.logged(tmp_path, "train/loss")) == 1


def test_a_run_whose_epochs_are_one_batch_can_be_stopped(stop, tmp_path):
    run = tmp_path / "run"
    done = interrupted(run, stop, signal.SIGTERM, "overfit=1", batch=3)
    assert done.status == 130
    assert RunStore(run).read()["status"] == "interrupted"
    assert (run / "checkpoints" / "last.ckpt").is_file()


def test_a_resumed_run_keeps_its_own_config(smoke, tmp_path):
    done = running.command("train", f"resume={smoke}", "trainer.max_steps=9", cwd=tmp_path)
    assert done.status not in (0, None)
    assert len(done.err.splitlines()) == 1
    assert "trainer.max_steps=9" in done.err


def test_weights_that_are_lost_by_the_last_step_are_no_result(tmp_path):
    wild = ("trainer.max_steps=2", "optimizer.lr=1e30", "trainer.log_every_n_steps=50")
    done = running.command(
        "train", *running.SMOKE, *wild, f"hydra.run.dir={tmp_path}", cwd=tmp_path
    )
    assert done.status not in (0, None)
    assert "optimizer.lr" in done.err
    assert RunStore(tmp_path).read()["status"] == "failed"


def test_a_finished_run_is_not_resumed(smoke, tmp_path):
    done = running.command("train", f"resume={smoke}", cwd=tmp_path)
    assert done.status != 0
    (line,) = done.err.splitlines()
    assert line.startswith(f"heatmap-train: resume={smoke}: this run has finished.")


def test_a_folder_without_a_run_is_not_resumed(tmp_path):
    done = running.command("train", "resume=nowhere", cwd=tmp_path)
    assert done.status != 0
    assert len(done.err.splitlines()) == 1
    assert "resume=nowhere" in done.err


class Loses(pl.Callback):
    """Makes a weight infinite before a step, as a wild gradient does."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == 2:
            self.images = sorted(set(batch.image_id.tolist()))
            next(pl_module.parameters()).data.fill_(torch.inf)


def test_a_lost_loss_is_found_in_its_step_with_its_images_and_the_last_checkpoint_kept(tmp_path):
    lose = Loses()
    every = ("callback=[last]", "callback.last.every_n_train_steps=1", "data.batch_size=4")
    with pytest.raises(IncompatibleError, match=r"the loss is (nan|inf) after step 3") as told:
        fit(tmp_path, *every, callbacks=[lose])
    assert f"(images {', '.join(map(str, lose.images))})" in str(told.value)
    stored = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert stored["global_step"] == 2
    assert all(bool(value.isfinite().all()) for value in stored["state_dict"].values())


def test_a_checkpoint_with_lost_weights_is_not_written(tmp_path):
    trainer, task, _ = fit(tmp_path, "trainer.max_steps=1")
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    kept = (tmp_path / "last.ckpt").read_bytes()
    next(task.parameters()).data.fill_(torch.nan)
    with pytest.raises(IncompatibleError, match="weights are not finite after step 1"):
        trainer.save_checkpoint(tmp_path / "last.ckpt")
    assert (tmp_path / "last.ckpt").read_bytes() == kept


def test_a_lost_loss_ends_a_run_in_a_clear_line(tmp_path):
    run = tmp_path / "run"
    lost = ("optimizer=sgd", "optimizer.lr=1e30", "schedule=cosine", f"hydra.run.dir={run}")
    done = running.command("train", *running.SMOKE, *lost, cwd=tmp_path)
    assert done.status != 0
    assert len(done.err.splitlines()) == 1
    assert "the loss is" in done.err
    assert "optimizer.lr" in done.err
    record = RunStore(run).read()
    assert record["status"] == "failed"
    assert "the loss is" in record["error"]


# Options of a training


def test_mixed_precision_trains(folder):
    run = running.train(folder / "bf16", *running.SMOKE, "trainer.precision=bf16-mixed")
    stored = running.weights(run)
    assert {v.dtype for v in stored.values() if v.is_floating_point()} >= {torch.float32}
    assert all(value.isfinite().all() for value in stored.values())


def test_the_memory_layout_changes_no_metric(long, tmp_path):
    run = long["plainly"]
    other = ("name=contiguous", "channels_last=false")
    running.succeed("evaluate", f"run={run}", *other, cwd=tmp_path)
    found = RunStore(run / "evaluate" / "contiguous").read()["metrics"]
    for stage, decoders in RunStore(run).read()["metrics"].items():
        expected = decoders["dark"]["pixel_error"]
        assert found[stage]["dark"]["pixel_error"] == pytest.approx(expected, abs=1e-4)


def first_losses(folder, *choices):
    """Of the first step: later ones amplify the order in which numbers were added."""
    for choice in choices:
        one = (choice, "trainer.max_steps=1", "trainer.log_every_n_steps=1")
        trainer, _, _ = fit(folder / choice.replace("=", "-"), *one)
        yield float(trainer.logged_metrics["train/loss"])


def test_neither_the_memory_layout_nor_tracing_changes_a_loss(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    plain, *others = first_losses(
        tmp_path, "channels_last=true", "channels_last=false", "compile=true"
    )
    assert others == pytest.approx([plain] * 2, rel=1e-5)


@pytest.mark.slow
def test_a_compiled_step_changes_no_loss(tmp_path):
    plain, compiled = first_losses(tmp_path, "compile=false", "compile=true")
    assert compiled == pytest.approx(plain, rel=1e-5)


def test_a_gradient_is_cut_to_the_norm_that_was_asked_for(tmp_path):
    """One step of plain descent moves the weights by the rate times that norm."""
    plain = ("optimizer=sgd", "optimizer.momentum=0", "optimizer.weight_decay=0", "optimizer.lr=1")
    options = (*plain, "schedule=cosine", "trainer.max_steps=1", "trainer.gradient_clip_val=0.01")
    _, task, _ = fit(tmp_path, *options)
    before = untrained()
    moved = torch.cat([(p.detach() - before[n]).flatten() for n, p in task.named_parameters()])
    assert float(moved.norm()) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("optimizer", running.options("optimizer"))
def test_norms_and_biases_are_not_decayed(optimizer, tmp_path):
    trainer, task, _ = fit(tmp_path, f"optimizer={optimizer}", "trainer.max_steps=1")
    wanted = running.compose(f"optimizer={optimizer}").optimizer.get("weight_decay", 0.0)
    decays = {
        id(parameter): group["weight_decay"]
        for group in trainer.optimizers[0].param_groups
        for parameter in group["params"]
    }
    assert len(decays) == len(list(task.parameters()))
    for name, parameter in task.named_parameters():
        assert decays[id(parameter)] == (wanted if parameter.ndim > 1 else 0), name
    timms = param_groups_weight_decay(nn.ModuleList(filter(None, (task.net, task.loss))), wanted)
    assert [[*map(id, group["params"])] for group in task.groups()] == [
        [*map(id, group["params"])] for group in timms
    ]


def test_a_frozen_backbone_stays_as_it_was_while_the_rest_learns(folder):
    run = running.train(folder / "frozen", *running.SMOKE, "backbone.frozen=true")
    before, after = untrained(), running.weights(run)
    same = {name for name, value in before.items() if torch.equal(value, after[name])}
    backbone = {name for name in before if name.startswith("net.backbone.")}
    assert any("running_var" in name for name in backbone)
    assert same >= backbone
    assert not [name for name in same - backbone if name.endswith("weight")]


def test_averaged_weights_are_the_average_of_each_steps(tmp_path):
    history = []

    class Record(pl.Callback):
        def on_train_batch_end(self, trainer, pl_module, *rest):
            history.append({n: p.detach().clone() for n, p in pl_module.named_parameters()})

    _, task, _ = fit(tmp_path, "ema=0.75", "trainer.max_steps=6", callbacks=[Record()])
    assert len(history) == 6
    for name, parameter in task.named_parameters():
        expected = history[0][name].double()
        for weights in history[1:]:
            expected = 0.75 * expected + 0.25 * weights[name]
        torch.testing.assert_close(parameter.detach().double(), expected, rtol=1e-4, atol=1e-6)
        if name == "net.head.joint.weight":
            assert not torch.allclose(parameter, history[-1][name], rtol=1e-3)


def test_a_checkpoint_of_averaged_weights_is_what_was_evaluated(long, tmp_path):
    run = long["with averages, accumulation and dropout"]
    name = "net.head.joint.weight"
    stored = torch.load(run / "checkpoints" / "last.ckpt", weights_only=False)
    assert torch.equal(stored["state_dict"][name], running.weights(run)[name])
    running.succeed("evaluate", f"run={run}", "name=same", cwd=tmp_path)
    evaluated = RunStore(run / "evaluate" / "same").read()["metrics"]
    assert running.without_ellipses(evaluated) == RunStore(run).read()["metrics"]


def test_the_best_checkpoint_has_the_lowest_error_of_any_validation(folder, tmp_path):
    best = ("callback=[last,best]", "trainer.max_steps=96", "evaluate=[val]")
    run = running.train(folder / "best", *LONG, *best)
    running.succeed("evaluate", f"run={run}", "name=best", "checkpoint=best", cwd=tmp_path)
    found = RunStore(run / "evaluate" / "best").read()["metrics"]["val"]["argmax"]["pixel_error"]
    assert found == pytest.approx(min(running.logged(run, "val/argmax/pixel_error")), rel=1e-6)


def test_a_run_without_improvement_is_stopped_early(folder):
    """The first validation always improves on none; the second is one too many."""
    hopeless = ("callback.early_stopping.patience=1", "+callback.early_stopping.min_delta=1000")
    run = running.train(folder / "early", *LONG, "callback=[last,early_stopping]", *hopeless)
    assert RunStore(run).read()["steps"] == 64


def test_two_processes_evaluate_every_instance_once(folder, tmp_path):
    """33 instances are no multiple of 2 processes; a padded one would count twice."""
    run = folder / "ddp"
    done = running.script(
        "train",
        "trainer=ddp",
        "trainer.accelerator=cpu",
        "trainer.devices=2",
        "trainer.precision=32-true",
        "trainer.max_steps=3",
        *running.TINY,
        "data.val.pool=33",
        "data.test.pool=31",
        "data.batch_size=4",
        "decoder=[argmax,dark]",
        "logger=wandb",
        f"hydra.run.dir={run}",
        cwd=tmp_path,
    )
    assert done.status == 0, done.out + done.err
    assert len(list(run.glob("wandb/offline-run-*"))) == 1
    rows = running.predictions(run)
    found = [(r["stage"], r["instance"], r["joint"], r["decoder"]) for r in rows]
    assert len(found) == len(set(found)) == (33 + 31) * JOINTS * 2
    running.succeed("evaluate", f"run={run}", "name=alone", "trainer=cpu", cwd=tmp_path)
    alone = RunStore(run / "evaluate" / "alone").read()["metrics"]
    for stage, decoders in RunStore(run).read()["metrics"].items():
        for decoder, metrics in decoders.items():
            expected = alone[stage][decoder]["pixel_error"]
            assert metrics["pixel_error"] == pytest.approx(expected, abs=1e-5)


# Learning rates


def rates(schedule, steps, rate=2.0):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=rate)
    scheduler = schedule(optimizer, steps)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def test_multi_step_warms_up_and_drops_at_its_milestones():
    found = rates(MultiStep(milestones=[0.5, 0.75], factor=0.1, warmup=0.2), steps=20)
    expected = [0.5, 1.0, 1.5, 2.0] + [2.0] * 6 + [0.2] * 5 + [0.02] * 5
    assert found == pytest.approx(expected)


def test_cosine_warms_up_and_falls_along_half_a_wave():
    found = rates(Cosine(warmup=0.2, last=0.1), steps=100)
    assert found[:20] == pytest.approx([2 * (i + 1) / 20 for i in range(20)])
    assert found[20] == pytest.approx(2.0)
    assert found[40] == pytest.approx(2 * (0.1 + 0.9 * (1 + math.sqrt(0.5)) / 2))
    assert found[60] == pytest.approx(2 * 0.55)
    assert found[80] == pytest.approx(2 * (0.1 + 0.9 * (1 - math.sqrt(0.5)) / 2))
    assert all(before > after for before, after in itertools.pairwise(found[20:]))


def test_one_cycle_rises_to_the_full_rate_once():
    found = rates(OneCycle(warmup=0.1), steps=100)
    assert found[0] == pytest.approx(2.0 / 25)
    assert max(found) == pytest.approx(2.0)
    assert found.index(max(found)) == 9
    assert found[-1] == pytest.approx(2.0 / 25 / 1e4)


# Flip test

SIZE = (32, 24)  # height, width
PAIRED = Schema(
    names=("nose", "left", "right"),
    flip=(0, 2, 1),
    skeleton=((0, 1),),
    sigmas=(0.1, 0.1, 0.1),
)


class Oracle(nn.Module):
    """Answers with the labels of the people it was told, or, seeing red on the right, of their
    mirror images, in which left and right have changed their names."""

    def __init__(self, codec, keypoints):
        super().__init__()
        self.codec, self.keypoints = codec, keypoints

    def forward(self, image):
        mirrored = bool(image[0, 0, 0, -1])
        x, y = self.keypoints.unbind(-1)
        if mirrored:
            pairs = list(PAIRED.flip)
            x, y = SIZE[1] - 1 - x[:, pairs], y[:, pairs]
        visible = torch.full(x.shape, 2)
        labels = self.codec.encode(torch.stack([x, y], dim=-1), visible)
        return tuple(perfect_scores(self.codec.loss, label.heatmap) for label in labels)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@each(ndim=NDIMS)
def test_averaging_a_perfect_net_over_the_mirror_image_moves_nothing(ndim, loss):
    for stride in STRIDES:
        assert_moves_nothing(stride, ndim, loss)


def assert_moves_nothing(stride, ndim, loss):
    codec = Codec(
        Grid(SIZE, stride, ndim),
        Gaussian(3.0),
        loss,
        {"dark": Dark(1e-30)},
        labels_of(),
        "min",
    )
    keypoints = uniform_keypoints(24, SIZE, margin=6).view(8, 3, 2)
    image = torch.zeros(8, 3, *SIZE, dtype=torch.uint8)
    image[:, 0, :, 0] = 255
    net, unused = Oracle(codec, keypoints), (torch.optim.SGD, OneCycle(0.1))
    found = {
        flip: KeypointTask(
            net,
            codec,
            PAIRED,
            {},
            *unused,
            flip,
            seed=0,
            every=1,
            photometric=nn.Identity(),
            layer_decay=1.0,
            compile_as=False,
        )(image)["dark"].keypoints
        for flip in (False, True)
    }
    assert (found[True] - found[False]).abs().max() < 1e-3, stride
    assert (found[True] - keypoints).mean((0, 1)).abs().max() < 1e-3, stride
