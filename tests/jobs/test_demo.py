import argparse
import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from heatmap_research.analysis.comparison.arms import Arm, read_arms
from heatmap_research.jobs import demo as job
from heatmap_research.jobs.demo import Bound, bounds

ARMS = ["ce_2d", "marginal", "mse_2d", "simcc"]
COMMAND = [sys.executable, "-m", "heatmap_research.commands.demo"]


@pytest.fixture(scope="module")
def demo(experiments: dict[str, Path]) -> tuple[Path, str]:
    """What the command concludes from its runs, of one seed and two steps each."""
    folder = experiments["demo"]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert job.conclude(folder, judge=False) == 0
    return folder, said.getvalue()


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The README's job, one seed and 100 steps of it."""
    folder = tmp_path_factory.mktemp("demo")
    flags = ["--steps=100", "--pool=3200", "--seeds=1", f"--out={folder}"]
    done = subprocess.run([*COMMAND, *flags], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder, done.stdout


def by_name(folder: Path) -> dict[str, Arm]:
    return {arm.name: arm for arm in read_arms(folder)}


def test_it_trains_every_arm_and_draws_what_came_of_it(demo: tuple[Path, str]) -> None:
    folder, words = demo
    assert sorted(by_name(folder)) == ARMS
    assert (folder / "demo.png").stat().st_size > 10_000
    for name, arm in by_name(folder).items():
        assert re.search(rf"{name}.*{arm.parameters:,}", words)


def test_every_decoder_stands_beside_its_own_floor(demo: tuple[Path, str]) -> None:
    """On labels of sigma 2 and bins of 4 px; argmax has (sqrt 2 + asinh 1) / 6 of a bin."""
    rows = re.findall(r"(\w+)(?: \*)?\s*│[\s\d.]*│[\s\d.]*│ *n/a │ *([\d.]+) │", demo[1])
    floors = {name: float(floor) for name, floor in rows[:6]}  # of mse_2d
    assert floors["argmax"] == pytest.approx(1.530, rel=0.001)
    assert floors["local_soft_argmax"] == pytest.approx(0.110, abs=0.001)
    assert floors["dark_blur"] == pytest.approx(0.195, abs=0.001)
    assert floors["dark"] < 0.001


def test_arms_stand_on_the_same_trunk_and_images(demo: tuple[Path, str]) -> None:
    configs = [arm.runs[0].record["config"] for arm in by_name(demo[0]).values()]
    for shared in ("backbone", "neck", "data", "optimizer", "schedule", "sigma", "trainer"):
        assert all(config[shared] == configs[0][shared] for config in configs), shared


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mse_2d", "ce_2d"])
def test_a_coarse_map_read_by_argmax_stays_above_its_floor_and_another_decoder_lifts_it(
    learnt: tuple[Path, str], name: str
) -> None:
    arm = by_name(learnt[0])[name]
    argmax = arm.mean("test", "argmax")
    assert 1.5 < argmax < 6  # the floor is (sqrt 2 + asinh 1) / 6 of 4 pixels: 1.530
    assert argmax - arm.mean("test", arm.chosen) > 0.3


@pytest.mark.slow
def test_every_arm_has_learnt_something(learnt: tuple[Path, str]) -> None:
    for arm in by_name(learnt[0]).values():
        assert arm.mean("test", arm.chosen) < 10  # a guess at the middle is off by about 20


def test_the_decoder_is_chosen_on_val(demo: tuple[Path, str]) -> None:
    for arm in by_name(demo[0]).values():
        assert all(arm.mean("val", arm.chosen) <= arm.mean("val", d) for d in arm.decoders)


def test_bounds_name_what_leaves_them(demo: tuple[Path, str]) -> None:
    found = bounds(read_arms(demo[0]))
    assert len(found) == 6
    assert not Bound("x", value=2.0, low=0, high=1).kept
    assert Bound("x", value=0.5, low=0, high=1).kept


def test_a_failed_training_is_not_called_a_result(tmp_path: Path) -> None:
    flags = argparse.Namespace(steps=-7, pool=64, seeds=1, out=tmp_path)
    with pytest.raises(SystemExit, match="a training failed"):
        job.run(flags)
