import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import running
import torch
from pairwise import each

from heatmap_research.jobs import demo
from heatmap_research.metrics.ellipses import FIGURES
from heatmap_research.runs.store import RunStore

COMMANDS = ("train", "evaluate", "check", "demo", "runs", "probe")

# What was typed, and words of the answer: what was given, and what could be given instead.
REFUSED = {
    ("sigm=2",): ("sigm", "sigma"),
    ("+foo=1",): ("foo=1",),
    ("++lr=3",): ("lr=3", "nothing reads"),
    ("++data.sigma=1",): ("data.sigma=1", "nothing reads"),
    ("sigma=null",): ("sigma=null", "number"),
    ("arm=null",): ("arm=null", "~"),
    ("trainer.log_every_n_steps=0",): ("trainer.log_every_n_steps=0", "number"),
    ("head=simc",): ("head=simc", "simcc"),
    ("hed=simcc",): ("hed", "head"),
    ("neck.strid=4",): ("neck.strid", "stride"),
    ("data.oclusion=0.1",): ("data.oclusion", "occlusion"),
    ("decoder=[drk]",): ("drk", "dark"),
    ("experiment=dmo",): ("dmo", "demo"),
    ("experiment=hrnet_w32",): ("did you mean experiment=published/hrnet_w32?",),
    ("base_lr=0.1",): ("base_lr", "optimizer.lr"),
    ("seed=0,1",): ("seed=0,1", "add -m"),
    ("decoder=argmax,dark",): ("'decoder=[argmax,dark]'", "-m"),
    ("image_size=[64,", "64]"): ("'image_size=[64,64]'",),
    ("arm=simcc", "-m", "seed=0,1", "trainer=bogus"): ("trainer=bogus", "cpu"),
    ("sigma=wide",): ("sigma=wide", "number"),
    ("image_size=[64]",): ("image_size=[64]", "[256,192]"),
    ("image_size=64",): ("image_size=64", "[256,192]"),
    ("image_size=[64,0]",): ("image_size=[64, 0]", "[256,192]"),
    ("sigma",): ("sigma",),
    ("sigma=[",): ("sigma",),
}
# These need the codec's, the net's or the data's own code to be told.
REFUSED_LATER = {
    ("+target.sigm=2",): ("target.sigm=2", "sigma"),
    ("sigma=-1",): ("sigma=-1", "above 0"),
    ("stride=3",): ("stride=3", "choose 8, 4, 2"),
    ("stride=0",): ("stride=0", "above 0"),
    ("stride=abc",): ("stride=abc", "such as"),
    ("stride=1/0",): ("stride=1/0", "such as"),
    ("decoder=[soft_argmax]",): ("decoder=soft_argmax", "choose"),
    ("score=best",): ("score=best", "product"),
    ("labels.covered=maybe",): ("labels.covered=maybe", "regress"),
    ("neck.stride=64",): ("neck.stride=64", "32"),
    ("neck=identity", "head=conv1x1", "stride=1"): ("stride=1", "head=deconv"),
    ("head=deconv",): ("head=deconv", "head=conv1x1"),
    ("neck=identity", "head=simcc"): ("head=simcc", "neck=top_down"),
    ("backbone.name=resnet17",): ("backbone.name=resnet17", "timm.list_models"),
    ("data.occlusion=2",): ("data.occlusion=2", "1"),
    ("data.batch_size=65", *running.TINY): ("data.batch_size=65", "64"),
    ("data.pool=0",): ("data.pool=0", "positive"),
    ("backbone.checkpoint=nothing.pth",): ("backbone.checkpoint=nothing.pth", "no such file"),
    ("backbone=resnet18", *running.SMOKE): ("backbone.pretrained=true", "backbone.checkpoint=FILE"),
    ("optimizer.lr=high",): ("optimizer.lr=high",),
    ("optimizer.weight_decay=-1", *running.SMOKE): ("optimizer", "weight_decay"),
    ("schedule.warmup=2", *running.SMOKE): ("schedule", "2"),
    ("data.batch_size=0", *running.SMOKE): ("data.batch_size=0",),
    ("data.batch_size=many", *running.SMOKE): ("data.batch_size=many",),
    ("overfit=99", *running.SMOKE): ("overfit=99", "64"),
    ("ema=2", *running.SMOKE): ("ema=2", "1"),
    ("seed=abc", *running.SMOKE): ("seed=abc",),
    ("flip_test=maybe", *running.SMOKE): ("flip_test=maybe",),
    ("evaluate=[tst]", *running.SMOKE): ("tst", "test"),
    ("trainer.precision=16-mixed", *running.SMOKE): ("16-mixed", "bf16-mixed"),
    ("trainer.precision=float99", *running.SMOKE): ("trainer", "float99", "bf16-mixed"),
    ("trainer.devices=0", *running.SMOKE): ("trainer", "devices=0"),
    ("head.init_std=-1", *running.SMOKE): ("head", "std", "-1"),
    ("metric.pixel_error.among=all",): ("among=all", "labelled"),
    ("resume=nowhere",): ("resume=nowhere",),
}


@pytest.fixture(scope="module")
def slips(tmp_path_factory):
    """What was made of each refused line: the folder of its fork."""
    place = tmp_path_factory.mktemp("slips")
    code = [sys.executable, Path(running.__file__).with_name("light.py"), "train", place]
    cases = json.dumps(list(REFUSED))
    env = running.plain_environment()
    subprocess.run(code, input=cases, text=True, env=env, check=True, timeout=240)
    return {arguments: place / str(number) for number, arguments in enumerate(REFUSED)}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_given_without_torch(name, tmp_path):
    done = running.script(name, "--help", cwd=tmp_path, python=("-X", "importtime"))
    assert done.status == 0
    assert len(done.out.splitlines()) > 3
    assert not re.search(r"(?m)\|\s+(torch\.nn|timm|pytorch_lightning)$", done.err)


@each(arguments=list(REFUSED))
def test_a_slip_of_the_keyboard_is_answered_in_a_line_without_torch(arguments, slips):
    found = {name: (slips[arguments] / name).read_text() for name in ("status", "err", "modules")}
    assert found["status"] not in ("0", "None")
    lines = found["err"].splitlines()
    assert len(lines) == 1, found["err"]
    assert all(word in lines[0] for word in REFUSED[arguments]), lines[0]
    assert not {"torch.nn", "timm", "pytorch_lightning"} & set(found["modules"].split())
    assert not list(slips[arguments].rglob("run.json"))


@each(arguments=list(REFUSED_LATER))
def test_choices_that_do_not_fit_are_answered_in_a_line(arguments, tmp_path):
    done = running.command("train", *arguments, f"hydra.run.dir={tmp_path}/run", cwd=tmp_path)
    lines = done.err.splitlines()
    assert done.status not in (0, None)
    assert len(lines) == 1, done.err
    assert all(word in lines[0] for word in REFUSED_LATER[arguments]), lines[0]
    assert "Traceback" not in done.out


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_a_gpu_that_is_not_there_is_answered_in_a_line(tmp_path):
    run = f"hydra.run.dir={tmp_path}/run"
    done = running.command("train", "trainer=gpu", *running.TINY, run, cwd=tmp_path)
    assert done.status != 0
    assert len(done.err.splitlines()) == 1, done.err
    assert "trainer" in done.err


def test_a_slip_in_a_sweep_ends_it_in_a_line(tmp_path):
    sweep = ("-m", "head=conv1x1,simc", f"hydra.sweep.dir={tmp_path}")
    done = running.command("train", *sweep, *running.SMOKE, cwd=tmp_path)
    assert done.status != 0
    assert len(done.err.splitlines()) == 1, done.err
    assert "head=simc" in done.err


@pytest.mark.parametrize("override", ["callback=[]", "logger=[]", "metric=[pixel_error_visible]"])
def test_a_list_of_options_can_be_emptied_or_replaced(override, tmp_path):
    few = (
        *running.SMOKE,
        "trainer.max_steps=1",
        "decoder=[argmax]",
        f"hydra.run.dir={tmp_path}/run",
    )
    done = running.command("train", override, *few, cwd=tmp_path)
    assert done.status == 0, done.err
    assert RunStore(tmp_path / "run").read()["status"] == "finished"


def test_check_says_ok(tmp_path):
    done = running.command("check", "arm=simcc", cwd=tmp_path)
    assert (done.status, done.out, done.err) == (0, "ok\n", "")
    assert not list(tmp_path.glob("outputs"))


def test_check_says_what_is_wrong(tmp_path):
    done = running.command("check", "stride=3", cwd=tmp_path)
    assert done.status == 1
    assert done.out.startswith("refused: stride=3")
    assert len(done.out.splitlines()) == 1
    assert done.err == ""


def answers(done, jobs):
    assert done.status == 0, done.err
    assert "Traceback" not in done.out + done.err
    lines = done.out.splitlines()
    assert len(lines) == jobs, done.err
    assert all(re.match(r"(ok|refused: .{20,})  \[.+\]$", line) for line in lines)
    return {line[:-1].split("  [", 1)[1]: line for line in lines}


def test_check_answers_every_job_of_a_grid(tmp_path):
    """Also what it may not refuse: a head on its own level, at a stride the neck gives."""
    grid = (
        "backbone=test_resnet,vit_small",
        "neck=identity,top_down",
        "head=conv1x1,simcc",
        "stride=4",
        "decoder=[dark]",
    )
    jobs = answers(running.command("check", "-m", *grid, cwd=tmp_path), 2 * 2 * 2)
    fits = [job for job, line in jobs.items() if line.startswith("ok")]
    assert "backbone=test_resnet neck=top_down head=conv1x1 stride=4 decoder=[dark]" in fits
    assert "backbone=vit_small neck=top_down head=simcc stride=4 decoder=[dark]" in fits
    assert "backbone=vit_small neck=identity head=conv1x1 stride=4 decoder=[dark]" not in fits


@pytest.mark.slow
def test_check_answers_hundreds_of_jobs_in_one_process(tmp_path):
    grid = (
        "backbone=test_resnet,mobilenetv3_small",
        "neck=identity,top_down",
        "head=conv1x1,deconv,marginal,simcc",
        "stride=8,4,1,2/3",
        "loss=mse,cross_entropy",
        "decoder=[argmax],[dark],[soft_argmax],[local_soft_argmax]",
    )
    size = "image_size=[96,96]"
    jobs = running.start("check", "-m", size, *grid, cwd=tmp_path).wait(timeout=900)
    answers(jobs, 2 * 2 * 4 * 4 * 2 * 4)


def test_a_demo_of_a_few_steps_ends_in_a_table_and_a_figure(experiments, capsys):
    assert demo.conclude(experiments["demo"], judge=False) == 0
    shown = capsys.readouterr().out
    assert all(arm in shown for arm in ("mse_2d", "ce_2d", "simcc", "marginal"))
    assert (experiments["demo"] / "demo.png").stat().st_size > 10_000


def test_a_demo_out_of_its_bounds_fails(experiments):
    assert demo.conclude(experiments["demo"], judge=True) == 1


# heatmap-evaluate


def evaluate(run: Path, name: str, *overrides: str, cwd: Path) -> dict:
    running.succeed("evaluate", f"run={run}", f"name={name}", *overrides, cwd=cwd)
    return RunStore(run / "evaluate" / name).read()


def test_an_evaluation_gives_the_figures_of_the_training(smoke, tmp_path):
    record = evaluate(smoke, "same", cwd=tmp_path)
    trained = RunStore(smoke).read()
    found = {stage: dict(decoders) for stage, decoders in record["metrics"].items()}
    ellipses = {f: found["test"]["argmax"][f] for f in FIGURES}
    assert 0 <= ellipses["within_68"] <= ellipses["within_95"] <= 1
    assert ellipses["widening"] == found["val"]["argmax"]["widening"]
    assert running.without_ellipses(found) == trained["metrics"]
    assert record["choices"] == trained["choices"]
    assert record["status"] == "finished"
    assert running.predictions(smoke / "evaluate" / "same") == running.predictions(smoke)


def test_an_evaluation_takes_other_decoders(smoke, tmp_path):
    record = evaluate(smoke, "one", "decoder=[dark]", "evaluate=[test]", cwd=tmp_path)
    expected = RunStore(smoke).read()["metrics"]["test"]["dark"]
    assert running.without_ellipses(record["metrics"]) == {"test": {"dark": expected}}
    rows = pq.read_table(smoke / "evaluate" / "one" / "predictions.parquet")
    assert set(rows["decoder"].to_pylist()) == {"dark"}


def test_an_evaluation_averages_over_mirror_images(smoke, tmp_path):
    record = evaluate(smoke, "flip", "flip_test=true", cwd=tmp_path)
    assert record["flip_test"] is True
    assert record["metrics"] != RunStore(smoke).read()["metrics"]
    rows = pq.read_table(smoke / "evaluate" / "flip" / "predictions.parquet")
    assert set(rows["flip_test"].to_pylist()) == {True}


def test_an_evaluation_takes_other_data_and_metrics(smoke, tmp_path):
    metrics = "metric=[pixel_error,pixel_error_covered,pixel_error_visible]"
    harder = ("data.occlusion=0.3", metrics, "decoder=[argmax]")
    record = evaluate(smoke, "hard", *harder, cwd=tmp_path)
    rows = [r for r in running.predictions(smoke / "evaluate" / "hard") if r["stage"] == "val"]
    covered = sum(row["visible"] == 1 for row in rows)
    assert 0.2 < covered / len(rows) < 0.4
    found = record["metrics"]["val"]["argmax"]
    shares = (covered / len(rows), 1 - covered / len(rows))
    parts = (found["pixel_error_covered"], found["pixel_error_visible"])
    mean = sum(share * part for share, part in zip(shares, parts, strict=True))
    assert found["pixel_error"] == pytest.approx(mean, rel=1e-5)


def test_an_evaluation_without_covered_joints_has_no_figure_for_them(smoke, tmp_path):
    record = evaluate(
        smoke, "none", "metric=[pixel_error_covered]", "decoder=[argmax]", cwd=tmp_path
    )
    assert record["metrics"]["val"]["argmax"] == {"pixel_error_covered": None}


def test_an_evaluation_never_writes_over_another(smoke, tmp_path):
    evaluate(smoke, "twice", "evaluate=[val]", cwd=tmp_path)
    before = (smoke / "evaluate" / "twice" / "run.json").read_bytes()
    done = running.command("evaluate", f"run={smoke}", "name=twice", cwd=tmp_path)
    assert done.status != 0
    assert len(done.err.splitlines()) == 1
    assert "name=twice" in done.err
    assert (smoke / "evaluate" / "twice" / "run.json").read_bytes() == before


def test_an_evaluation_leaves_the_run_as_it_was(smoke, tmp_path):
    files = [smoke / "run.json", smoke / "metrics.csv", smoke / "predictions.parquet"]
    before = [file.read_bytes() for file in files]
    evaluate(smoke, "apart", cwd=tmp_path)
    assert [file.read_bytes() for file in files] == before


def test_a_run_needs_nothing_but_its_folder(folder, smoke, tmp_path):
    original, moved = folder / "original", tmp_path / "elsewhere" / "moved"
    shutil.copytree(smoke, original, ignore=shutil.ignore_patterns("evaluate"))
    shutil.copytree(original, moved)
    shutil.rmtree(original)
    record = evaluate(moved, "there", cwd=tmp_path)
    assert running.without_ellipses(record["metrics"]) == RunStore(smoke).read()["metrics"]
    relative = running.succeed(
        "evaluate", "run=elsewhere/moved", "name=relative", "decoder=[dark]", cwd=tmp_path
    )
    assert "pixel_error" in relative.out
    assert (moved / "evaluate" / "relative" / "run.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run=nonsense",), ("run=nonsense", "not the folder of a run")),
        ((), ("run",)),
        (("RUN", "checkpoint=nonsense"), ("checkpoint=nonsense", "last")),
        (("RUN", "flip_tst=true"), ("flip_tst", "flip_test")),
        (("RUN", "data.oclusion=0.1"), ("oclusion", "occlusion")),
        (("RUN", "decoder=[drk]"), ("drk", "dark")),
        (("RUN", "decoder=[soft_argmax]"), ("decoder=soft_argmax", "choose")),
        (("RUN", "sigma=-1"), ("sigma=-1", "above 0")),
        (("RUN", "nme=x"), ("nme", "name")),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_slip_in_an_evaluation_is_answered_in_a_line(arguments, words, smoke, tmp_path):
    line = [f"run={smoke}" if a == "RUN" else a for a in arguments]
    done = running.command("evaluate", *line, "name=refused", cwd=tmp_path)
    assert done.status not in (0, None)
    assert len(done.err.splitlines()) == 1, done.err
    assert all(word in done.err for word in words), done.err
    assert not (smoke / "evaluate" / "refused").exists()


def test_an_evaluation_says_in_its_record_whose_it_is(smoke, tmp_path):
    evaluate(smoke, "record", "decoder=[argmax]", cwd=tmp_path)
    record = json.loads((smoke / "evaluate" / "record" / "run.json").read_text())
    assert record["run"] == str(smoke)
    assert record["decoders"] == ["argmax"]
    assert record["config"]["decoder"].keys() == {"argmax"}


def test_weights_of_another_image_size_are_refused_in_a_line(tmp_path):
    run = running.train(tmp_path / "run", *running.SMOKE, "arm=simcc", "evaluate=[]")
    again = (f"run={run}", "name=larger", "image_size=[64,64]")
    done = running.command("evaluate", *again, cwd=tmp_path)
    assert done.status != 0
    assert "its weights do not fit this config" in done.err
    assert "choose those it was trained with" in done.err
    assert "Traceback" not in done.err


def test_a_head_without_dense_layers_is_evaluated_at_another_image_size(tmp_path):
    run = running.train(tmp_path / "run", *running.SMOKE, "arm=marginal", "evaluate=[]")
    again = evaluate(run, "larger", "image_size=[64,64]", cwd=tmp_path)
    assert again["status"] == "finished"
    assert again["config"]["image_size"] == [64, 64]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("sigma=.inf", "sigma=.inf: give a number of input pixels"),
        ("sigma=.nan", "sigma=.nan: give a number of input pixels"),
        ("sigma=500", "sigma=500 is wider than image_size=[64, 64]"),
        ("anisotropy=[.inf,1]", "give label widths along y and x"),
    ],
)
def test_a_label_has_a_finite_width(override, words, tmp_path):
    done = running.command("train", override, cwd=tmp_path)
    assert done.status != 0
    assert words in done.err
    assert "Traceback" not in done.err
