"""Fills the page of options from conf/ and its comments, so that the two cannot drift apart."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

CONF = Path(__file__).parents[2] / "conf"
MARK = re.compile(r"<!-- conf/(\S+) -->")
KEY = re.compile(r"( *)([\w-]+):(?: +([^#\s].*?))?(?:\s+# ?(.*))?$")
DEFAULT = re.compile(r" *- (?:override )?/?([\w/]+)(?:: *([^#]+?))?(?: +#.*)?$")
SILENT = ("_self_", "hydra/job_logging")  # defaults that are no choice of a user's
FEW = 6  # keys that are shown without a click


@dataclass(frozen=True)
class Key:
    name: str  # as on the command line
    value: str
    comment: str


@dataclass(frozen=True)
class Option:
    name: str
    comment: str  # the lines its file begins with
    choices: list[str]  # what it chooses in other groups, or the option it starts from
    keys: list[Key]


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    if page.file.src_uri != "options.md":
        return markdown
    listed = {str(folder.relative_to(CONF)) for folder in _groups()}
    listed |= {file.name for file in CONF.glob("*.yaml")}
    if listed != (marked := set(MARK.findall(markdown))):
        raise PluginError(f"docs/options.md and conf/ differ in {sorted(listed ^ marked)}")
    return MARK.sub(lambda match: _table(match[1]), markdown)


def _groups() -> Iterator[Path]:
    return (folder for folder in CONF.rglob("*") if any(folder.glob("*.yaml")))


def read(file: Path) -> Option:
    lines = [line for line in file.read_text().splitlines() if not line.startswith("# @package")]
    head = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    rest = "\n".join([*lines[head:], ""])
    defaults = re.search(r"^defaults:\n((?: .*\n)+)", rest, re.MULTILINE)
    chosen = [DEFAULT.match(line) for line in (defaults[1] if defaults else "").splitlines()]
    choices = [f"{m[1]}={m[2]}" if m[2] else m[1] for m in chosen if m and m[1] not in SILENT]
    shown = rest.replace(defaults[0], "") if defaults else rest
    keys = [key for key in _keys(shown, _prefix(file)) if not _is_wiring(key)]
    return Option(file.stem, _joined(lines[:head]), choices, keys)


def _prefix(file: Path) -> list[str]:
    """What comes before the keys of a file: its group, unless it says `# @package _global_`."""
    group = file.parent.relative_to(CONF).as_posix()
    is_global = file.read_text().startswith("# @package _global_") or group == "."
    return [] if is_global else group.split("/")


def _keys(text: str, prefix: list[str]) -> Iterator[Key]:
    """Every key that has a value; a comment beside it, or else the lines just above it."""
    parents: list[tuple[int, str]] = []
    above: list[str] = []
    lines = re.sub(r":\n +(\[.*\])", r": \1", text).splitlines()
    for line in lines:
        if line.lstrip().startswith("#"):
            above.append(line.lstrip())
        elif match := KEY.match(line):
            indent, name, value, comment = len(match[1]), match[2], match[3], match[4]
            parents = [parent for parent in parents if parent[0] < indent]
            path = [*prefix, *(parent for _, parent in parents), name]
            parents.append((indent, name))
            if value or comment:
                name = ".".join(path).replace("hydra.sweeper.params.", "-m ")
                yield Key(name, value or "", comment or _joined(above))
            above = []
        elif not line.strip():
            above = []


def _joined(comments: list[str]) -> str:
    """One line of prose; what is indented in a comment is a command."""
    words = [line.removeprefix("#").rstrip() for line in comments]
    text = " ".join(f"`{w.strip()}`" if w.startswith("  ") else w.strip() for w in words)
    return text.replace(" \\` `", " ")


def _is_wiring(key: Key) -> bool:
    """What builds an option, what only hands another key on, and Hydra's own housekeeping."""
    last = key.name.rpartition(".")[2]
    handed_on = key.value.startswith("${") and not key.comment
    return last in ("_target_", "_partial_") or handed_on or bool(_HOUSEKEEPING.match(key.name))


_HOUSEKEEPING = re.compile(
    r"hydra\.(help|run|sweep|callbacks|job_logging|hydra_logging|output_subdir)\b"
)


def _table(name: str) -> str:
    if name.endswith(".yaml"):
        return _keys_as_table(read(CONF / name))
    options = [read(file) for file in sorted((CONF / name).glob("*.yaml"))]
    rows = "".join(
        f"<tr><td><code>{escape(option.name)}</code></td>"
        f"<td>{_words(option.comment)}{_choices(option)}{_keys_as_list(option)}</td></tr>"
        for option in options
    )
    head = "<thead><tr><th>option</th><th>what it is</th></tr></thead>"
    return f"<table>{head}{rows}</table>"


def _keys_as_table(option: Option) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(key.name)}</code></td><td><code>{escape(key.value)}</code></td>"
        f"<td>{_words(key.comment)}</td></tr>"
        for key in option.keys
    )
    head = "<thead><tr><th>key</th><th>value</th><th>what it is</th></tr></thead>"
    return f"<p>{_words(option.comment)}{_choices(option)}</p><table>{head}{rows}</table>"


def _choices(option: Option) -> str:
    """The options of other groups that this one takes along, or the one that it starts from."""
    words = [f"<code>{escape(choice)}</code>" for choice in option.choices]
    start = "" if all("=" in choice for choice in option.choices) else "starts from "
    return f"<br>{start}{' '.join(words)}" if words else ""


def _keys_as_list(option: Option) -> str:
    items = "".join(
        f"<li><code>{escape(key.name)}={escape(key.value)}</code> {_words(key.comment)}</li>"
        for key in option.keys
    )
    if len(option.keys) > FEW:
        return f"<details><summary>{len(option.keys)} keys</summary><ul>{items}</ul></details>"
    return f"<ul>{items}</ul>" if items else ""


def _words(comment: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(comment, quote=False))
