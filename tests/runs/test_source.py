"""What a run's record says of the code that made it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import running

from heatmap_research.runs.source import PACKAGE, executed, source_hash, source_version, versions

# What a training imports besides: pictures, and what comes before a config is checked.
WITHOUT_A_SAY = {
    *("__init__.py", "commands/__init__.py", "config/__init__.py", "jobs/__init__.py"),
    *("commands/train.py", "jobs/train.py"),
    *("config/cli.py", "config/conf.py", "config/lazy.py", "config/hydra_job.py"),
    *("config/quick.py", "config/yaml_file.py"),  # how files are read
    *("config/garbage.py", "config/lazy_compiler.py"),  # how fast it starts
    "config/surroundings.py",
    *("config/additions.py", "config/error_words.py", "config/partners.py", "config/trusted.py"),
    "config/timm_names.py",  # refuses
    *("config/command_line.py", "config/help.py", "config/key_names.py"),  # what is typed and told
    *("config/of_run.py", "jobs/also.py"),  # what is evaluated after it, and is done when missing
}


def test_a_checkout_knows_its_commit():
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=running.ROOT, capture_output=True, text=True
    )
    found = source_version()
    assert found["commit"] == (head.stdout.strip() or None)
    assert len(found["source_hash"]) == 16


@pytest.fixture
def package(tmp_path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(PACKAGE, tmp_path / "package", ignore=ignored))


@pytest.mark.parametrize(
    ("file", "executed"),
    [
        ("types.py", True),
        ("codec/decoders/dark.py", True),
        ("network/net.py", True),
        ("data/rendering/figures.py", True),
        ("metrics/pixel_error.py", True),
        ("training/task.py", True),
        ("runs/store.py", True),
        ("config/codec.py", True),
        ("config/cli.py", False),
        ("drawing/style.py", False),
        ("analysis/theory/round_trip.py", False),
        ("analysis/page/page.py", False),
        ("jobs/demo.py", False),
        ("commands/report.py", False),
    ],
)
def test_only_a_change_of_what_a_training_executes_makes_it_other_code(file, executed, package):
    before = source_hash(package)
    assert before == source_version()["source_hash"]
    with (package / file).open("a") as changed:
        changed.write("# another caption\n")
    assert (source_hash(package) != before) is executed


def test_a_training_imports_nothing_with_a_say_that_the_hash_leaves_out():
    code = (
        "import sys, heatmap_research.commands.train, heatmap_research.training.fit\n"
        "import heatmap_research.training.callbacks.pictures\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('heatmap_research')))"
    )
    line = [sys.executable, "-c", code]
    done = subprocess.run(line, capture_output=True, text=True, env=running.plain_environment())
    assert done.returncode == 0, done.stderr
    files = {Path(name).relative_to(PACKAGE).as_posix() for name in done.stdout.split()}
    assert "training/fit.py" in files
    hashed = {file.relative_to(PACKAGE).as_posix() for file in executed(PACKAGE)}
    drawn = {file for file in files if file.startswith("drawing/")}
    assert files - hashed - drawn - WITHOUT_A_SAY == set()


def test_versions_name_what_is_not_installed_as_none():
    found = versions(("torch", "no-such-package"))
    assert found["no-such-package"] is None
    assert found["torch"].startswith("2.")
