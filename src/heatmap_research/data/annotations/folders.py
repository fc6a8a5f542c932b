"""Data sets lie unpacked in more than one way."""

from collections.abc import Sequence
from pathlib import Path


def first_folder(among: Sequence[str]) -> str:
    """The first of these folders that is there."""
    for folder in among:
        if Path(folder).expanduser().is_dir():
            return folder
    raise ValueError(f"there is no folder {' or '.join(among)}.")
