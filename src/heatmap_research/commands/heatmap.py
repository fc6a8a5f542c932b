"""heatmap: all commands under one name; `heatmap train` is heatmap-train."""

import os
import sys
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from heatmap_research.config.help import COMMANDS, about
from heatmap_research.runs import no_place

SELF = "heatmap"
USAGE = "heatmap COMMAND ...   (heatmap COMMAND --help says more; heatmap-COMMAND is the same)"
COMPLETE = "-sc"  # as Hydra's commands have it
OTHERS = {  # what makes the words of the older names complete, too
    ("install", "bash"): "for name in {}; do "
    "complete -o nospace -o default -F hydra_bash_completion heatmap-$name; done",
    ("install", "fish"): "for name in {}; "
    "complete -c heatmap-$name -x -a '(hydra_fish_completion)'; end",
}


def main() -> None:
    name, *rest = sys.argv[1:] or ["--help"]
    if name == COMPLETE:
        return _complete(rest)
    if name in ("--help", "-h", "help"):
        with no_place.ending_in_a_line():
            print(_listed(), flush=True)
        return None
    if name not in names():
        close = get_close_matches(name, names(), n=1)
        meant = f"did you mean {close[0]}?" if close else f"choose {', '.join(names())}."
        sys.exit(f"heatmap {name}: there is no such command; {meant}")
    return _call(name, rest)


def names() -> list[str]:
    files = (file.stem for file in COMMANDS.glob("*.py"))
    return sorted(name for name in files if not name.startswith("_") and name != SELF)


def _listed() -> str:
    rows = [(name, about(name).splitlines()[0].partition(": ")[2]) for name in names()]
    return "\n".join([USAGE, "", *(f"  {name:<10} {words}" for name, words in rows)])


def _call(name: str, arguments: list[str]) -> None:
    script = Path(sys.argv[0]).with_name(f"heatmap-{name}")  # which Lightning starts once more
    sys.argv = [str(script), *arguments]
    import_module(f"heatmap_research.commands.{name}").main()


def _complete(arguments: list[str]) -> None:
    """Hydra's completion: after COMMAND its keys and options, before it the names of commands."""
    do, _, shell = " ".join(arguments).partition("=")
    if do != "query":
        _hydra(SELF, do, shell)
        print(OTHERS.get((do, shell), "").format(" ".join(filter(_takes_keys, names()))))
        return
    name, typed_out, rest = os.environ["COMP_LINE"].partition(" ")[2].partition(" ")
    if not typed_out:
        print("\n".join(names()))
    elif name in names() and _takes_keys(name):
        os.environ["COMP_LINE"] = f"heatmap-{name} {rest}"
        _hydra(f"heatmap-{name}", do, shell, name)


def _hydra(called: str, do: str, shell: str, name: str = "train") -> None:
    sys.argv = [called, COMPLETE, f"{do}={shell}"]
    import_module(f"heatmap_research.commands.{name}").main()


def _takes_keys(name: str) -> bool:
    return "cli.run(" in (COMMANDS / f"{name}.py").read_text()


if __name__ == "__main__":
    main()
