"""A run's folder opens wherever it lies, and nothing that is typed by mistake empties it."""

import hashlib
import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import hydra
import people
import pytest
import running
import torch
from pairwise import each
from safetensors.torch import load_file, save_file

from heatmap_research.config import of_run
from heatmap_research.runs.store import RunStore
from heatmap_research.training import build
from heatmap_research.types import IncompatibleError


def digests(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_files_given_by_relative_paths_are_found_from_elsewhere(own_run, tmp_path):
    running.succeed("evaluate", f"run={own_run}", "name=elsewhere", cwd=tmp_path)
    ours = RunStore(own_run).read()["metrics"]
    theirs = RunStore(own_run / "evaluate" / "elsewhere").read()["metrics"]
    assert running.without_ellipses(theirs) == ours
    shutil.rmtree(own_run / "evaluate")


def test_a_copied_run_knows_its_joints_without_its_data(own_run, tmp_path):
    folder = tmp_path / "copied"
    shutil.copytree(own_run, folder)
    (there := own_run.parents[1] / "set").rename(there.with_name("gone"))
    try:
        job = of_run.job_of(of_run.stored(folder), folder)
    finally:
        there.with_name("gone").rename(there)
    assert job.schema.names == people.JOINTS
    assert job.schema.flip == (0, 2, 1)


def test_a_run_from_before_some_keys_came_opens_as_it_was(own_run):
    config = of_run.stored(own_run)
    for key in ("weights", "freeze", "layer_decay", "compile"):
        del config[key]
    job = of_run.job_of(config, own_run)
    config = job.config
    assert (config.weights, config.freeze, config.layer_decay) == (None, [], 1.0)
    assert config.compile is False


def test_the_weights_of_a_run_are_its_tensors_and_nothing_else(own_run):
    stored, tensors = running.weights(own_run), load_file(RunStore(own_run).weights)
    assert stored.keys() == tensors.keys()
    assert [name for name in stored if not torch.equal(stored[name], tensors[name])] == []
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    assert RunStore(own_run).weights.stat().st_size < size * 1.1


def test_data_of_the_same_joints_in_another_order_are_refused(own_run, tmp_path):
    turned = people.write(tmp_path, joints=people.JOINTS[::-1])
    files = (f"data.val.annotations={turned}", f"data.val.images={tmp_path}")
    done = running.command("evaluate", f"run={own_run}", *files, cwd=tmp_path)
    assert done.status == 1
    assert "same joints, in the same order" in done.err
    other = ("data=custom", f"data.train.annotations={turned}", f"data.train.images={tmp_path}")
    done = running.command("evaluate", f"run={own_run}", *other, *files, cwd=tmp_path)
    assert done.status == 1
    assert "has learnt the joints nose, left_wrist, right_wrist" in done.err
    shutil.rmtree(own_run / "evaluate", ignore_errors=True)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    class Planted:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    file = tmp_path / "last.ckpt"
    torch.save({"state_dict": {}, "more": Planted()}, file)
    with pytest.raises(IncompatibleError, match="no weights can be read"):
        build.load_weights(running.build(running.compose()), file)
    assert not (tmp_path / "ran").exists()


@each(content=[b"", b"no tensors at all"])
def test_weights_that_are_damaged_are_refused_in_a_line(content, tmp_path):
    for name in ("weights.safetensors", "last.ckpt"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(IncompatibleError, match="no weights can be read"):
            build.load_weights(running.build(running.compose()), tmp_path / name)


def test_weights_of_another_network_are_refused(tmp_path):
    file = tmp_path / "weights.safetensors"
    save_file({"net.head.weight": torch.zeros(3)}, file)
    with pytest.raises(IncompatibleError, match="do not fit"):
        build.load_weights(running.build(running.compose()), file)


WRONG = (
    ("train", "data.val.images=nowhere"),
    ("train", "arm=simcc"),
    ("train", "sigma=-1"),
    ("train", "heads=simcc"),
    ("train", "backbone=nothing"),
    ("train", "trainer.max_steps=-7"),
    ("train", "resume={run}"),
    ("train", "resume={run}", "trainer.max_steps=2"),
    ("train", "-m", "seed=0,1", "name=mine"),
    ("evaluate", "run={run}", "decoder=[drk]"),
    ("evaluate", "run={run}", "name=../mine"),
    ("evaluate", "run={run}", "checkpoint=best"),
    ("evaluate", "run={run}", "metric=[nne]"),
    ("evaluate", "run={run}", "data.val.annotations=nowhere.json"),
    ("budget", "run={run}", "stage=train"),
    ("show", "run={run}", "stage=vall"),
    ("show", "run={run}", "index=9999"),
    ("show", "run={run}", "output={run}/run.json"),
    ("ceiling", "run={run}", "out={run}/run.json"),
    ("report", "{run}", "--out", "{run}/predictions.parquet"),
    ("runs", "{run}", "--csv", "{run}/run.json"),
)


def test_a_finished_run_survives_wrong_commands(own_run, tmp_path):
    """Each typed by mistake at a run whose folder it names; what lies there stays as it is."""
    run = tmp_path / "mine"
    shutil.copytree(own_run, run)
    before = digests(run)
    for name, *arguments in WRONG:
        line = [argument.format(run=run) for argument in arguments]
        place = [f"hydra.run.dir={run}"] * (name == "train" and "-m" not in line)
        done = running.command(name, *line, *place, cwd=own_run.parents[1])
        assert done.status != 0, line
        assert "Traceback" not in done.err, done.err
        assert before.items() <= digests(run).items(), line


HOLDS = """
import sys, time, pathlib
from heatmap_research.runs.sweep import claimed
with claimed(pathlib.Path(sys.argv[1])):
    print("mine", flush=True)
    time.sleep(120)
"""


@pytest.fixture
def held(tmp_path):
    """The folder of a run that another process is at."""
    (tmp_path / "run" / ".hydra").mkdir(parents=True)
    (tmp_path / "run" / ".hydra" / "config.yaml").write_text("theirs")
    line = [sys.executable, "-c", HOLDS, str(tmp_path / "run")]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "mine\n"
        yield tmp_path / "run"
        other.kill()


@pytest.mark.parametrize("begun", [False, True])
def test_a_folder_that_another_process_trains_in_is_left_as_it_is(begun, held, tmp_path):
    """Also where that run has weights already, and is to be moved aside."""
    if begun:
        RunStore(held).update(status="running")
        RunStore(held).checkpoints.mkdir()
        (RunStore(held).checkpoints / "last.ckpt").write_text("theirs")
    line = (*running.SMOKE, f"hydra.run.dir={held}", "overwrite=true")
    done = running.command("train", *line, cwd=tmp_path)
    assert done.status == 1
    assert done.err.splitlines() == [
        f"heatmap-train: {held}: another process trains in it: choose name=NEW, or wait."
    ]
    assert (held / ".hydra" / "config.yaml").read_text() == "theirs"


def test_two_runs_begun_in_the_same_second_have_folders_of_their_own():
    importlib.import_module("heatmap_research.config.hydra_job")  # which names folders
    with running.composing():
        made = [hydra.compose("train", return_hydra_config=True) for _ in range(2)]
    first, second = (cfg.hydra.run.dir for cfg in made)
    assert first != second


def test_a_sweep_whose_jobs_have_several_processes_is_refused(tmp_path):
    """Its second process went through the sweep anew, and trained another job with the first."""
    ddp = ("trainer=ddp", "trainer.accelerator=cpu")
    done = running.command("train", "-m", "seed=0,1", *running.SMOKE, *ddp, cwd=tmp_path)
    assert done.status not in (0, None)
    assert "trainer.devices=2: a job of a sweep has one process" in done.err
    assert not list(tmp_path.rglob("checkpoints"))
