import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import running


def python(*arguments: str, cwd: Path, path: Path) -> subprocess.CompletedProcess[str]:
    environment = running.plain_environment() | {"PYTHONPATH": str(path)}
    line = [sys.executable, *arguments]
    return subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A folder with what a user gets, and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--wheel", "--no-isolation", "--outdir", str(folder), str(running.ROOT))
    built = subprocess.run(
        [sys.executable, "-m", "build", *options], capture_output=True, text=True
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (file,) = folder.glob("*.whl")
    zipfile.ZipFile(file).extractall(folder / "unpacked")
    return folder / "unpacked"


def test_a_wheel_holds_every_config_module_and_table(wheel):
    inside = wheel / "heatmap_research"
    for source, copy in (
        (running.CONF, inside / "conf"),
        (running.ROOT / "src/heatmap_research", inside),
    ):
        for kind in ("*.py", "*.yaml", "*.json"):
            wanted = {file.relative_to(source) for file in source.rglob(kind)}
            assert wanted <= {file.relative_to(copy) for file in copy.rglob(kind)}


def test_a_wheel_names_its_commands(wheel):
    (entries,) = wheel.glob("*.dist-info/entry_points.txt")
    assert "heatmap = heatmap_research.commands.heatmap:main" in entries.read_text()
    for name in ("train", "evaluate", "check", "demo"):
        assert f"heatmap-{name} = heatmap_research.commands.{name}:main" in entries.read_text()


def test_an_unpacked_wheel_works_anywhere_with_its_own_configs(wheel, tmp_path):
    """A config that only the wheel has proves where its configs come from."""
    copy = tmp_path / "site"
    shutil.copytree(wheel, copy)
    arms = copy / "heatmap_research" / "conf" / "arm"
    (arms / "only_here.yaml").write_text((arms / "simcc.yaml").read_text())
    check = ("-m", "heatmap_research.commands.check", "arm=only_here")
    done = python(*check, cwd=Path(os.sep), path=copy)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


@pytest.fixture
def own(tmp_path) -> Path:
    """A user's folder of configs, beside those of the package."""
    files = {
        "decoder/sharp.yaml": "sharp:\n  _target_: heatmap_research.codec.decoders.dark.Dark\n"
        "  floor: 0.1\n",
        "arm/wide.yaml": "# @package _global_\ndefaults:\n  - override /head: simcc\n"
        "  - override /loss: cross_entropy\nsigma: 5\n",
        "experiment/study.yaml": "# @package _global_\nhydra:\n  sweeper:\n    params:\n"
        "      arm: wide,simcc\n      sigma: 3,4\n",
    }
    for name, text in files.items():
        file = tmp_path / "own" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "own"


@pytest.mark.parametrize("command", ["check", "train"])
def test_a_folder_of_ones_own_adds_options(command, own, tmp_path):
    line = ("--config-dir", str(own), "arm=wide", "decoder=[argmax,sharp]")
    more = () if command == "check" else (*running.SMOKE, f"hydra.run.dir={tmp_path}/run")
    done = running.command(command, *line, *more, cwd=tmp_path)
    assert done.status == 0, done.err
    if command == "train":
        assert "sharp" in (tmp_path / "run" / "run.json").read_text()


def test_a_study_of_ones_own_sweeps_as_it_says(own, tmp_path):
    line = ("-m", "--config-dir", str(own), "experiment=study")
    done = running.command("check", *line, cwd=tmp_path)
    assert done.status == 0, done.err
    jobs = ["arm=wide sigma=3", "arm=wide sigma=4", "arm=simcc sigma=3", "arm=simcc sigma=4"]
    found = done.out.splitlines()
    assert len(found) == 4
    for line, job in zip(found, jobs, strict=True):
        assert line.startswith("ok")
        assert job in line


def lint(cwd: Path) -> subprocess.CompletedProcess[str]:
    line = [str(running.SCRIPTS / "lint-imports"), "--no-cache"]
    environment = running.plain_environment() | {"PYTHONPATH": str(cwd / "src")}
    return subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.fixture
def checkout(tmp_path) -> Path:
    for name in ("src", "pyproject.toml"):
        source = running.ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    return tmp_path


def test_dependencies_run_one_way(checkout):
    done = lint(checkout)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("network/heads/simcc.py", "from heatmap_research.training import build"),
        ("network/heads/simcc.py", "from heatmap_research.data import images"),
        ("types.py", "from heatmap_research.codec import geometry"),
        ("data/datamodule.py", "from heatmap_research.metrics import oks"),
        ("training/task.py", "from heatmap_research.analysis.theory import laws"),
        ("analysis/theory/round_trip.py", "from heatmap_research.analysis.page import page"),
    ],
)
def test_a_dependency_the_other_way_is_noticed(file, line, checkout):
    module = checkout / "src" / "heatmap_research" / file
    module.write_text(f"{module.read_text()}\n{line}\n")
    done = lint(checkout)
    assert done.returncode == 1
    assert "sees only those below BROKEN" in done.stdout
