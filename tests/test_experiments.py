"""What experiments/ states is what its files say."""

import shutil
import subprocess
import sys

import running

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
