"""Trainings that begin with the weights of others, leave parts as they are, or go on for longer."""

import shutil
from copy import deepcopy
from pathlib import Path

import people
import pytest
import running
import timm
import torch
from safetensors.torch import load_file, save_file

from heatmap_research.network.depth import depths
from heatmap_research.runs.store import RunStore
from heatmap_research.training import fit, starting
from heatmap_research.training.extending import same_course
from heatmap_research.training.schedules.constant import Constant
from heatmap_research.training.schedules.cosine import Cosine
from heatmap_research.training.schedules.one_cycle import OneCycle
from heatmap_research.types import IncompatibleError

SMALL = ("backbone.pretrained=false", "image_size=[32,32]")


def task(*overrides: str) -> torch.nn.Module:
    return running.build(running.compose(*SMALL, *overrides))


def kept(file: Path, tensors: dict[str, torch.Tensor]) -> Path:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)
    return file


def test_a_network_begins_as_another_ended_but_for_the_head_of_its_own_joints(tmp_path):
    other, ours = task("joints=[head,left_wrist,right_wrist]"), task()
    before, given = deepcopy(ours.state_dict()), other.state_dict()
    match = starting.start_from(ours, str(kept(tmp_path / "w.safetensors", given)))
    assert set(match.anew) == {"net.head.joint.weight", "net.head.joint.bias"}
    assert match.absent == match.unused == ()
    for name, tensor in ours.state_dict().items():
        expected = before if name in match.anew else given
        assert torch.equal(tensor, expected[name]), name


def test_weights_of_timm_fill_the_backbone(tmp_path):
    whole = timm.create_model("test_resnet", pretrained=False)
    given = {name: torch.randn_like(t.float()) for name, t in whole.state_dict().items()}
    ours = task()
    match = starting.start_from(ours, str(kept(tmp_path / "w.safetensors", given)))
    assert torch.equal(ours.net.backbone.net.conv1[0].weight, given["conv1.0.weight"])
    assert torch.equal(
        ours.net.backbone.net.layer4[0].bn1.running_var, given["layer4.0.bn1.running_var"]
    )
    assert set(match.unused) == {"fc.weight", "fc.bias"}
    assert all(
        name.startswith(("net.head", "net.neck", "net.backbone.mean", "net.backbone.std"))
        for name in match.absent
    )


@pytest.mark.parametrize(
    "tensors", [{"a": torch.zeros(2)}, {"net.head.joint.bias": torch.zeros(13)}]
)
def test_a_file_with_next_to_nothing_of_the_network_is_refused(tensors, tmp_path):
    with pytest.raises(IncompatibleError, match="tensors of this backbone are in it"):
        starting.start_from(task(), str(kept(tmp_path / "w.safetensors", tensors)))


def test_weights_that_are_not_there_are_refused_before_anything_is_written(tmp_path):
    done = running.command("train", *running.SMOKE, "weights=nowhere", "name=new", cwd=tmp_path)
    assert done.status == 1
    assert "weights=nowhere: no such file" in done.err
    assert not (tmp_path / "outputs" / "new" / "run.json").exists()


def test_a_check_refuses_the_weights_that_a_training_would_and_takes_those_that_arrive(tmp_path):
    kept(tmp_path / "whole.safetensors", task().state_dict())
    kept(tmp_path / "few.safetensors", {"a": torch.zeros(2)})
    (tmp_path / "junk.pt").write_text("no weights")
    files = ("whole.safetensors", "nowhere", "junk.pt", "few.safetensors")
    done = running.command("check", *SMALL, "-m", f"weights={','.join(files)}", cwd=tmp_path)
    whole, *others = done.out.splitlines()
    assert whole.startswith("ok"), whole
    words = (
        "weights=nowhere: no such file",
        "junk.pt: no weights can be read",
        "0 of the 90 tensors",
    )
    for line, word in zip(others, words, strict=True):
        assert line.startswith("refused: "), line
        assert word in line, line


def test_joints_of_other_names_begin_anew_though_they_are_as_many(own_run, tmp_path):
    file = people.write(tmp_path / "set", joints=("nose", "left_ankle", "right_ankle"))
    begin = (f"weights={own_run}", "freeze=[backbone,neck]", "trainer.max_steps=2", "lr=0.1")
    done = running.succeed("train", *people.options(file), *begin, "name=tuned", cwd=tmp_path)
    assert "2 begin anew, as the file's are of other joints or shapes" in done.out
    assert RunStore(tmp_path / "outputs" / "tuned").read()["config"]["optimizer"]["lr"] == 0.1
    before = load_file(RunStore(own_run).weights)
    after = load_file(RunStore(tmp_path / "outputs" / "tuned").weights)
    differing = {name for name in before if not torch.equal(before[name], after[name])}
    assert differing == {"net.head.joint.weight", "net.head.joint.bias"}


def test_frozen_stages_keep_their_running_means(tmp_path):
    ours = task("freeze=stages.2")
    before = {name: tensor.clone() for name, tensor in ours.net.state_dict().items()}
    ours.net.train()
    scores = ours.net(torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8))
    sum(score.square().sum() for score in scores).backward()
    torch.optim.SGD(ours.groups(), lr=1.0).step()
    changed = {
        n for n, tensor in ours.net.state_dict().items() if not torch.equal(tensor, before[n])
    }
    learnt = {name.split(".")[2] for name in changed if name.startswith("backbone")}
    assert learnt == {"layer3", "layer4"}


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("head", "choose backbone"),
        ("stages.9", "stages 0 .the stem. to"),
        ("stages.x", "as stages.2"),
    ],
)
def test_parts_that_cannot_be_frozen_are_refused(part, words):
    with pytest.raises(IncompatibleError, match=words):
        task(f"freeze={part}")


def test_layers_have_the_rates_of_their_depth():
    ours = task("layer_decay=0.5", "optimizer.lr=1.0")
    rates = {id(p): group["lr"] for group in ours.groups() for p in group["params"]}
    own = dict(ours.net.named_parameters())
    layers = depths(ours.net.backbone, coarse=False)
    last = max(layers.values())
    for name, layer in layers.items():
        assert rates[id(own[f"backbone.{name}"])] == pytest.approx(0.5 ** (last + 1 - layer))
    assert {rates[id(p)] for name, p in own.items() if not name.startswith("backbone")} == {1.0}


@pytest.mark.parametrize(
    ("schedule", "same"),
    [(Constant(warmup=3), True), (Cosine(warmup=0.1, last=0.0), False), (OneCycle(0.3), False)],
)
def test_only_a_schedule_without_an_end_can_be_prolonged(schedule, same):
    assert same_course(schedule, 10, 25) is same


def test_a_prolonged_run_is_the_longer_run(tmp_path):
    options = (*running.SMOKE, "schedule=constant", "schedule.warmup=2")
    running.succeed("train", *options, "name=short", "trainer.max_steps=2", cwd=tmp_path)
    running.succeed("train", *options, "name=long", "trainer.max_steps=5", cwd=tmp_path)
    short, long = (tmp_path / "outputs" / name for name in ("short", "long"))
    RunStore(short / "evaluate" / "mine").update(status="finished", as_trained=True)
    (short / "export").mkdir()
    (short / "export" / "dark.onnx").write_bytes(b"of two steps")
    running.succeed("train", f"resume={short}", "trainer.max_steps=5", cwd=tmp_path)
    assert (short / ".older" / "export-0" / "dark.onnx").exists()
    assert not (short / "export").exists()
    running.assert_same_weights(short, long)
    assert RunStore(short).read()["config_hash"] == RunStore(long).read()["config_hash"]
    assert not (short / "evaluate").exists()  # of the weights of two steps
    assert RunStore(short / ".older" / "evaluate-0" / "mine").read("as_trained")
    done = running.command("train", f"resume={short}", cwd=tmp_path)
    assert "has finished" in done.err


def test_evaluations_stay_where_a_run_goes_on_behind_its_last_step(smoke, tmp_path):
    shutil.copytree(smoke, tmp_path / "run")
    store = RunStore(tmp_path / "run")
    RunStore(store.folder / "evaluate" / "mine").update(status="finished")
    last = store.checkpoints / "last.ckpt"
    steps = store.read()["steps"]
    fit._make_room(store, last, steps)
    assert (store.folder / "evaluate" / "mine").is_dir()
    fit._make_room(store, last, steps + 1)
    assert not (store.folder / "evaluate").exists()


def test_a_course_that_ends_is_not_prolonged_and_the_way_is_told(smoke, tmp_path):
    done = running.command("train", f"resume={smoke}", "trainer.max_steps=50", cwd=tmp_path)
    assert done.status == 1
    assert "weights=" in done.err
