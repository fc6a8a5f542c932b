"""The notebooks as they are read on the web, and as they run."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
import running
from nbclient import NotebookClient
from scipy import stats

from heatmap_research.analysis.comparison.pairing import pairing
from heatmap_research.runs.find import find

FOLDER = running.ROOT / "notebooks"
NAMES = (
    "01_quantisation",
    "02_two_d_versus_one_d",
    "03_ghosts_and_occlusion",
    "04_error_budget",
    "05_what_we_found",
    "06_use_a_model",
)
READ_RUNS = ("02_two_d_versus_one_d", "04_error_budget", "06_use_a_model")
STRIP = ("--keep-output", "--extra-keys", "metadata.language_info")
MACHINE = re.compile(r"/(work|root|home|tmp|usr|opt|mnt|Users)/|site-packages")


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def figures(notebook: nbformat.NotebookNode) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs(notebook))


def code(cell: nbformat.NotebookNode) -> str:
    return "\n".join(line for line in cell.source.splitlines() if not line.startswith("%"))


def test_what_two_arms_share_is_in_neither_s_difference():
    """Images as hard for both, and a little that is each arm's own; by the t interval of means."""
    draws = np.random.default_rng(0)
    shared, own = draws.normal(3, 2, 100), draws.normal(0, 0.5, (2, 3, 100))
    found = pairing(*(shared + own))
    tables = (shared + own[0], shared + own[1], own[0] - own[1])
    half = [stats.t.ppf(0.975, 99) * stats.sem(table.mean(0)) for table in tables]
    assert [found.one, found.other, found.paired] == pytest.approx(half)
    assert found.apart == pytest.approx((half[0] ** 2 + half[1] ** 2) ** 0.5)
    assert found.paired < found.apart / 4
    said = found.words(("one", "other"), "pixels")
    assert f"one ±{half[0]:.3f}, other ±{half[1]:.3f}" in said
    assert f"±{half[2]:.3f} image by image" in said


def test_these_are_all_notebooks():
    assert sorted(file.stem for file in FOLDER.glob("*.ipynb")) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_small_and_shows_what_it_drew(name):
    notebook = read(name)
    assert (FOLDER / f"{name}.ipynb").stat().st_size < 500_000
    assert figures(notebook) >= 3
    assert {output.output_type for output in outputs(notebook)} <= {
        "display_data", "execute_result", "stream"
    }  # fmt: skip
    assert {output.get("name", "stdout") for output in outputs(notebook)} == {"stdout"}


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_has_a_caption(name):
    """The next cell's first words, numbered in order."""
    cells = read(name).cells
    drawn = [
        place
        for place, cell in enumerate(cells)
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", ()))
    ]
    for number, place in enumerate(drawn, start=1):
        caption = cells[place + 1]
        assert caption.cell_type == "markdown"
        assert caption.source.startswith(f"**Figure {number}. ")
        assert len(caption.source.split()) >= 25


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_imports_and_plots_and_defines_nothing(name):
    nodes = [
        node
        for cell in read(name).cells
        if cell.cell_type == "code"
        for node in ast.walk(ast.parse(code(cell)))
    ]
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    assert not [node for node in nodes if isinstance(node, definitions)]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_says_nothing_of_the_machine_it_ran_on(name):
    notebook = read(name)
    text = [str(cell.source) for cell in notebook.cells]
    text += [output.get("text", "") for output in outputs(notebook)]
    data = [output.get("data", {}) for output in outputs(notebook)]
    text += [str(each[kind]) for each in data for kind in each if kind.startswith("text/")]
    assert not MACHINE.search("\n".join(text))
    command = [sys.executable, "-m", "nbstripout", "--verify", *STRIP]
    done = subprocess.run([*command, FOLDER / f"{name}.ipynb"], capture_output=True, text=True)
    assert done.returncode == 0, "run make notebooks, or nbstripout as in .pre-commit-config.yaml"


@pytest.mark.parametrize("there", [True, False])
def test_the_first_cell_brings_package_and_runs_where_they_are_missing_alone(there, monkeypatch):
    cell = next(each for each in read("06_use_a_model").cells if each.cell_type == "code")
    monkeypatch.setenv("HEATMAP_NOTEBOOK_RUNS", "mine")
    if not there:
        monkeypatch.setattr("importlib.util.find_spec", {}.get)
    lines: list[str] = []
    exec(cell.source, {"get_ipython": lambda: SimpleNamespace(system=lines.append)})
    assert os.environ["HEATMAP_NOTEBOOK_RUNS"] == ("mine" if there else "runs")
    assert [line.split()[0] for line in lines] == ([] if there else ["pip", "heatmap-train"])
    if not there:
        words = [word for word in lines[1].split() if word.startswith(("experiment", "sigma"))]
        assert running.compose(*words).trainer.max_steps == 200


@pytest.fixture(scope="module")
def few(folder: Path) -> Path:
    """The sweep that notebooks read, of two seeds and a few steps a run."""
    sweep = folder / "notebooks"
    steps = ("seed=0,1", "trainer.max_steps=3", "trainer.log_every_n_steps=1", *running.TINY)
    dotted = f"hydra.sweep.dir={sweep}"
    running.succeed("train", "-m", "experiment=notebooks", *steps, dotted, cwd=sweep)
    return sweep


def execute(name: str, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    notebook = read(name)
    before = figures(notebook)
    resources = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(notebook, timeout=240, kernel_name="python3", resources=resources).execute()
    assert figures(notebook) == before
    assert "stderr" not in {output.get("name") for output in outputs(notebook)}


@pytest.mark.parametrize(
    "name",
    [
        "01_quantisation",
        pytest.param("03_ghosts_and_occlusion", marks=pytest.mark.slow),
        "05_what_we_found",
    ],
)
def test_a_notebook_runs(name, monkeypatch):
    execute(name, monkeypatch, {})


@pytest.mark.parametrize(
    "name", [READ_RUNS[0], *(pytest.param(name, marks=pytest.mark.slow) for name in READ_RUNS[1:])]
)
def test_a_notebook_that_reads_runs_takes_any_sweep_of_its_kind(name, few, monkeypatch):
    if name == "04_error_budget":
        for run in {run.arm: run for run in find(few)}.values():
            running.succeed("budget", f"run={run.folder}", cwd=few)
    execute(name, monkeypatch, {"HEATMAP_NOTEBOOK_RUNS": str(few)})
