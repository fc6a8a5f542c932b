"""Which code made a run: the commit, a hash of the files that training executes, the packages."""

import hashlib
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
PACKAGES = ("heatmap-research", "torch", "pytorch-lightning", "timm", "hydra-core", "numpy")
# What a training executes. A change elsewhere, such as a caption, leaves finished studies finished.
EXECUTED = (
    *("types.py", "codec", "network", "data", "metrics", "training", "runs"),
    *("config/codec.py", "config/held_out.py", "config/instantiate.py", "config/job.py"),
    *("config/values.py", "config/monitor.py", "config/tolerances.py", "config/widths.py"),
)


def source_version() -> dict[str, str | None]:
    """The commit of a checkout, and a hash of the source that also tells uncommitted changes."""
    return {"commit": _commit(), "source_hash": source_hash(PACKAGE)}


def source_hash(package: Path) -> str:
    digest = hashlib.sha256()
    for file in executed(package):
        digest.update(str(file.relative_to(package)).encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def executed(package: Path) -> Iterator[Path]:
    for name in EXECUTED:
        place = package / name
        yield from [place] if place.is_file() else sorted(place.rglob("*.py"))


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str | None]:
    """None for a package that is not installed, such as a checkout that is only on the path."""
    known: dict[str, str | None] = dict.fromkeys(packages)
    for package in known:
        with suppress(PackageNotFoundError):
            known[package] = version(package)
    return known


def _commit() -> str | None:
    """The commit of the checkout that holds this package, not of a repository around it."""
    root = PACKAGE.parents[1]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
