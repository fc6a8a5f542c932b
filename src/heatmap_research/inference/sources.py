"""What source= names: the files of pictures, or a video's frames."""

import glob
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from heatmap_research.data import threads
from heatmap_research.data.images import UnreadableError
from heatmap_research.inference.pictures import Picture, of_file
from heatmap_research.runs import bounded_file
from heatmap_research.types import IncompatibleError

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".npy")
VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")


@dataclass(frozen=True)
class Files:
    """Pictures in files, in order; a name is a path from the folder that all of them share."""

    files: Sequence[Path]
    folder: Path
    channels: int

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[Picture]:
        for file, name, number in zip(self.files, self.names, self._numbers(), strict=True):
            yield of_file(file, self.channels, number, name)

    @property
    def names(self) -> list[str]:
        return [file.relative_to(self.folder).as_posix() for file in self.files]

    def _numbers(self) -> list[int]:
        """The numbers that the files are named by, as COCO's are; else their places."""
        stems = [file.stem for file in self.files]
        named = all(stem.isdecimal() for stem in stems) and len(set(map(int, stems))) == len(stems)
        return [int(stem) for stem in stems] if named else list(range(len(stems)))

    def refuse_unreadable(self) -> None:
        """Decodes every picture, so that one that is broken is refused before time is spent."""
        with ThreadPoolExecutor(threads.available()) as pool:
            problems = [problem for problem in pool.map(_problem, self) if problem]
        if problems:
            more = f" ({len(problems)} of {len(self)} pictures)" if len(problems) > 1 else ""
            raise IncompatibleError(
                f"{problems[0]}{more}: mend or remove it, or choose on_error=skip."
            )


def is_video(source: str) -> bool:
    """Whether a source is a video or the number of a camera."""
    return source.isdecimal() or Path(source).suffix.lower() in VIDEOS


def files(source: str | Sequence[str], channels: int) -> Files:
    """Finds the files of a picture, a folder (with those within), a glob, or a list."""
    found = [Path(each).expanduser() for each in _listed(source)]
    if not found:
        raise IncompatibleError(f"source={source}: there are no pictures ({', '.join(PICTURES)}).")
    if len({file.is_absolute() for file in found}) > 1:  # which have no folder in common
        found = [Path(os.path.abspath(file)) for file in found]
    if lost := [file for file in found if not file.is_file()]:
        more = f" ({len(lost)} of {len(found)} are missing)" if len(lost) > 1 else ""
        raise IncompatibleError(f"source={source}: {lost[0]}: there is no such file{more}.")
    return Files(found, _shared_folder(found), channels)


def _listed(source: str | Sequence[str]) -> Sequence[str | Path]:
    if not isinstance(source, str):
        return source
    path = Path(source).expanduser()
    if path.is_dir():
        inside = sorted(path.rglob("*"))
        return [file for file in inside if file.suffix.lower() in PICTURES and file.is_file()]
    if path.is_file() and path.suffix.lower() == ".txt":
        lines = filter(None, map(str.strip, _text(path).splitlines()))
        return [path.parent / line for line in lines]
    if not path.exists() and glob.has_magic(source):
        return sorted(glob.glob(str(path), recursive=True))
    return [path]


def _text(file: Path) -> str:
    try:
        return bounded_file.text(file)
    except ValueError as error:
        raise IncompatibleError(f"source={error}.") from error


def _shared_folder(found: Sequence[Path]) -> Path:
    folder = found[0].parent
    while not all(file.is_relative_to(folder) for file in found):
        folder = folder.parent
    return folder


def _problem(picture: Picture) -> str:
    try:
        picture.read(1)
    except UnreadableError as error:
        return str(error)
    return ""
