"""heatmap: the commands under one name, and what completes their words."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import running

from heatmap_research.commands import heatmap
from heatmap_research.config.help import COMMANDS


def call(*arguments: str, line: str = "") -> subprocess.CompletedProcess[str]:
    python = [sys.executable, "-X", "importtime", "-m", "heatmap_research.commands.heatmap"]
    environment = running.plain_environment() | {"COMP_LINE": line}
    done = [*python, *arguments]
    return subprocess.run(done, env=environment, capture_output=True, text=True, timeout=60)


def test_every_command_is_listed_in_a_line_without_torch_or_hydra():
    done = call("--help")
    listed = {words[0] for row in done.stdout.splitlines()[2:] if (words := row.split())}
    files = {file.stem for file in COMMANDS.glob("[a-z]*.py")} - {"heatmap"}
    scripts = (running.ROOT / "pyproject.toml").read_text()
    assert listed == files
    assert all(
        f'heatmap-{name} = "heatmap_research.commands.{name}:main"' in scripts for name in files
    )
    assert not {"torch", "hydra"} & {
        row.rpartition("|")[2].strip() for row in done.stderr.splitlines()
    }
    if Path("/dev/full").exists():  # as Linux has it
        with open("/dev/full", "w") as full:
            line = [sys.executable, "-m", "heatmap_research.commands.heatmap"]
            done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        assert done.stderr.startswith("heatmap: No space left on device; make room")
        assert done.returncode == 1


def test_a_command_gets_the_words_behind_its_name(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["heatmap", "runs", "--help"])
    with pytest.raises(SystemExit):
        heatmap.main()
    assert "usage: heatmap-runs" in capsys.readouterr().out


def test_a_name_that_is_none_is_answered_with_the_nearest(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["heatmap", "trian"])
    with pytest.raises(SystemExit, match=r"heatmap trian: .* did you mean train\?"):
        heatmap.main()


OFFERED = {
    "heatmap tr": "train",
    "heatmap train arm=simcc_m": "arm=simcc_marginal",
    "heatmap runs --wh": "",
}


def test_a_line_is_completed():
    for typed, offered in OFFERED.items():
        found = call("-sc", "query=bash", line=typed).stdout.split()
        assert offered in found if offered else not found, typed


def test_bash_takes_what_completes_its_words(tmp_path):
    """As Tab does: the function that was registered, with the variables that bash sets."""
    script = tmp_path / "heatmap"
    script.write_text(f'#!/bin/sh\n{sys.executable} -m heatmap_research.commands.heatmap "$@"\n')
    script.chmod(0o755)
    typed = """
        eval "$(heatmap -sc install=bash)"
        COMP_LINE="heatmap train sig" COMP_POINT=17 COMP_CWORD=2 hydra_bash_completion
        echo "offered: ${COMPREPLY[@]}"
        complete -p heatmap-show
    """
    environment = running.plain_environment() | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", typed],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "offered: sigma=" in done.stdout, done.stderr
    assert "-F hydra_bash_completion heatmap-show" in done.stdout
