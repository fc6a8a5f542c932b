"""What experiments/ states is what its files say."""

import runpy
import shutil
import subprocess
import sys

import numpy as np
import pytest
import running

from heatmap_research.metrics import pycocotools_ap
from heatmap_research.metrics.average_precision import Found, People

ANSWERS = running.ROOT / "experiments" / "answers.py"


def checked(folder):
    code = [sys.executable, str(folder / ANSWERS.name)]
    return subprocess.run(code, capture_output=True, text=True, env=running.plain_environment())


def test_every_stated_answer_is_that_of_its_cells():
    done = checked(ANSWERS.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "readout" in done.stdout


def test_a_changed_figure_is_noticed(tmp_path):
    shutil.copytree(ANSWERS.parent / "readout", tmp_path / "readout")
    shutil.copy(ANSWERS, tmp_path)
    readme = tmp_path / "readout" / "README.md"
    before, after = readme.read_text().split("<!-- answer -->")
    digit = next(place for place, letter in enumerate(after) if letter.isdigit())
    other = str((int(after[digit]) + 1) % 10)
    readme.write_text(f"{before}<!-- answer -->{after[:digit]}{other}{after[digit + 1 :]}")
    done = checked(tmp_path)
    assert done.returncode == 1
    assert "readout" in done.stderr


def test_every_program_still_finds_what_it_imports():
    programs = sorted(ANSWERS.parent.glob("*/*.py"))
    code = (
        "import runpy, sys\n"
        "for file in sys.argv[1:]:\n"
        "    sys.path[0] = file.rpartition('/')[0]\n"
        "    runpy.run_path(file, run_name='imported')\n"
    )
    line = [sys.executable, "-c", code, *map(str, programs)]
    done = subprocess.run(line, capture_output=True, text=True, env=running.plain_environment())
    assert len(programs) > 10
    assert done.returncode == 0, done.stderr


def test_ap_of_kept_joints_is_that_of_pycocotools():
    """Of one run, its joints as far off along x as they were in any direction."""
    answer = runpy.run_path(str(ANSWERS.parent / "scores" / "answer.py"))
    run, tolerance = answer["runs"]()["simcc"][0], answer["ASKED"]
    count, joints = run.error.shape
    nobody, images = np.zeros((count, 4)), np.arange(count)
    truth = np.concatenate([np.zeros((count, joints, 2)), np.ones((count, joints, 1))], -1)
    people = People(images, truth, run.scale**2, nobody, np.zeros(count, bool))
    found = np.stack([run.error, np.zeros_like(run.error)], -1)
    for order in ("product", "box alone", "oracle"):
        place = np.argsort(run.order(order, tolerance))
        given = Found(images, found, 1 - place / count)
        theirs = pycocotools_ap.evaluate(people, given, np.full(joints, tolerance))["AP"]
        (ours,) = run.ap(order, tolerance, np.ones((1, count)))
        assert ours == pytest.approx(theirs, abs=1e-9)
