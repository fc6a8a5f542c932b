"""A network in fewer bits: what is in them, what is not, and what it costs."""

import json
import re
import shutil

import hydra
import numpy as np
import people
import pytest
import running
import torch
from torch import nn

from heatmap_research.codec.decoders.debiased_soft_argmax import DebiasedSoftArgmax
from heatmap_research.config import of_run
from heatmap_research.config.job import prepare
from heatmap_research.inference import graph, quantised
from heatmap_research.jobs import export as jobs
from heatmap_research.jobs import export_quantised as bits
from heatmap_research.jobs import export_steps as steps
from heatmap_research.types import IncompatibleError, Sample

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

DECODER = "local_soft_argmax"
FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)


def crops(count, side=32):
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 8, 8, generator=generator)
    return (nn.functional.interpolate(coarse, (side, side), mode="bilinear") * 255).byte()


@pytest.fixture(scope="module")
def task(smoke):
    job = of_run.read_by_one(smoke, DECODER, False)
    return steps.task(job, of_run.weights_of(smoke, "last"))


class Shares(nn.Module):
    """The network, which is quantised, and a softmax after it, which is not."""

    def __init__(self, task):
        super().__init__()
        self.task = task

    def forward(self, image):
        return tuple(s.flatten(2).softmax(-1).view_as(s) for s in self.task.net(image))


@pytest.fixture(scope="module")
def exact(task, tmp_path_factory):
    """The network of a run of a few steps as a graph in float32."""
    file = tmp_path_factory.mktemp("graph") / "exact.onnx"
    graph.write_onnx(graph.traced(Shares(task), crops(2)), ["map"], {}, file)
    return file


def kinds(file):
    """How many operations with weights have them in floats, and how many in integers."""
    made = onnx.load(file).graph
    tensors = {each.name: each.data_type for each in made.initializer}
    of = {node.output[0]: node for node in made.node}
    found = {"float": 0, "integer": 0}
    for node in made.node:
        if node.op_type == "Conv":
            weights = of.get(node.input[1])
            name = weights.input[0] if weights else node.input[1]
            found["float" if tensors[name] in FLOATS else "integer"] += 1
    return found


def test_all_of_the_network_is_in_integers_or_all_but_its_head(exact, tmp_path):
    count = kinds(exact)["float"]
    for head, left in ((True, 0), (False, 1)):
        file = tmp_path / f"{head}.onnx"
        quantised.to_integers(exact, crops(8), file, head)
        assert kinds(file) == {"float": left, "integer": count - left}
        found = graph.run_onnx(file)(crops(5))["map"]
        np.testing.assert_allclose(found.flatten(2).sum(-1), 1, atol=1e-5)  # a softmax in float32


def test_integers_are_within_their_steps_of_what_they_stand_for(exact, tmp_path):
    """Of scores, whose logarithms differ by no more than 255 steps from lowest to highest."""
    quantised.to_integers(exact, crops(8), tmp_path / "x.onnx", head=True)
    found = graph.run_onnx(tmp_path / "x.onnx")(crops(8))["map"]
    logits = found.double().log()
    above = (logits - logits.flatten(2).amin(-1)[..., None, None]).flatten()
    top = above.max()
    count = (top / above[above > top / 1000].min()).round()
    np.testing.assert_allclose(above / top * count, (above / top * count).round(), atol=0.05)
    assert 20 < count <= 255


def test_half_of_a_network_leaves_the_image_the_scores_and_the_original_as_they_are(task):
    half = quantised.halved(task)
    seen = []
    (trunk,) = half.net.backbone.children()
    trunk.register_forward_pre_hook(lambda _, given: seen.append(given[0].dtype))
    half.net.backbone.register_forward_pre_hook(lambda _, given: seen.append(given[0].dtype))
    with torch.inference_mode():
        (wanted,), (found,) = task.activated(crops(4)), half.activated(crops(4))
    assert seen == [torch.uint8, torch.float16]
    assert {each.dtype for each in half.net.head.parameters()} == {torch.float16}
    assert {each.dtype for each in task.parameters()} == {torch.float32}
    assert half.net.backbone.mean.dtype == found.dtype == torch.float32
    assert 0 < (wanted - found).abs().max() / wanted.max() < 0.02  # 2^-11 a step, some 40 of them


def test_a_decoder_in_double_precision_is_so_in_a_graph(tmp_path):
    """Its excess over an empty map is a difference of logarithms: to single precision 3e-8."""
    decoder, heatmap = DebiasedSoftArgmax(beta=10.0), 1e-6 * torch.rand(4, 3, 24)
    heatmap[..., 5] += 5e-6

    class Alone(nn.Module):
        def forward(self, image):
            return decoder(image, 1.0)

    graph.write_onnx(graph.traced(Alone(), heatmap[:2]), ["at"], {}, tmp_path / "x.onnx")
    found = graph.run_onnx(tmp_path / "x.onnx")(heatmap)["at"]
    assert (found - decoder(heatmap, 1.0)).abs().max() < 1e-5


def test_weights_that_stay_floats_are_refused_by_name():
    conv = onnx.helper.make_node("Conv", ["x", "weight"], ["y"], name="layer")
    weight = onnx.helper.make_tensor("weight", FLOATS[0], [1, 1, 1, 1], [1.0])
    made = onnx.helper.make_graph([conv], "net", [], [], [weight])
    with pytest.raises(IncompatibleError, match=r"cannot quantise this network \(Conv\)"):
        quantised.refuse({"layer"}, made)
    with pytest.raises(IncompatibleError, match="no operation with weights"):
        quantised.refuse(set(), made)


def test_a_cost_is_counted_over_labelled_joints(task):
    """Of two joints one is labelled; the file is off by 3 and 4 px, towards the truth."""
    truth = torch.tensor([[[10.0, 0.0], [0.0, 0.0]]]).expand(3, 2, 2)
    nothing = dict.fromkeys(Sample._fields, torch.zeros(0))
    labelled = {"image": crops(3), "keypoints": truth, "visible": torch.tensor([[2, 0]] * 3)}
    sample = Sample(**nothing | labelled)
    at = {"float32": [[0.0, 0.0], [0.0, 0.0]], "int8": [[3.0, 0.0], [0.0, 4.0]]}

    def answer(name):
        return lambda image: {"keypoints": torch.tensor([at[name]]).expand(len(image), 2, 2)}

    given = steps.Crops(sample.image, "3 crops of val", sample)
    cost = bits.cost_of(answer("float32"), answer("int8"), given)
    assert cost["moved"] == {"keypoints": {"mean": 3.5, "largest": 4.0}}
    assert cost["error"] == {"float32": 10.0, "fewer_bits": 7.0}
    said = bits.said("int8", cost)
    assert "keypoints 3.5 (at most 4) px" in said
    assert "10.0000 px in float32, 7.0000 px in int8 (-3.0000 px)" in said


def test_ranges_are_those_of_the_last_crops_and_never_of_drawn_figures(tmp_path):
    job = prepare(running.compose(*people.options(people.write(tmp_path / "set"))), {})
    whole = steps.of_val(job, slice(None)).image
    assert torch.equal(bits.calibration(job, "int8", 2), whole[-2:])
    assert bits.calibration(job, "fp16", 2) is None
    shutil.rmtree(tmp_path / "set")
    with pytest.raises(IncompatibleError, match=r"precision=int8: .*cannot be read"):
        bits.calibration(job, "int8", 2)


def test_answers_that_are_no_numbers_are_refused():
    def answer(value):
        return lambda image: {"scores": torch.full((len(image), 1), value)}

    given = steps.Crops(crops(2), "2 crops of val", None)
    with pytest.raises(IncompatibleError, match=r"no numbers.*65504"):
        bits.cost_of(answer(0.5), answer(float("nan")), given)


def export(run, *line):
    with running.composing():
        jobs.export(hydra.compose("export", [f"run={run}", *line]))


REFUSED = {
    ("precision=int4",): "choose float32, fp16, int8, int8_float_head",
    ("precision=int8", "format=torch_export"): "choose format=onnx",
    ("precision=int8", "calibrate=0"): "at least 1",
}


@pytest.mark.parametrize("options", REFUSED)
def test_a_precision_that_cannot_be_is_refused_with_what_can(options, smoke):
    with pytest.raises(IncompatibleError, match=re.escape(REFUSED[options])):
        export(smoke, *options)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp16", "int8", "int8_float_head"])
def test_a_file_says_what_its_precision_costs(precision, smoke, tmp_path, caplog):
    out = tmp_path / "x.onnx"
    line = (f"decoder={DECODER}", "maps=true", "crops=9", f"out={out}")
    with caplog.at_level("INFO"):
        export(smoke, f"precision={precision}", *line)
    session = graph.run_onnx(out)
    about = {each.key: json.loads(each.value) for each in onnx.load(out).metadata_props}
    assert about["precision"] == precision
    assert about["names"]
    cost = about["cost"]
    error = cost["error"]
    assert 0 < cost["moved"]["keypoints"]["mean"] < cost["moved"]["keypoints"]["largest"] < 32
    assert f"{error['fewer_bits']:.4f} px in {precision}" in caplog.text
    assert ("calibrated_on" in cost) == (precision != "fp16")
    for count in (1, 3):
        assert session(crops(count))["keypoints"].shape == (count, 13, 2)
    assert list(tmp_path.iterdir()) == [out]
