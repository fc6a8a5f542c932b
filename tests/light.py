"""Runs a command on many command lines, each in a fork of a process that has imported no torch.

Writes beside each other, by the number of the line: what it said, and the modules it imported.
"""

import json
import multiprocessing
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path


def _one(main: Callable[[], None], arguments: list[str], folder: Path) -> None:
    folder.mkdir()
    os.chdir(folder)
    for stream, file in ((1, "out"), (2, "err")):
        os.dup2(os.open(file, os.O_CREAT | os.O_WRONLY, 0o644), stream)
    sys.argv = ["heatmap-command", *arguments]
    try:
        main()
    finally:
        Path("modules").write_text("\n".join(sys.modules))


if __name__ == "__main__":
    name, place = sys.argv[1:]
    main = import_module(f"heatmap_research.commands.{name}").main
    for number, arguments in enumerate(json.load(sys.stdin)):
        folder = Path(place, str(number)).resolve()
        task = (main, arguments, folder)
        process = multiprocessing.get_context("fork").Process(target=_one, args=task)
        process.start()
        process.join()
        (folder / "status").write_text(str(process.exitcode))
