"""Hands the commands what a stranger might send, and looks at what they do with it.

Runs and files that would have something executed, that would grow without end, whose names are
elements of a page or formulas of a table, or that would learn a secret of the environment.

    python tests/faults/strangers.py [PART OF A NAME ...]

What is executed makes a folder, which is looked for after every try. Pages are opened with chromium
where it is installed. It takes some 3 minutes.
"""

import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ["OMP_NUM_THREADS"] = "1"

import hostile_files
import hostile_names
import hostile_secrets
from hostile_tries import Seen, scratch

GROUPS: dict[str, tuple[str, Callable[[], Iterator[Seen]]]] = {
    "secret": ("in no file; a line for a config that asks for one", hostile_secrets.found),
    "pickle": ("a line, nothing executed", hostile_files.pickles),
    "target": ("a line, nothing executed", hostile_files.targets),
    "bomb": ("a line, in less than 2 GiB", hostile_files.bombs),
    "page": ("words on it, and no element", hostile_names.pages),
    "table": ("words in a cell, and no formula or command", hostile_names.tables),
}


def main() -> None:
    lost, held = 0, Counter[str]()
    hostile_secrets.plant()
    for name, (expected, tries) in GROUPS.items():
        if sys.argv[1:] and not any(part in name for part in sys.argv[1:]):
            continue
        began = time.monotonic()
        print(f"{name} (expected: {expected})")
        for injected, wrong in tries():
            held[name] += not wrong
            lost += bool(wrong)
            print(f"    {injected:70} {wrong or 'held'}", flush=True)
        print(f"    {time.monotonic() - began:.0f} s", flush=True)
    shutil.rmtree(scratch(), ignore_errors=True)
    print(", ".join(f"{name}: {count} held" for name, count in held.items()))
    sys.exit(f"{lost} did not hold" if lost else 0)


if __name__ == "__main__":
    main()
