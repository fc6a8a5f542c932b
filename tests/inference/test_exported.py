"""What leaves this code as a file answers as the network does that it was made from."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import hydra
import numpy as np
import options
import people
import pytest
import running
import torch
from torch import nn

from heatmap_research.codec import covariance
from heatmap_research.codec.grid import Grid
from heatmap_research.config import of_run
from heatmap_research.config.job import prepare
from heatmap_research.inference import graph, loading, parity
from heatmap_research.inference.hub import HubModel
from heatmap_research.inference.pictures import Picture
from heatmap_research.jobs import export as jobs
from heatmap_research.jobs import export_steps as steps
from heatmap_research.training import build as building
from heatmap_research.types import IncompatibleError

FLAT = ("rank_1", "rank_2", "rank_4")  # decoders whose graph holds for one size of batch
DECODER = "local_soft_argmax"
WIDENING = 0.25


@pytest.fixture(scope="module")
def exported(smoke: Path) -> tuple[Path, str]:
    """The ONNX file of a run of a few steps whose widths are known, and what the command said."""
    pytest.importorskip("onnxruntime")
    run = smoke.parent / "exported"
    shutil.copytree(smoke, run, ignore=shutil.ignore_patterns("evaluate", "export"))
    record = json.loads((run / "run.json").read_text())
    record["metrics"]["val"][DECODER]["widening"] = WIDENING
    (run / "run.json").write_text(json.dumps(record))
    done = running.succeed("export", f"run={run}", f"decoder={DECODER}", "crops=8", cwd=run.parent)
    return run / "export" / f"{DECODER}.onnx", done.out


def _consumer(folder: Path) -> Path:
    """The program that the docs show."""
    page = (running.ROOT / "docs" / "export.md").read_text()
    (program,) = re.findall(r"```python\n(import json\n.*?)```", page, re.DOTALL)
    file = folder / "consumer.py"
    file.write_text(program)
    return file


def _picture(folder: Path) -> tuple[Path, np.ndarray]:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(1, 3, 9, 11, generator=generator)
    smooth = nn.functional.interpolate(coarse, (90, 110), mode="bilinear")[0] * 255
    pixels = smooth.permute(1, 2, 0).byte().numpy()
    np.save(folder / "picture.npy", pixels)
    return folder / "picture.npy", pixels


def _predicted(run: Path, pixels: np.ndarray, box: list[float]) -> np.ndarray:
    """The points that heatmap-predict finds."""
    job = of_run.read_by_one(run, DECODER, False)
    predictor = loading.predictor(job, of_run.weights_of(run, "last"), "cpu", False, 4, None)
    picture = Picture("picture", lambda factor: (pixels, 1), (110, 90), boxes=np.array([box]))
    (seen,) = predictor([picture])
    return seen.people[0].keypoints


def test_the_program_of_the_docs_finds_what_predict_finds(exported, smoke, tmp_path, capsys):
    file, pixels = _picture(tmp_path)
    box = [20.0, 15.0, 50.0, 60.0]
    line = [str(exported[0]), str(file), *map(str, box)]
    program = compile(_consumer(tmp_path).read_text(), "consumer.py", "exec")
    old, sys.argv = sys.argv, ["consumer.py", *line]
    try:
        exec(program, {})
    finally:
        sys.argv = old
    found = [line.split() for line in capsys.readouterr().out.splitlines()]
    np.testing.assert_allclose(
        [[float(x), float(y)] for _, x, y, _ in found], _predicted(smoke, pixels, box), atol=0.05
    )  # a crop is rounded to bytes, where a half may go either way


def test_a_file_says_what_its_graph_cannot(exported, smoke):
    import onnxruntime

    session = onnxruntime.InferenceSession(exported[0], providers=["CPUExecutionProvider"])
    about = {k: json.loads(v) for k, v in session.get_modelmeta().custom_metadata_map.items()}
    known = json.loads((smoke / "run.json").read_text())
    assert {name: about[name] for name in known["schema"]} == known["schema"]
    assert about["config_hash"] == known["config_hash"]
    assert (about["image_size"], about["stride"], about["layout"]) == ([32, 32], 4, "2-D")
    assert about["geometry"] == {"first": -0.5, "last": -0.5}
    assert (about["padding"], about["score"], list(about["decoder"])) == (
        1.25,
        "product",
        [DECODER],
    )
    assert [(each.type, each.shape[1:]) for each in session.get_inputs()] == [
        ("tensor(uint8)", [3, 32, 32])
    ]
    assert {each.name: each.shape[1:] for each in session.get_outputs()} == {
        "keypoints": [13, 2],
        "scores": [13],
        "covariance": [13, 2, 2],
    }
    job = of_run.read_by_one(smoke, DECODER, False)
    raw = steps.Answering(steps.task(job, of_run.weights_of(smoke, "last")), maps=False)
    wanted = raw(_crops(3, 32))["covariance"].detach() * WIDENING**2
    (given,) = session.run(["covariance"], {"image": _crops(3, 32).numpy()})
    assert about["widening"] == WIDENING
    np.testing.assert_allclose(given, wanted, rtol=1e-3)


def test_the_command_says_how_far_the_file_is_from_the_run(exported):
    said = exported[1]
    assert "8 crops of val" in said
    assert "covariances as calibrated on val (widths times 0.25)" in said
    assert re.search(r"keypoints \S+ px \(limit 0.001 px\), scores .*, covariance .* %", said)


def test_a_folder_for_a_hub_has_a_runs_weights_and_no_path(smoke, tmp_path):
    export(smoke, "format=safetensors", "decoder=dark", f"out={tmp_path}/hub", "crops=2")
    opened = HubModel.from_pretrained(tmp_path / "hub")
    for name, tensor in running.weights(smoke).items():
        assert torch.equal(opened.state_dict()[name], tensor)
    assert not re.search(r'"[~/][^"]*/', (tmp_path / "hub" / "config.json").read_text())
    assert sorted(each.name for each in (tmp_path / "hub").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]


def test_a_file_that_answers_otherwise_is_refused_and_not_left(smoke, tmp_path):
    job = of_run.read_by_one(smoke, DECODER, False)
    model = steps.Answering(steps.task(job, of_run.weights_of(smoke, "last")), maps=False)
    write, out = (lambda file: file.write_bytes(b"a graph")), tmp_path / "file.onnx"

    def moved(pixels: float):
        def answer(image):
            found = model(image)
            return found | {"keypoints": found["keypoints"] + torch.tensor([pixels, 0.0])}

        return lambda file: answer

    with pytest.raises(IncompatibleError, match=r"keypoints 0\.0012 px.*no file is left"):
        steps.checked(out, write, moved(1.2e-3), model, _crops(9, 32))
    assert list(tmp_path.iterdir()) == []
    steps.checked(out, write, moved(0.8e-3), model, _crops(9, 32))
    assert out.read_bytes() == b"a graph"


def test_an_answer_that_is_no_number_is_beyond_every_limit():
    (found,) = parity.largest({"scores": torch.tensor([[0.0, 0.0], [0.0, torch.nan]])})
    assert (found.within, found.crop, found.joint) == (False, 1, 1)


def test_a_covariance_is_compared_by_its_own_size():
    def answer(factor):
        return lambda image: {"covariance": factor * torch.eye(2).expand(len(image), 1, 2, 2)}

    (found,) = parity.largest(parity.apart(answer(100.0), answer(101.5), torch.zeros(4, 1)))
    assert found.value == pytest.approx(1.5, abs=1e-3)
    assert not found.within


def test_a_decoder_that_has_no_graph_is_told_from_one_that_has():
    grid = Grid((16, 16), stride=4, ndim=2)
    assert graph.traceable(options.DECODERS["argmax"], grid, joints=2)
    assert not graph.traceable(options.DECODERS["rank_1"], grid, joints=2)


def test_crops_are_drawn_where_the_data_are_gone(tmp_path):
    file = people.write(tmp_path / "set")
    job = prepare(running.compose(*people.options(file)), {})
    crops = steps.crops(job, 3)
    assert (crops.whose, crops.image.shape) == ("3 crops of val", (3, 3, 32, 32))
    shutil.rmtree(tmp_path / "set")
    crops = steps.crops(job, 3)
    assert crops.whose.startswith("3 drawn figures (the run's data cannot be read")
    assert crops.labelled is None
    assert torch.equal(crops.image, steps.crops(job, 5).image[:3])


REFUSED = {
    "format=onx": "choose onnx, torch_export, safetensors",
    "crops=1": "at least 2",
    "maps=perhaps": "true or false",
    "out=file.pt": "ends in .pt2",
    "decoder=soft_argmax": "decoder=soft_argmax",
    "decoder=[dark,argmax]": "choose one",
    "checkpoint=best": "this run has last",
}


@pytest.mark.parametrize("option", REFUSED)
def test_what_cannot_be_exported_is_refused_with_what_can(option, smoke):
    given = ("format=torch_export", option) if option != "format=onx" else (option,)
    with pytest.raises(IncompatibleError, match=re.escape(REFUSED[option])):
        export(smoke, *given)


def test_a_file_that_is_there_is_kept_and_no_folder_made_of_it(smoke, tmp_path):
    (tmp_path / "mine.pt2").write_text("mine")
    with pytest.raises(IncompatibleError, match="there already"):
        export(smoke, "format=torch_export", f"out={tmp_path}/mine.pt2")
    with pytest.raises(IncompatibleError, match="nothing can be written there"):
        export(smoke, "format=torch_export", f"out={tmp_path}/mine.pt2/x.pt2")
    assert (tmp_path / "mine.pt2").read_text() == "mine"


def export(run: Path, *line: str) -> None:
    """What the command does once Hydra has read its line."""
    with running.composing():
        jobs.export(hydra.compose("export", [f"run={run}", *line]))


class EveryDecoder(nn.Module):
    """As Answering, with the points of every decoder at once: one export for all."""

    def __init__(self, task):
        super().__init__()
        self.task = task

    def forward(self, image):
        codec, activated = self.task.codec, self.task.activated(image)
        found = codec.decode(activated)
        answer = {f"keypoints of {name}": each.keypoints for name, each in found.items()}
        answer["covariance"] = covariance.of_answer(codec.grid, activated)
        return answer | {"scores": next(iter(found.values())).score}


def _network(arm, *overrides):
    """Random weights, whose scores are spread so that maps have peaks as a trained network's do."""
    task = _untrained(arm, *overrides)
    decoders = {n: d for n, d in task.codec.decoders.items() if n not in FLAT}
    with torch.inference_mode():
        scores = task.net(_crops(4))
    spread = torch.cat([s.flatten() for s in scores]).std().item()
    beta = 4 / spread if task.codec.loss.activation == "softmax" else 1.0
    if beta == 1:  # scores are the map: a linear layer's, which grow with its weights
        for parameter in task.net.head.parameters():
            parameter.data *= 0.3 / spread
    task.codec = replace(task.codec, decoders=decoders, beta=beta)
    return task


def _untrained(arm, *overrides):
    torch.manual_seed(0)
    with running.composing():
        cfg = hydra.compose(
            "train", ["output_dir=.", "decoder=all", f"arm={arm}", *running.DATA, *overrides]
        )
        return building.build(building.wire(prepare(cfg, {})), pretrained=False).eval()


def _crops(count, side=64):
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 8, 8, generator=generator)
    return (nn.functional.interpolate(coarse, (side, side), mode="bilinear") * 255).byte()


def _steady(task, crops):
    """Which points rounding does not move: double precision reads them alike, from maps that
    differ by a millionth."""
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        maps = task.activated(crops)
        noise = [1 + 1e-6 * torch.randn(m.shape, generator=generator) for m in maps]
        other = task.codec.decode(tuple((m * n).double() for m, n in zip(maps, noise, strict=True)))
        return {
            f"keypoints of {name}": (found.keypoints - other[name].keypoints).norm(dim=-1) < 1e-4
            for name, found in task.codec.decode(maps).items()
        }


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["resnet18", "hrnet_w18_small", "vit_small"])
@pytest.mark.parametrize("arm", ["ce_2d", "simcc", "mse_2d"])
def test_a_graph_answers_as_the_network_with_every_decoder(arm, backbone, tmp_path):
    task = _network(arm, f"backbone={backbone}")
    model, crops = EveryDecoder(task), _crops(8)
    program = graph.traced(model, crops[:2])
    with torch.inference_mode():
        names = list(model(crops[:2]))
    graph.write_onnx(program, names, {}, tmp_path / "all.onnx")
    run, steady = graph.run_onnx(tmp_path / "all.onnx"), _steady(task, crops)
    for name, of_joints in parity.apart(model, run, crops).items():
        counted = steady.get(name, torch.ones_like(of_joints, dtype=torch.bool))
        (each,) = parity.largest({name: of_joints.where(counted, 0)})
        share = counted.float().mean()
        print(f"{arm:6} {backbone:16} {each}, {share:.0%} of joints")
        assert each.within
        assert share > 0.6  # dark_simcc on 2-D maps; of all others, nearly all


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["resnet18", "vit_small"])
@pytest.mark.parametrize("arm", ["regression", "rle"])
def test_coordinates_leave_as_a_graph_in_every_precision(arm, backbone, tmp_path):
    onnx = pytest.importorskip("onnx")
    bits = pytest.importorskip("heatmap_research.jobs.export_quantised")
    task, crops = _untrained(arm, f"backbone={backbone}"), _crops(8)
    with torch.inference_mode():
        spread = task.net(crops)[0].std().item()
    for parameter in task.net.head.parameters():
        parameter.data *= 0.3 / spread  # all over the crop, not near its middle
    model = steps.Answering(task, maps=False)
    found = steps.to_graph(model, "onnx", {}, tmp_path / "exact.onnx", crops)
    assert [each.name for each in found][:2] == ["keypoints", "scores"]
    assert (len(found) == 3) == (arm == "rle")  # a covariance, where widths are learnt
    checked = steps.Crops(crops, "8 crops", None)
    for precision, ranges in {"fp16": None, "int8": crops, "int8_float_head": crops}.items():
        about, out = {"precision": precision}, tmp_path / f"{precision}.onnx"
        print(arm, backbone, bits.to_graph(model, about, out, checked, ranges))
        cost = json.loads({each.key: each.value for each in onnx.load(out).metadata_props}["cost"])
        assert cost["moved"]["keypoints"]["mean"] < (0.1 if precision == "fp16" else 6)


@pytest.mark.slow
def test_the_program_of_the_docs_needs_onnxruntime_and_numpy_alone(exported, tmp_path):
    """In an environment of its own, with what a package index gives today."""
    python = tmp_path / "alone" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "alone"], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", "onnxruntime", "numpy"], check=True)
    line = [_consumer(tmp_path), exported[0], _picture(tmp_path)[0], "20", "15", "50", "60"]
    done = subprocess.run(
        [python, "-I", *line], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert [each.split()[0] for each in done.stdout.splitlines()][:2] == ["head", "left_shoulder"]


@pytest.mark.slow
def test_a_torch_export_opens_with_torch_alone(smoke, tmp_path):
    export(smoke, "format=torch_export", "decoder=argmax", f"out={tmp_path}/x.pt2", "maps=true")
    about = {"metadata.json": ""}
    answer = torch.export.load(tmp_path / "x.pt2", extra_files=about).module()(_crops(3, 32))
    assert answer["map"].shape == (3, 13, 8, 8)
    assert json.loads(about["metadata.json"])["stride"] == 4
