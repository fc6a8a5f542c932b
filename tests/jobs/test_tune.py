import json
import math
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
import running
import yaml
from optuna.pruners import MedianPruner, NopPruner
from optuna.trial import TrialState
from pairwise import each

from heatmap_research.commands import tune as command
from heatmap_research.jobs.tune import figure, studies
from heatmap_research.jobs.tune.search import Parameter, Search, trials
from heatmap_research.jobs.tune.tuning import NoSuchFigureError, best_on_val
from heatmap_research.runs.store import RunStore
from heatmap_research.types import IncompatibleError

SPACE = (
    Parameter("optimizer.lr", 1e-5, 1.0, log=True),
    Parameter("sigma", 1.0, 16.0, log=True),
)
STORAGES = ("study.db", "study.journal")


def bowl(number, values, report):
    """Lowest, 0, at a rate of 0.01 and a width of 3."""
    report.steps = 10
    return math.log10(values["optimizer.lr"] / 0.01) ** 2 + math.log2(values["sigma"] / 3) ** 2


def search(count, space=SPACE, pruner=None, **more):
    return Search(space, count, 0, pruner or NopPruner(), **more)


def run(file, plan, objective, name="toy", fatal=()):
    with studies.opened(str(file)) as storage:
        return plan.run(objective, studies.study(storage, name, plan.maximise, {}), fatal)


# The search, on objectives whose best values are known


@pytest.mark.parametrize(("file", "count"), [("study.db", 25), ("study.journal", 60)])
def test_a_search_finds_the_lowest_point_of_a_bowl(file, count, tmp_path):
    plan = search(count)
    best = plan.best(run(tmp_path / file, plan, bowl))
    assert best.figure < 0.05
    assert best.values["optimizer.lr"] == pytest.approx(0.01, rel=0.6)
    assert best.values["sigma"] == pytest.approx(3, rel=0.2)


def test_where_more_is_better_the_highest_point_is_found(tmp_path):
    plan = search(60, maximise=True)
    best = plan.best(run(tmp_path / "s.journal", plan, lambda *all: -bowl(*all)))
    assert -0.05 < best.figure <= 0


def test_whole_numbers_and_choices_are_searched(tmp_path):
    space = (Parameter("joints", 1, 40, int=True), Parameter("head", choices=["a", "b", "c"]))
    plan = search(40, space)

    def objective(number, values, report):
        assert isinstance(values["joints"], int)
        return abs(values["joints"] - 17) + 5 * (values["head"] != "b")

    best = plan.best(run(tmp_path / "s.journal", plan, objective))
    assert best.values["head"] == "b"
    assert abs(best.values["joints"] - 17) <= 2


def test_both_storages_give_the_same_trials(tmp_path):
    found = [run(tmp_path / file, search(8, startup=4), bowl) for file in STORAGES]
    assert found[0] == found[1]


def test_every_trial_draws_other_values(tmp_path):
    trials = run(tmp_path / "s.journal", search(5), bowl)
    assert len({trial.values["sigma"] for trial in trials}) == 5


def test_another_seed_draws_other_values(tmp_path):
    one = run(tmp_path / "s.journal", search(2), bowl, "one")
    other = run(tmp_path / "s.journal", Search(SPACE, 2, 1, NopPruner()), bowl, "other")
    assert one[0].values != other[0].values


KILLED = """
import math, os, signal
from optuna.pruners import NopPruner
from heatmap_research.jobs.tune import studies
from heatmap_research.jobs.tune.search import Parameter, Search

def objective(number, values, report):
    report(1, 0.5)
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return (math.log10(values["lr"]) + 2) ** 2

with studies.opened({file!r}) as storage:
    plan = Search((Parameter("lr", 1e-5, 1.0, log=True),), 8, 0, NopPruner(), startup=4)
    plan.run(objective, studies.study(storage, "toy", False, {{}}))
"""


@pytest.mark.parametrize("file", STORAGES)
def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(file, tmp_path):
    """In the middle of a trial, which is marked as failed and repeated with the same values."""
    script = KILLED.format(file=str(tmp_path / file))
    done = subprocess.run(
        [sys.executable, "-c", script], env=running.plain_environment(), timeout=120
    )
    assert done.returncode == -signal.SIGKILL
    asked = []

    def objective(number, values, report):
        asked.append(number)
        report(1, 0.5)
        return (math.log10(values["lr"]) + 2) ** 2

    plan = search(8, (Parameter("lr", 1e-5, 1.0, log=True),), startup=4)
    found = run(tmp_path / file, plan, objective)
    assert asked == [5, 6, 7]
    with studies.opened(str(tmp_path / file)) as storage:
        kept = optuna.load_study(study_name="toy", storage=storage).trials
    failed = [trial for trial in kept if trial.state == TrialState.FAIL]
    assert len(kept) == 9
    assert [trial.params for trial in failed] == [found[5].values]
    assert found == run(tmp_path / "whole.journal", plan, objective)


def test_more_trials_are_added_to_a_finished_search(tmp_path):
    first = run(tmp_path / "s.journal", search(5), bowl)
    with (tmp_path / "s.journal").open("a") as rows:
        rows.write('{"op_code": 5, "wor')  # as a full disk leaves it
    more = run(tmp_path / "s.journal", search(8), bowl)
    assert more[:5] == first
    assert len(more) == 8
    assert run(tmp_path / "s.journal", search(8), lambda *all: pytest.fail("spent")) == more


def test_an_interrupted_trial_is_repeated(tmp_path):
    def objective(number, values, report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "s.journal", search(3), objective)
    assert len(run(tmp_path / "s.journal", search(3), bowl)) == 3


def test_an_error_that_every_trial_would_have_ends_a_search(tmp_path):
    def objective(number, values, report):
        raise NoSuchFigureError("no such figure")

    with pytest.raises(NoSuchFigureError):
        run(tmp_path / "s.journal", search(3), objective, fatal=(NoSuchFigureError,))
    assert len(run(tmp_path / "s.journal", search(3), bowl)) == 3


def test_failing_and_diverging_trials_are_kept_and_count(tmp_path):
    def objective(number, values, report):
        report.steps = 7
        if number == 1:
            raise RuntimeError("out of memory\nand more")
        return {2: math.nan, 3: math.inf}.get(number, 1.0)

    found = run(tmp_path / "s.db", search(5), objective)
    assert [t.status for t in found] == ["finished", "failed", "failed", "failed", "finished"]
    assert [t.figure for t in found] == [1.0, None, None, None, 1.0]
    assert found[1].error == "RuntimeError: out of memory"
    assert "nan" in found[2].error
    assert "inf" in found[3].error
    assert sum(t.steps for t in found) == 35
    assert search(5).best(found).number == 0


def test_a_search_of_failures_has_no_best(tmp_path):
    def objective(number, values, report):
        raise ValueError("never")

    assert search(3).best(run(tmp_path / "s.journal", search(3), objective)) is None


def test_a_trial_behind_the_median_is_pruned(tmp_path):
    """Of flat curves: whichever is above the median of those that finished, from the sixth on."""
    curves = [5, 3, 8, 1, 9, 4, 7, 2, 6, 5.5, 0.5, 3.5]

    def objective(number, values, report):
        for step in range(10, 60, 10):
            report(step, curves[number])
        report.steps = 60
        return curves[number]

    found = run(tmp_path / "s.db", search(len(curves), pruner=MedianPruner(5)), objective)
    finished = []
    for trial, height in zip(found, curves, strict=True):
        behind = len(finished) >= 5 and height > statistics.median(finished)
        assert trial.status == ("pruned" if behind else "finished")
        assert trial.steps == (10 if behind else 60)
        assert list(trial.reported) == ([10] if behind else [10, 20, 30, 40, 50])
        finished += [] if behind else [height]
    assert 0 < sum(trial.status == "pruned" for trial in found) < 7


def test_without_a_pruner_every_trial_comes_to_its_end(tmp_path):
    def objective(number, values, report):
        report(1, float(number))
        return float(number)

    found = run(tmp_path / "s.journal", search(9), objective)
    assert {trial.status for trial in found} == {"finished"}


# Storage


def test_a_study_takes_no_trials_of_other_settings(tmp_path):
    with studies.opened(str(tmp_path / "s.db")) as storage:
        studies.study(storage, "simcc", False, {"data.pool": 64, "ema": 0})
        studies.study(storage, "simcc", False, {"data.pool": 64, "ema": 0})
        with pytest.raises(ValueError, match=r"simcc.*data\.pool=64, now 32.*1 more"):
            studies.study(storage, "simcc", False, {"data.pool": 32, "ema": 0.9})
        assert trials(studies.study(storage, "ce_2d", False, {"data.pool": 32})) == []


def test_two_at_once_on_one_study_are_refused(tmp_path):
    with (
        studies.opened(str(tmp_path / "s.journal")),
        pytest.raises(ValueError, match="another"),
        studies.opened(str(tmp_path / "s.journal")),
    ):
        pass


def test_a_lock_that_a_killed_process_left_keeps_nobody_waiting(tmp_path):
    (tmp_path / "s.journal.lock").touch()
    began = time.monotonic()
    run(tmp_path / "s.journal", search(1), bowl)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("name", ["notes.txt", "notes", "notes.db", "notes.journal"])
def test_a_file_that_holds_no_study_is_refused_and_kept(name, tmp_path):
    file = tmp_path / name
    file.write_text("my notes\nand more of them\n" * 100)
    with pytest.raises(ValueError, match=re.escape(name)), studies.opened(str(file)) as storage:
        studies.study(storage, "toy", False, {})
    assert file.read_text().startswith("my notes")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "low and high"),
        ({"low": 1.0}, "low and high"),
        ({"low": math.nan, "high": 1.0}, "low and high"),
        ({"low": 2.0, "high": 1.0}, "not below"),
        ({"low": 0.0, "high": 1.0, "log": True}, "above 0"),
        ({"low": 0.5, "high": 3.0, "int": True}, "whole"),
        ({"choices": []}, "at least one"),
        ({"choices": [[1, 2]]}, "numbers or words"),
        ({"choices": [1], "low": 1.0}, "not both"),
    ],
)
def test_a_range_without_sense_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        Parameter("sigma", **given)


# What is made best


def test_the_figure_is_that_of_the_decoder_best_at_it():
    figures = {"val/argmax/pixel_error": 3.0, "val/dark/pixel_error": 2.0, "val/dark/auc": 0.5}
    figures |= {"test/dark/pixel_error": 1.0, "val/argmax/auc": 0.6, "train/loss": 0.1}
    assert best_on_val("pixel_error", False, figures) == ("dark", 2.0)
    assert best_on_val("argmax/pixel_error", False, figures) == ("argmax", 3.0)
    assert best_on_val("auc", True, figures) == ("argmax", 0.6)
    with pytest.raises(NoSuchFigureError, match="auc, pixel_error"):
        best_on_val("pck", True, figures)


def test_a_decoder_without_a_figure_is_not_the_best():
    figures = {"val/argmax/pixel_error": math.nan, "val/dark/pixel_error": 2.0}
    assert best_on_val("pixel_error", False, figures) == ("dark", 2.0)


def test_a_search_is_drawn_with_its_pruned_and_failed_trials(tmp_path):
    space = (*SPACE, Parameter("schedule", choices=["cosine", "one_cycle"]))

    def objective(number, values, report):
        report(10, 1.0 + number % 3)
        if number == 4:
            raise ValueError("diverged")
        return bowl(number, values, report)

    plan = search(12, space, MedianPruner(2))
    found = {"ce_2d": run(tmp_path / "s.journal", plan, objective)}
    drawn = figure.draw(found, plan, "pixel_error on val, px")
    drawn.savefig(tmp_path / "tune.png")
    assert len(drawn.axes) == 4
    assert [axes.get_xlabel() for axes in drawn.axes][1:3] == ["optimizer.lr", "sigma"]


def test_a_search_of_failures_is_drawn_too(tmp_path, recwarn):
    found = run(tmp_path / "s.journal", search(3), lambda *all: math.nan)
    figure.draw({"ce_2d": found}, search(3), "px").savefig(tmp_path / "tune.png")
    assert not recwarn.list


# heatmap-tune

SMALL = (
    *running.TINY,
    "trainer.max_steps=6",
    "decoder=[argmax,soft_argmax]",
    "callback=[]",
    "tune.arms=[ce_2d,simcc]",
    "tune.trials=2",
    "tune.looks=3",
    "~tune.space.warmup",
)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory) -> Path:
    """Killed in the first training of the second arm, then run again."""
    cwd = tmp_path_factory.mktemp("tune")
    asked = (*SMALL, "tune.folder=study", "tune.storage=study/own.journal")
    started = running.start("tune", *asked, cwd=cwd)
    running.wait_for((cwd / "study" / "simcc" / "000" / "run.json").exists, started)
    started.signal(signal.SIGKILL)
    started.process.join()
    kept = (cwd / "study" / "ce_2d" / "001" / "run.json").read_bytes()
    done = running.succeed("tune", *asked, cwd=cwd)
    (cwd / "out.txt").write_text(done.out)
    assert (cwd / "study" / "ce_2d" / "001" / "run.json").read_bytes() == kept
    return cwd


def test_every_arm_has_its_trials_each_a_run_evaluated_on_val_alone(tuned):
    for arm in ("ce_2d", "simcc"):
        folders = sorted((tuned / "study" / arm).iterdir())
        assert [folder.name for folder in folders] == ["000", "001"]
        for folder in folders:
            record = RunStore(folder).read()
            assert record["status"] == "finished"
            assert record["choices"]["arm"] == arm
            assert record["steps"] == 6
            assert list(record["metrics"]) == ["val"]
            assert "tune" not in record["config"]
            assert set(RunStore(folder).read_predictions()["stage"].to_pylist()) == {"val"}


def test_arms_begin_with_the_same_values(tuned):
    def values(arm):
        config = RunStore(tuned / "study" / arm / "000").read()["config"]
        return config["optimizer"], config["schedule"], config["sigma"]

    assert values("ce_2d") == values("simcc")


def test_the_best_trial_is_told_and_written(tuned):
    out = (tuned / "out.txt").read_text()
    for arm in ("ce_2d", "simcc"):
        records = [RunStore(tuned / "study" / arm / f"00{n}").read() for n in range(2)]
        figures = [min(d["pixel_error"] for d in r["metrics"]["val"].values()) for r in records]
        best = records[figures.index(min(figures))]["config"]
        written = yaml.safe_load((tuned / "study" / "tuned" / f"{arm}.yaml").read_text())
        assert written["optimizer"]["lr"] == best["optimizer"]["lr"]
        assert written["sigma"] == best["sigma"]
        row = next(line for line in out.splitlines() if re.match(rf"\W*{arm} +\W", line))
        assert f"{min(figures):.4g}" in row
        assert row.split()[-2] == "12"  # steps: two trials of six
    assert (tuned / "study" / "tune.png").stat().st_size > 10_000
    assert (tuned / "study" / "own.journal").exists()


def test_the_command_that_is_told_trains_the_tuned_arm(tuned, tmp_path):
    """With the seed of the search and on val it gives the very figures of the best trial."""
    line = next(x for x in (tuned / "out.txt").read_text().splitlines() if "+tuned=simcc" in x)
    words = line.replace("'", "").split()
    assert words[:3] == ["heatmap-train", "-m", "--config-dir"]
    assert words[-1] == "seed=1,2,3,4,5"  # none that was tuned on
    assert not [word for word in words if word.startswith(("tune.", "~", "arm=", "evaluate="))]
    folder = tmp_path / "run"
    again = (*words[2:-1], "seed=0", "evaluate=[val]", f"hydra.run.dir={folder}")
    running.succeed("train", *again, cwd=tuned)
    record = RunStore(folder).read()
    trials = [RunStore(tuned / "study" / "simcc" / f"00{n}").read() for n in range(2)]
    assert record["metrics"] in [trial["metrics"] for trial in trials]
    assert record["choices"]["arm"] == "simcc"


def test_a_study_whose_settings_changed_is_refused_in_a_line(tuned):
    asked = (*SMALL, "tune.folder=study", "tune.storage=study/own.journal", "ema=0.9")
    done = running.command("tune", *asked, cwd=tuned)
    assert done.status != 0
    assert len(done.err.splitlines()) == 1, done.err
    assert "ema=0, now 0.9" in done.err


def test_other_looks_are_refused_by_the_key_that_was_given(tuned):
    asked = (*SMALL, "tune.folder=study", "tune.storage=study/own.journal", "tune.looks=2")
    done = running.command("tune", *asked, cwd=tuned)
    assert done.status == 1
    assert "tune.looks=3, now 2" in done.err


def test_fewer_trials_than_there_are_are_refused_in_a_line(tuned):
    asked = (*SMALL, "tune.folder=study", "tune.storage=study/own.journal", "tune.trials=1")
    done = running.command("tune", *asked, cwd=tuned)
    assert done.status == 1
    assert len(done.err.splitlines()) == 1, done.err
    assert "tune.trials=1: ce_2d has had 2 trials in this study; give 2 or more" in done.err


def test_a_trial_that_is_interrupted_has_not_failed(tmp_path):
    """In a training that would be long; the same command goes on."""
    asked = (*SMALL[:-4], "tune.arms=[ce_2d]", "tune.trials=2", "trainer.max_steps=100000")
    started = running.start("tune", *asked, "tune.looks=20000", cwd=tmp_path)
    folder = tmp_path / "outputs" / "tune" / "ce_2d" / "000"
    running.wait_for(lambda: len(list(folder.glob("metrics.csv"))) == 1, started)
    started.signal(signal.SIGINT)
    done = started.wait()
    assert done.status == 130, done.out + done.err
    assert "to go on: the same command" in done.out + done.err
    assert "failed" not in done.out + done.err
    assert RunStore(folder).read()["status"] == "interrupted"


def test_a_study_from_before_looks_were_kept_is_gone_on_with(tmp_path):
    with studies.opened(str(tmp_path / "s.db")) as storage:
        studies.study(storage, "simcc", False, {"data.pool": 64})
        studies.study(storage, "simcc", False, {"data.pool": 64, "tune.looks": 5})


def test_runs_that_a_storage_does_not_know_are_not_written_over(tuned):
    asked = (*SMALL, "tune.folder=study", "tune.storage=other.db")
    done = running.command("tune", *asked, cwd=tuned)
    assert done.status != 0
    assert len(done.err.splitlines()) == 1, done.err
    assert "tune.folder=study" in done.err


def test_an_arm_all_of_whose_trials_diverge_is_told_in_a_line(tmp_path):
    wild = ("tune.space.lr.low=1e28", "tune.space.lr.high=9e29", "tune.arms=[ce_2d]")
    done = running.command("tune", *SMALL[:-4], *wild, "tune.trials=2", cwd=tmp_path)
    assert done.status != 0
    assert len(done.err.splitlines()) == 1, done.err
    assert "ce_2d: none of its 2 trials" in done.err
    records = [RunStore(run).read() for run in (tmp_path / "outputs/tune/ce_2d").iterdir()]
    assert [record["status"] for record in records] == ["failed", "failed"]


REFUSED = {
    ("tune.trials=0",): ("tune.trials=0", "whole number"),
    ("tune.trails=3",): ("tune.trails", "trials"),
    ("tune.nope=1",): ("tune.nope: there is no such key.",),
    ("tune.looks=0",): ("tune.looks=0", "at least 1"),
    ("optimizer.weight_decay=0.5",): ("optimizer.weight_decay=0.5", "~tune.space.weight_decay"),
    ("tune.arms=simcc",): ("tune.arms=simcc", "list"),
    ("tune.arms=[simc]",): ("arm=simc", "simcc"),
    ("tune.arms=[simcc]", "arm=ce_2d"): ("arm=ce_2d", "one of the two"),
    ("tune.space.lr.low=1",): ("tune.space.lr", "not below"),
    ("tune.space.lr.low=wide",): ("tune.space.lr", "low and high"),
    ("+tune.space.lr.hihg=1",): ("tune.space.lr.hihg", "high"),
    ("tune.space.sigma.high=1000",): ("sigma=1000", "wider"),
    ("+tune.space.x={key: ema2, choices: [0]}",): ("ema2", "no such key"),
    ("optimizer=adam",): ("weight_decay", "no such key"),
    ("monitor=pixel_eror",): ("monitor=pixel_eror", "pixel_error"),
    ("monitor=dark_udp/pixel_error",): ("monitor", "dark_udp"),
    ("evaluate=[test]",): ("evaluate", "val"),
    ("tune.storage=study.csv",): ("tune.storage", "FILE.db"),
    ("trainer=ddp",): ("trainer.devices=2", "a trial has one process"),
    ("tune.pruner=null", "tune.pruner._target_=optuna.pruners.Median"): ("tune.pruner",),
    ("-m", "seed=0,1"): ("-m", "tune.arms"),
}


@each(arguments=list(REFUSED))
def test_a_slip_is_answered_in_a_line_before_anything_is_trained(arguments, tmp_path):
    few = (*running.TINY, "trainer.max_steps=2", "decoder=[argmax]")
    done = running.command("tune", *arguments, *few, cwd=tmp_path)
    lines = done.err.splitlines()
    assert done.status not in (0, None)
    assert all(word in lines[0] for word in REFUSED[arguments]), done.err
    assert len(lines) == 1, done.err
    assert "Traceback" not in done.out + done.err
    finished = [json.loads(f.read_text())["status"] for f in tmp_path.rglob("run.json")]
    assert "finished" not in finished


def test_without_optuna_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    with pytest.raises(IncompatibleError, match=r"pip install 'heatmap-research\[tune\]'"):
        command.tune(running.compose(config="tune"))


def test_help_is_given_without_torch_and_optuna(tmp_path):
    done = running.script("tune", "--help", cwd=tmp_path, python=("-X", "importtime"))
    assert done.status == 0
    assert "heatmap-tune" in done.out
    assert not re.search(r"(?m)\|\s+(torch\.nn|timm|pytorch_lightning|optuna)$", done.err)
    assert os.listdir(tmp_path) == []
