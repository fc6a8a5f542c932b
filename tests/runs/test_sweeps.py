"""A sweep does each job once, whatever befalls it and whichever processes do the work."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import hydra
import pytest
import running
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from heatmap_research.config import partners
from heatmap_research.config.job import prepare
from heatmap_research.jobs import question
from heatmap_research.jobs.train import refuse_question
from heatmap_research.runs import record, sweep
from heatmap_research.runs.find import find
from heatmap_research.runs.store import RunStore
from heatmap_research.training import build as building

FEW = (*running.SMOKE, "decoder=[argmax,dark]", "callback=[last]", "evaluate=[test]")
LONGER = (
    *("trainer.max_steps=24", "trainer.check_val_every_n_epoch=12"),
    "callback.last.every_n_train_steps=2",
)
GRID = ("-m", "arm=simcc,ce_2d", "seed=0,1", *FEW, *LONGER)
OF_REAL_DATA = ("finetune", "lspet", "photographs")
STUDIES = [name for name in running.options("experiment") if name != "demo"]
CRASH = """
from pathlib import Path
from pytorch_lightning import Callback

class Crash(Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if Path("crash").exists() and trainer.global_step == 2 and pl_module.seed == 1:
            raise MemoryError("no memory is left")
"""


def ends(study: str) -> list[list[str]]:
    """The first value of each key that a study sweeps, and the last of each."""
    asked = question.whole(running.CONF / "experiment" / f"{study}.yaml").hydra.sweeper.params
    parser, swept = OverridesParser.create(), {}
    for key, escaped in asked.items():
        value = re.sub(r"\\+(?=\$)", "", str(escaped))  # what a sweep resolves once too often
        each = parser.parse_override(f"{key}={value}")
        swept[key] = list(each.sweep_string_iterator()) if each.is_sweep_override() else [value]
    return [[f"{key}={values[end]}" for key, values in swept.items()] for end in (0, -1)]


def sweep_of(folder: Path, *arguments: str) -> running.Finished:
    return running.command("train", *arguments, f"hydra.sweep.dir={folder}", cwd=folder.parent)


def metrics(folder: Path) -> dict[str, dict]:
    return {run.name: run.record["metrics"] for run in find(folder)}


def stamps(folder: Path, status: str = "finished") -> dict[str, int]:
    found = [run for run in find(folder) if run.status == status]
    return {run.name: (run.folder / "run.json").stat().st_mtime_ns for run in found}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole") / "sweep"
    done = sweep_of(folder, *GRID)
    assert done.status == 0, done.out + done.err
    assert f"{folder}: 4 finished" in done.out
    return folder


def test_a_sweep_that_was_killed_does_what_is_left_and_ends_as_if_it_had_not_been(whole, tmp_path):
    folder = tmp_path / "sweep"
    folder.mkdir()
    started = running.start("train", *GRID, f"hydra.sweep.dir={folder}", cwd=tmp_path)
    running.wait_for(lambda: len(list(folder.glob("*/checkpoints/last.ckpt"))) == 2, started)
    started.signal(signal.SIGKILL)
    started.process.join()
    before, left = stamps(folder), stamps(folder, "running")
    assert (len(before), len(left)) == (1, 1)
    done = sweep_of(folder, *GRID)
    assert done.status == 0, done.out + done.err
    assert done.out.count("finished before") == 1
    after = stamps(folder)
    assert {name: after[name] for name in before} == before
    assert metrics(folder) == metrics(whole)
    for run in find(whole):
        running.assert_same_weights(run.folder, folder / run.name)
        assert running.predictions(run.folder) == running.predictions(folder / run.name)


def test_a_sweep_that_has_grown_does_only_what_is_new(whole):
    before = stamps(whole)
    done = sweep_of(whole, *GRID[:2], "seed=0,1,2", *GRID[3:])
    assert done.status == 0, done.out + done.err
    assert done.out.count("finished before") == 4
    after = stamps(whole)
    assert len(after) == 6
    assert {name: after[name] for name in before} == before


def test_a_job_asked_for_alone_is_known_again(whole):
    before = stamps(whole)
    done = sweep_of(whole, "-m", "arm=simcc", "seed=1", *GRID[3:])
    assert done.out.count("finished before") == 1
    assert stamps(whole) == before
    assert {path.parent.name for path in whole.glob("*/run.json")} == {
        path.name for path in whole.iterdir() if path.is_dir()
    }


def test_folders_say_what_is_varied_and_nothing_that_all_jobs_share(whole):
    names = [run.name.rpartition("-")[0] for run in find(whole)]
    assert {"simcc-seed_0", "simcc-seed_1", "ce_2d-seed_0", "ce_2d-seed_1"} <= set(names)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sweep_that_is_interrupted_stops_and_says_how_to_go_on(number, tmp_path):
    folder = tmp_path / "sweep"
    folder.mkdir()
    endless = ("-m", "seed=0,1", *FEW, *LONGER, "trainer.max_steps=100000")
    started = running.start("train", *endless, f"hydra.sweep.dir={folder}", cwd=tmp_path)
    running.wait_for(lambda: bool(list(folder.glob("*/checkpoints/last.ckpt"))), started)
    started.signal(number)
    done = started.wait()
    assert done.status == 130, done.out + done.err
    assert "to go on: the same command" in done.out + done.err
    assert "Traceback" not in done.out + done.err
    assert [run.status for run in find(folder)] == ["interrupted"]


@pytest.mark.parametrize(
    "launcher",
    [
        "basic",
        pytest.param("joblib", marks=pytest.mark.slow),
        pytest.param("submitit_local", marks=pytest.mark.slow),
    ],
)
def test_a_job_that_crashes_is_named_and_hides_no_other(launcher, tmp_path):
    if launcher != "basic":
        pytest.importorskip(f"hydra_plugins.hydra_{launcher.split('_')[0]}_launcher")
    (tmp_path / "crash.py").write_text(CRASH)
    folder = tmp_path / "sweep"
    crash = "+callback.crash._target_=crash.Crash"
    few = ("-m", "seed=0,1", *FEW, crash, f"hydra/launcher={launcher}", f"hydra.sweep.dir={folder}")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])

    def again():
        if launcher == "basic":
            return running.command("train", *few, cwd=tmp_path, paths=(str(tmp_path),))
        return running.script("train", *few, cwd=tmp_path, environment={"PYTHONPATH": path})

    (tmp_path / "crash").touch()
    done = again()
    assert done.status == 1, done.out + done.err
    by_seed = {run.seed: run for run in find(folder)}
    assert (by_seed[0].status, by_seed[1].status) == ("finished", "failed")
    assert by_seed[1].error == "MemoryError: no memory is left"
    assert "no memory is left" in (by_seed[1].folder / "traceback.txt").read_text()
    last = done.err.splitlines()[-2:]
    assert last == [
        "heatmap-train: 1 of the jobs did not finish:",
        f"  {by_seed[1].name}: failed: MemoryError: no memory is left",
    ]
    before = stamps(folder)
    (tmp_path / "crash").unlink()
    done = again()
    assert done.status == 0, done.out + done.err
    after = stamps(folder)
    assert len(after) == 2
    assert {name: after[name] for name in before} == before
    assert not (by_seed[1].folder / "traceback.txt").exists()


def test_a_job_that_is_refused_is_named_and_recorded(tmp_path):
    done = sweep_of(tmp_path / "sweep", "-m", "sigma=2,-1", *FEW)
    assert done.status == 1
    assert "sigma=-1" in done.err.splitlines()[-1]
    refused = [run for run in find(tmp_path / "sweep") if run.status == "refused"]
    assert [run.value("sigma") for run in refused] == [-1]
    assert "above 0" in refused[0].error


def test_values_of_a_group_can_be_given_beside_its_options(tmp_path):
    swept = ("-m", "head=low_rank,low_rank_local", "head.rank=3", "seed=0")
    done = running.command("check", *swept, cwd=tmp_path)
    assert done.status == 0, done.err
    assert [line.split()[0] for line in done.out.splitlines()] == ["ok", "ok"]
    done = running.command("check", *swept[:2], "head.rnk=3", cwd=tmp_path)
    assert done.status != 0
    assert done.err.splitlines() == [
        "heatmap-check: head.rnk: there is no such key. Did you mean rank?"
    ]


@pytest.mark.parametrize("study", STUDIES)
def test_the_ends_of_every_study_can_be_trained(study):
    if study.startswith(OF_REAL_DATA) and "HEATMAP_DATA" not in os.environ:
        pytest.skip("HEATMAP_DATA is unset")
    for values in ends(study):
        with running.composing():
            cfg = hydra.compose("train", ["output_dir=.", f"experiment={study}", *values])
            job = prepare(cfg, {})
        refuse_question(job)
        assert building.dry_run(building.wire(job))[1]["parameters"] > 0


def test_labels_that_scale_are_as_wide_as_the_image_of_each_job_has_them(tmp_path):
    """What is swept is resolved before there is a job, by Hydra, against one size for all."""
    some = ("-m", "experiment=resolution", "arm=ce_2d", "seed=0", *FEW)
    sizes = ("image_size=[32,32],[48,48]", "study=null", "question=null")
    done = sweep_of(tmp_path / "sweep", *some, *sizes)
    assert done.status == 0, done.err
    widths = {tuple(run.value("image_size")): [] for run in find(tmp_path / "sweep")}
    for run in find(tmp_path / "sweep"):
        widths[tuple(run.value("image_size"))].append(run.value("sigma"))
    assert {size: sorted(each) for size, each in widths.items()} == {
        (32, 32): [pytest.approx(1.28), 2.0],
        (48, 48): [pytest.approx(1.92), 2.0],
    }


def test_a_named_sweep_is_kept_under_its_name(tmp_path):
    done = running.command("train", "-m", "study=mine", "seed=0", *FEW, cwd=tmp_path)
    assert done.status == 0, done.out + done.err
    (found,) = find(tmp_path / "outputs" / "studies" / "mine")
    assert found.study == "mine"


@pytest.mark.parametrize("name", ["../../out", "a/b", "..", "."])
def test_a_study_is_a_name_and_no_path(name, tmp_path):
    cwd = tmp_path / "inside" / "here"
    done = running.command("train", "-m", f"study={name}", "seed=0", *FEW, cwd=cwd)
    assert done.status == 1
    assert done.err.splitlines() == [
        f"heatmap-train: study={name}: give a name, not a path; outputs/studies has it."
    ]
    assert not list(tmp_path.rglob("run.json"))
    assert [item.name for item in tmp_path.iterdir()] == ["inside"]


def test_what_other_code_has_finished_is_kept_out_of_the_way(tmp_path):
    store = RunStore(tmp_path / "job")
    (store.folder / ".hydra").mkdir(parents=True)
    store.checkpoints.mkdir()
    (store.checkpoints / "last.ckpt").write_text("weights")
    store.update(status="finished", config_hash="a", source_hash="old")
    assert sweep.finished(store.folder, {"config_hash": "a", "source_hash": "old"}) == store.folder
    assert sweep.finished(store.folder, {"config_hash": "a", "source_hash": "new"}) is None
    assert not sweep.goes_on(store, {"config_hash": "a", "source_hash": "new"})
    assert not store.record.exists()
    kept = tmp_path / ".older" / "job-0"
    assert RunStore(kept).read()["source_hash"] == "old"
    assert (kept / "checkpoints" / "last.ckpt").read_text() == "weights"


def asked():
    return record.asked({"seed": 0, "study": None, "decoder": {}}, {})


def test_a_job_that_fails_at_once_can_still_go_on_from_its_checkpoint(tmp_path):
    store = RunStore(tmp_path)
    store.update(status="interrupted", config_hash="a", source_hash="b")
    with pytest.raises(OSError, match="gone"), sweep.failures_recorded(store, asked, ()):
        raise OSError("the disk is gone")
    assert store.read()["status"] == "failed"
    assert store.read()["error"] == "OSError: the disk is gone"
    assert store.read()["config_hash"] == "a"
    assert "the disk is gone" in (tmp_path / "traceback.txt").read_text()


def test_only_a_checkpoint_of_the_same_config_and_code_is_gone_on_from(tmp_path):
    store, same = RunStore(tmp_path), {"config_hash": "a", "source_hash": "b"}
    store.checkpoints.mkdir()
    for facts, goes_on in ((same, True), (same | {"source_hash": "c"}, False)):
        (store.checkpoints / "last.ckpt").write_text("weights")
        store.update(status="running", **facts)
        assert sweep.goes_on(store, same) is goes_on
        assert (store.checkpoints / "last.ckpt").exists() is goes_on


def test_a_job_whose_record_is_damaged_is_trained_anew_and_says_so(tmp_path, caplog):
    store = RunStore(tmp_path / "job")
    store.checkpoints.mkdir(parents=True)
    store.record.write_text('{"status": "fini')
    assert not sweep.goes_on(store, {"config_hash": "a", "source_hash": "b"})
    assert f"{store.record} cannot be read: this job is trained anew" in caplog.text
    assert not store.record.exists()


def test_a_failure_is_recorded_also_where_the_record_was_damaged(tmp_path):
    store = RunStore(tmp_path)
    store.record.write_text("[]")
    with pytest.raises(OSError, match="gone"), sweep.failures_recorded(store, asked, ()):
        raise OSError("the disk is gone")
    assert (store.read()["status"], store.read()["seed"]) == ("failed", 0)


def test_a_job_is_one_processs_until_that_ends_however_it_ends(tmp_path):
    code = "import sys, time, pathlib; from heatmap_research.runs.sweep import claimed\n"
    code += "with claimed(pathlib.Path(sys.argv[1])): print('mine', flush=True); time.sleep(60)"
    line = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "mine\n"
        with sweep.claimed(tmp_path) as free:
            assert not free
        other.kill()
    with sweep.claimed(tmp_path) as free:
        assert free


def test_configs_that_differ_have_folders_that_differ(tmp_path):
    """Also where what differs does not show in their names."""
    for noise in (0.01, 0.02):
        line = ("-m", "sigma=-1,-2.5", f"data.noise={noise}", *FEW)  # refused, and so done soon
        assert sweep_of(tmp_path / "sweep", *line).status == 1
    found = find(tmp_path / "sweep")
    assert len(found) == 4
    for run in found:
        config = OmegaConf.load(run.folder / ".hydra" / "config.yaml")
        assert (config.sigma, config.data.noise) == (run.value("sigma"), run.value("data.noise"))


def test_a_folder_that_cannot_be_made_is_named_in_a_line(tmp_path):
    (tmp_path / "file").write_text("")
    done = running.command("train", f"hydra.run.dir={tmp_path}/file/run", *FEW, cwd=tmp_path)
    assert done.status != 0
    assert len(done.err.splitlines()) == 1, done.err
    assert f"{tmp_path}/file" in done.err


@pytest.mark.skipif(partners.room() < 2, reason="one core, or little memory")
def test_a_study_on_cpus_uses_every_core(tmp_path, monkeypatch):
    """Unless threads are chosen: then there is one process, as in all other tests."""
    few = (*running.SMOKE, "trainer.max_steps=1", "decoder=[argmax]", "evaluate=[]")
    line = ("-m", "study=both", "arm=mse_2d", "seed=0,1", *few)
    monkeypatch.delenv("OMP_NUM_THREADS")
    done = running.script("train", *line, cwd=tmp_path)
    assert done.status == 0, done.err
    assert f"{partners.room()} processes work on study both" in done.out
    assert done.out.count("2 finished") == 1  # told once, after the last of both
    runs = list((tmp_path / "outputs" / "studies" / "both").glob("*/run.json"))
    records = [json.loads(run.read_text()) for run in runs]
    assert [record["status"] for record in records] == ["finished"] * 2
    assert {record["device"]["threads"] for record in records} == {1}


@pytest.mark.parametrize("command", ["check", "evaluate", "train"])
def test_only_trainings_start_others(command, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(partners, "_command", [command])
    monkeypatch.setattr(partners, "room", lambda: 2)
    started = []
    monkeypatch.setattr(partners.subprocess, "Popen", lambda line, **_: started.append(line))
    monkeypatch.setattr(partners, "_started", [])
    monkeypatch.setattr(partners.atexit, "register", lambda _: None)
    with running.composing():
        cfg = hydra.compose("train", ["study=s", "output_dir=."], return_hydra_config=True)
    partners.start(cfg)
    assert len(started) == (command == "train")
