"""Reads a planted fault from its file and plants it in a copy of the source."""

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Edit:
    file: str
    old: str  # whole lines, each with a line break before and after it
    new: str

    def plant(self, root: Path) -> None:
        text = (root / self.file).read_text()
        if (times := text.count(self.old)) != 1:
            raise ValueError(f"{self.file} has these lines {times} times, not once:{self.old}")
        (root / self.file).write_text(text.replace(self.old, self.new))


@dataclass(frozen=True)
class Fault:
    name: str
    what: str  # is wrong, in one line
    near: tuple[str, ...]  # the tests that are most likely to notice it
    edits: tuple[Edit, ...]

    @property
    def rooms(self) -> set[str]:
        """The folders of the package that are touched."""
        return {edit.file.split("/")[2] for edit in self.edits}

    def plant(self, root: Path) -> None:
        for edit in self.edits:
            edit.plant(root)


def read(patch: Path) -> Fault:
    what, near, *parts = patch.read_text().split("\n--- ")[0].splitlines()
    if parts or not near.startswith("tests: "):
        raise ValueError(f"{patch.name}: say what is wrong in one line and give tests: in another.")
    edits = [_edit(part) for part in patch.read_text().split("\n--- ")[1:]]
    return Fault(patch.stem, what, tuple(near.split()[1:]), tuple(edits))


def every() -> list[Fault]:
    return [read(patch) for patch in sorted(HERE.glob("*.patch"))]


def _edit(part: str) -> Edit:
    file, *lines = part.splitlines()
    old, new = ([line[1:] for line in lines if line[0] in (" ", sign)] for sign in "-+")
    return Edit(file, "\n".join(["", *old, ""]), "\n".join(["", *new, ""]))
