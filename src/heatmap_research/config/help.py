"""What `--help` prints of a command that takes `key=value`: its file in conf/, comments and all."""

import ast
import re
import textwrap
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from heatmap_research.config.conf import conf_folder

WIRING = re.compile(r"(\w+: \{\}|(data|decoder|metric|trainer): null|output_dir: .*)$")
CHOICE = re.compile(r"  - (?:override )?(?!_self_|train$|(?:override )?hydra)([\w/]+)(?:: *(.*))?$")
WIDTH = 100
FLAGS = """\
Flags, anywhere on the line:
  -m               each combination of values given with commas is a run
  --cfg job        print the whole config that the line makes, and do nothing
  --config-dir DIR find options in a folder of your own, too"""


COMMANDS = Path(__file__).parents[1] / "commands"


def about(command: str) -> str:
    """What a command does, in the words its file begins with; nothing of it is imported."""
    return ast.get_docstring(ast.parse((COMMANDS / f"{command}.py").read_text())) or ""


def text(command: str, config: str) -> str:
    """The help of a command whose config is conf/<config>.yaml."""
    lines = (conf_folder() / f"{config}.yaml").read_text().splitlines()
    head = [line.removeprefix("# ") for line in takewhile(lambda line: line[:1] == "#", lines)]
    head = head if command == config else [about(command), *head[1:]]
    values = ["Values, as key=value, and what they are if not given:", *_values(lines)]
    groups = list(_groups(lines))
    if "  - train" in lines:
        groups, values[0] = [], "Values of its own; all others are listed by heatmap-train --help:"
    options = ["Options, as group=name, the one that is taken if none is given first:", *groups, ""]
    return "\n".join([*head, "", *(options if groups else ()), *values, "", FLAGS])


def _values(lines: list[str]) -> list[str]:
    """The lines of a config with what a user may give: all but wiring."""
    keys = "\n".join(lines[lines.index("") :]).partition("\nhydra:\n")[0].splitlines()
    kept = [f"  {line}" if line else "" for line in keys if not WIRING.match(line)]
    return "\n".join(kept).strip("\n").splitlines()


def _groups(lines: list[str]) -> Iterator[str]:
    """A line for each group that the config chooses from, with the names of its options."""
    for line in lines:
        if match := CHOICE.match(line.partition(" #")[0].rstrip()):
            folder, usual = conf_folder() / match[1], match[2] or "null"
            files = sorted(folder.rglob("*.yaml"))
            names = [file.relative_to(folder).with_suffix("").as_posix() for file in files]
            listed = ", ".join(name for name in names if name != usual)
            row = f"  {f'{match[1]}={usual}':<22} | {listed}".rstrip("| ")
            yield textwrap.fill(row, WIDTH, subsequent_indent=" " * 27)
