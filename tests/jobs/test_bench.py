"""heatmap-bench: what pieces of work cost, as multiples of a floor of the same run."""

import json
import subprocess
import sys
import time
from itertools import count

import numpy as np
import pytest
import running
import torch

from heatmap_research.codec.decoders.argmax import Argmax
from heatmap_research.codec.decoders.quarter_offset import QuarterOffset
from heatmap_research.commands import bench as command
from heatmap_research.jobs.bench import bench, codec, data, evaluation, peers, start, step
from heatmap_research.jobs.bench.timing import Figure, Row, timed
from heatmap_research.metrics import average_precision, pycocotools_ap

SMALL = ("codec", "--batch", "2", "--joints", "3", "--size", "64", "48", "--rounds", "2")


def call(monkeypatch, *arguments: str) -> str | int:
    monkeypatch.setattr(sys, "argv", ["heatmap-bench", *arguments])
    with pytest.raises(SystemExit) as end:
        command.main()
    return end.value.code


def figure(name: str, *ratios: float, bound: float | None = None) -> Figure:
    return Figure("codec", name, "floor", bound, [1.0] * len(ratios), list(ratios))


def test_a_row_is_divided_by_its_floor_of_the_same_round():
    ticks = count()

    def work(ticked: int):
        return lambda: [next(ticks) for _ in range(ticked)]

    rows = [Row("floor", work(1), "floor", count=2), Row("slow", work(5), "floor", 4.0, count=4)]
    least, slow = timed("codec", rows, rounds=3, clock=lambda: float(next(ticks)))
    assert least.microseconds == [1e6] * 3  # two ticks for two instances
    assert slow.microseconds == [1.5e6] * 3
    assert slow.ratios == [1.5] * 3


def test_every_row_is_in_the_json_and_a_row_that_became_slower_is_named(
    monkeypatch, tmp_path, capsys
):
    out = tmp_path / "codec.json"
    assert call(monkeypatch, *SMALL, "--out", str(out)) == 0
    made = json.loads(out.read_text())
    assert made["asked"] | {"batch": 2, "joints": 3, "size": [64, 48]} == made["asked"]
    for layout in codec.ARMS:
        named = {each["name"] for each in made["figures"] if each["name"].startswith(layout)}
        assert {f"{layout}: {name}" for name in codec.BOUNDS} < named
    assert all(len(each["ratios"]) == 2 for each in made["figures"])
    assert "2 instances, 3 joints, 64x48; cpu, 1 thread(s)" in capsys.readouterr().out
    fast = Argmax.__call__

    def slow(*given):
        for _ in range(40):
            fast(*given)
        return fast(*given)

    monkeypatch.setattr(Argmax, "__call__", slow)
    assert call(monkeypatch, *SMALL, "--against", str(out)) == 1
    assert "2-D: argmax: " in capsys.readouterr().err


def test_a_ratio_is_slower_where_most_rounds_are_above_most_rounds_before():
    before = {name: figure(name, 1.0, 1.1, 1.2, 9.0) for name in ("same", "slow")}
    now = [figure("same", 1.1, 1.2, 1.3, 1.4), figure("slow", 4.0, 4.1, 4.2, 0.9), figure("new", 9)]
    (line,) = bench.slower(now, before)
    assert line == "slow: 1.15 before, now 4.05"


def test_the_best_round_is_held_to_the_bound_and_a_half():
    kept, late = figure("kept", 9.0, 1.4, bound=1.0), figure("late", 9.0, 1.6, bound=1.0)
    (line,) = bench.over_bound([kept, late, figure("free", 99.0)])
    assert line.startswith("late: 1.60 times its floor")


def test_what_cannot_be_measured_is_refused_in_a_line(monkeypatch):
    for words, said in (
        (["--batch", "0"], "--batch 0: give at least 1."),
        (["--out", "nowhere/a.json"], "--out nowhere/a.json: there is no folder nowhere."),
        (["--against", "nowhere.json"], "nowhere.json"),
    ):
        refusal = call(monkeypatch, *SMALL, *words)
        assert said in refusal
        assert "\n" not in refusal


def test_the_loops_of_others_find_what_we_find():
    """So that the rows beside ours do the same work."""
    torch.manual_seed(0)
    plane, line = codec.cases((64, 48), 3, 4, "cpu")
    (maps,), (places,) = plane.maps, plane.codec.grid.split(plane.keypoints)
    drawn = plane.codec.encode(plane.keypoints, plane.visible)[0].heatmap
    theirs = [peers.draw_plane(each.numpy(), maps.shape[2:], 2.0) for each in places]
    torch.testing.assert_close(torch.tensor(np.array(theirs)), drawn, atol=1e-5, rtol=0)
    quarter = QuarterOffset(step=0.25, dead_zone=0.0, border="hrnet")(maps, 4.0)
    found = torch.tensor([peers.quarter(person.numpy()) for person in maps], dtype=torch.float32)
    torch.testing.assert_close(found, quarter, atol=1e-6, rtol=0)
    (scores,) = plane.scores
    mean = torch.tensor([peers.soft(person.numpy()) for person in scores], dtype=torch.float32)
    torch.testing.assert_close(mean, plane.codec.decoders["soft_argmax"](maps, 4.0))
    ours = line.codec.encode(line.keypoints, line.visible)[0].heatmap
    rows = line.codec.grid.split(line.keypoints)[0].numpy()
    loops = [[peers.draw_line(joint, ours.shape[2], 5.32) for joint in each] for each in rows]
    torch.testing.assert_close(torch.tensor(np.array(loops)), ours, atol=1e-5, rtol=0)


def test_no_row_of_the_codec_is_over_its_bound_by_half():
    """In a process of its own, where no types are checked at run time."""
    command = [sys.executable, "-m", "heatmap_research.commands.bench", "--short"]
    done = subprocess.run(command, env=running.plain_environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_row_that_tells_its_own_seconds_is_believed():
    ticks = count()
    rows = [Row("told", lambda: 0.5, "told", count=5, tells_seconds=True)]
    (told,) = timed("step", rows, rounds=2, clock=lambda: float(next(ticks)))
    assert told.microseconds == [1e5] * 2


def test_a_step_is_timed_beside_a_plain_loop_of_torch(monkeypatch):
    monkeypatch.setattr(step, "ARMS", ("simcc",))
    small = ("image_size=[32,32]", "data.pool=64", "data.cache=null")
    with step.rows(2, time.process_time, *small) as rows:
        figures = {each.name: each for each in timed("step", rows, 1, time.process_time)}
    whole, plain = (
        figures[f"simcc: {name}"] for name in ("a step of heatmap-train", "plain loop of torch")
    )
    assert 0.3 < whole.ratio / plain.ratio < 3
    assert figures["simcc: loss with its labels"].ratio < 1


def test_crops_and_figures_are_timed():
    with data.rows(8) as rows:
        figures = {each.name: each for each in timed("data", rows, 1, time.process_time)}
    assert {data.USUAL, "whole JPEGs", *data.DRAWN} < set(figures)
    assert figures["crop cache"].ratio < figures["whole JPEGs"].ratio  # an eighth of it
    small, large = (figures[f"figures drawn, {side}x{side}"] for side in (64, 128))
    assert large.ratio > small.ratio  # four times the pixels


def test_the_engines_that_are_timed_have_the_same_ten_figures():
    people, found = evaluation.crowd(0.01)
    ours = average_precision.evaluate(people, found, evaluation.SIGMAS)
    theirs = pycocotools_ap.evaluate(people, found, evaluation.SIGMAS)
    assert ours == pytest.approx(theirs, abs=1e-12)
    assert 0.01 < ours["AP"] < 0.9
    with evaluation.rows(0.01) as rows:
        figures = {each.name: each for each in timed("eval", rows, 1, time.process_time)}
    assert figures["AP, ours"].ratio < 1


def test_a_start_that_fails_is_told(monkeypatch):
    monkeypatch.setattr(start, "LINES", {"a slip": (("check", "arm=simc"), 1)})
    with start.rows() as rows, pytest.raises(ValueError, match=r"arm=simc ended with 1: .*simcc"):
        rows[1].work()


def test_the_script_for_a_gpu_goes_its_way_on_a_cpu(tmp_path):
    """So that a GPU's first minute is not spent on a slip."""
    script, out = running.ROOT / "experiments/gpu/run.sh", tmp_path / "gpu"
    environment = running.plain_environment() | {"HEATMAP_CACHE": str(tmp_path)}
    environment["PATH"] = f"{running.SCRIPTS}:{environment['PATH']}"
    line = ["sh", str(script), "--device", "cpu", "--tiny", "--out", str(out)]
    done = subprocess.run(line, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = json.loads((out / "gpu.json").read_text())
    assert made["device"] == {"name": "cpu"}
    assert {name: part["status"] for name, part in made["parts"].items()} == dict.fromkeys(
        ("tests", "bench", "pool", "simcc"), 0
    )
    assert " skipped" in made["parts"]["tests"]["output"]
    assert {figure["group"] for figure in made["bench"]} == {"codec", "step"}
    assert made["arms"]["simcc"]["steps"] == 4
    slip = subprocess.run(["sh", str(script), "--tinny"], capture_output=True, text=True)
    assert (slip.returncode, "--tinny is none of" in slip.stderr) == (2, True)
