"""Plants one fault at a time in a copy of a checkout and says which test there notices it."""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from planting import HERE, Fault, every, read

NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "outputs", ".*_cache", "*.egg-info")
MAX_SECONDS = 5400  # of one run of pytest: a fault may make a loop endless
FAILED = re.compile(r"^(?:FAILED|ERROR) (tests/.+?)(?: - .*)?$", re.MULTILINE)


@contextmanager
def copy_of(checkout: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(shutil.copytree(checkout, Path(folder) / "copy", ignore=NOT_COPIED))


def failing(root: Path, *arguments: str) -> list[str]:
    """Runs pytest in a copy with these arguments and returns the tests that failed."""
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(
        [*command, *arguments], cwd=root, env=environment, start_new_session=True, **output
    ) as process:
        try:
            said, _ = process.communicate(timeout=MAX_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return [f"no end after {MAX_SECONDS} s"]
    found = FAILED.findall(said)
    if process.returncode not in (0, 5) and not found:  # 5: there were no tests to run
        raise RuntimeError(f"pytest {' '.join(arguments)} could not run:\n{said[-2000:]}")
    return found


def try_out(fault: Fault, checkout: Path, rest: list[str]) -> tuple[str | None, int]:
    """Returns the first test that failed, and the seconds it took."""
    began = time.monotonic()
    with copy_of(checkout) as root:
        fault.plant(root)
        near = [name if (root / name).exists() else str(Path(name).parent) for name in fault.near]
        found = failing(root, "-x", *near)
        if not found and rest:
            found = failing(root, "-x", *rest, *(f"--ignore={name}" for name in near))
    return (found[0] if found else None), round(time.monotonic() - began)


def main() -> None:
    flags = _flags()
    chosen = [read(HERE / f"{name}.patch") for name in flags.names] or every()
    results = json.loads(flags.json.read_text()) if flags.json and flags.json.exists() else {}

    def keep(name: str, test: str | None, seconds: int) -> None:
        print(f"{name:36} {seconds:5} s  {test or 'MISSED'}", flush=True)
        results[name] = {"caught_by": test, "seconds": seconds}
        if flags.json:
            flags.json.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")

    with ThreadPoolExecutor(flags.jobs) as pool:
        tries = pool.map(lambda fault: try_out(fault, flags.checkout, flags.rest), chosen)
        for fault, outcome in zip(chosen, tries, strict=True):
            keep(fault.name, *outcome)
    caught = {fault.name: results[fault.name]["caught_by"] for fault in chosen}
    tests = sorted({test for test in caught.values() if test and "::" in test})
    with copy_of(flags.checkout) as root:
        broken = failing(root, *tests) if tests else []
    for name in [name for name, test in caught.items() if test in broken]:
        print(f"{name}: {caught[name]} also fails without the fault, and does not count.")
        keep(name, None, results[name]["seconds"])


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("names", nargs="*", help="of faults; all if none is given")
    add("--checkout", type=Path, default=Path(__file__).parents[2], help="whose tests are tried")
    add("--rest", nargs="*", default=["tests"], help="tests for what those near it do not notice")
    add("--near", dest="rest", action="store_const", const=[], help="none but those near it")
    add("--jobs", type=int, default=1, help="faults tried at once")
    add("--json", type=Path, help="file that keeps the results, with those it has of other faults")
    return parser.parse_args()


if __name__ == "__main__":
    main()
