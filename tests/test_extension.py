"""An option of one's own is one module and one YAML, whether in this package or beside it."""

import json
from pathlib import Path

import pytest
import running
import torch

SOURCES = {
    "lab/decoders.py": """
        from dataclasses import dataclass
        from typing import ClassVar

        from heatmap_research.codec import taylor
        from heatmap_research.types import Heatmap, Position


        @dataclass(frozen=True)
        class Rounded:
            needs: ClassVar[None] = None
            parts: int  # of a bin

            def __call__(self, heatmap: Heatmap, stride: float) -> Position:
                position, _ = taylor.parabola(heatmap, 1e-30)
                return (position * self.parts).round() / self.parts
        """,
    "lab/heads.py": '''
        from typing import ClassVar

        from torch import nn


        class Pooled(nn.Module):
            """Means along rows and columns, then one linear layer an axis."""

            ndim: ClassVar[int] = 1

            def __init__(self, levels, grid, joints, bias):
                super().__init__()
                self.joint = nn.Conv2d(levels[-1].channels, joints, 1)
                cells = [side // levels[-1].stride for side in grid.image_size]
                self.axes = nn.ModuleList(
                    nn.Linear(count, shape[0], bias=bias)
                    for count, shape in zip(cells, grid.shapes)
                )

            def forward(self, features):
                maps = self.joint(features[-1])
                return tuple(axis(maps.mean(d)) for axis, d in zip(self.axes, (3, 2)))
        ''',
    "conf/decoder/rounded.yaml": """
        rounded:
          _target_: lab.decoders.Rounded
          parts: 2
        """,
    "conf/head/pooled.yaml": """
        # @package _global_
        stride: 1
        head:
          _target_: lab.heads.Pooled
          _partial_: true
          bias: true
        """,
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    for name, text in SOURCES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = text.strip("\n").splitlines()
        file.write_text("\n".join(line[8:] for line in lines) + "\n")
    return folder


def command(lab, name, *arguments, cwd):
    line = ("--config-dir", str(lab / "conf"), "trust=lab", *arguments)
    return running.succeed(name, *line, cwd=cwd, paths=(str(lab),))


@pytest.fixture(scope="module")
def run(lab, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("extended") / "run"
    options = ("head=pooled", "loss=cross_entropy", "decoder=[rounded,argmax]")
    steps = (*running.SMOKE, "trainer.max_steps=2", f"hydra.run.dir={folder}")
    command(lab, "train", *options, *steps, cwd=folder.parent)
    return folder


def test_new_options_are_checked_like_all_others(lab, tmp_path):
    assert command(lab, "check", "head=pooled", "decoder=[rounded]", cwd=tmp_path).out == "ok\n"


def test_a_new_head_is_trained(run):
    names = set(running.weights(run))
    assert {"net.head.axes.0.weight", "net.head.axes.1.bias"} <= names
    assert all(value.isfinite().all() for value in running.weights(run).values())
    assert running.weights(run)["net.head.axes.0.weight"].shape == torch.Size([32, 8])


def test_a_new_decoder_is_evaluated_beside_the_others(run):
    metrics = json.loads((run / "run.json").read_text())["metrics"]
    for stage in ("val", "test"):
        assert metrics[stage].keys() == {"rounded", "argmax"}
    assert len(running.logged(run, "val/rounded/pixel_error")) > 0
    rows = [row for row in running.predictions(run) if row["decoder"] == "rounded"]
    assert all(float(2 * row[axis]).is_integer() for row in rows for axis in "xy")


def test_every_decoder_means_the_new_one_too(lab, run, tmp_path):
    options = ("head=pooled", "loss=cross_entropy", "decoder=all", "trainer.max_steps=1")
    where = f"hydra.run.dir={tmp_path}/all"
    command(lab, "train", *options, *running.SMOKE[:1], *running.TINY, where, cwd=tmp_path)
    record = json.loads((tmp_path / "all" / "run.json").read_text())
    assert "rounded" in record["decoders"]
    named = {*record["decoders"], *record["decoders_not_applicable"]}
    assert named == {*running.decoders(), "rounded"}


def test_a_run_of_new_options_is_evaluated_again(lab, run, tmp_path):
    line = (f"run={run}", "name=again", "flip_test=true")
    command(lab, "evaluate", *line, cwd=tmp_path)
    record = json.loads((run / "evaluate" / "again" / "run.json").read_text())
    assert record["metrics"]["val"].keys() == {"rounded", "argmax"}


def test_a_wrong_key_of_a_new_option_is_refused_like_any_other(lab, tmp_path):
    line = ("--config-dir", str(lab / "conf"), "trust=lab", "decoder=[rounded]")
    wrong = (*line, "decoder.rounded.prts=3")
    done = running.command("check", *wrong, cwd=tmp_path, paths=(str(lab),))
    assert done.status != 0
    assert "prts" in done.out + done.err
    added = running.command(
        "check", *line, "+decoder.rounded.prts=3", cwd=tmp_path, paths=(str(lab),)
    )
    assert added.status != 0
    assert "Did you mean parts?" in added.out + added.err


def test_code_of_ones_own_is_executed_only_where_that_is_said(lab, run, tmp_path):
    for name, *line in (("check", "decoder=[rounded]"), ("evaluate", f"run={run}", "name=other")):
        folder = ("--config-dir", str(lab / "conf"))
        done = running.command(name, *folder, *line, cwd=tmp_path, paths=(str(lab),))
        assert "_target_=lab." in done.out + done.err
        assert (done.out + done.err).endswith("add trust=lab.\n")
