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
