"""What a command needs of the place where it is called: a folder, and streams to print to."""

import os
import sys
from io import TextIOWrapper
from pathlib import Path


def make_do() -> None:
    """Refuses a folder that is gone, where even libraries are not found; opens what was closed."""
    try:
        os.getcwd()
    except FileNotFoundError:
        name = Path(sys.argv[0]).name
        sys.exit(f"{name}: the folder that this is called in is no longer there: cd to another.")
    for number, stream in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, stream) is None:
            file = os.open(os.devnull, os.O_RDWR)
            setattr(sys, stream, os.fdopen(file, "w" if number else "r"))
    if isinstance(sys.stdout, TextIOWrapper):  # letters that it has not, as stderr does
        sys.stdout.reconfigure(errors="backslashreplace")
