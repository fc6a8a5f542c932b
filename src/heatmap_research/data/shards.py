"""Images packed into tar files, which are read where they lie.

A folder of images may be one of shards: tar files, as `tar` and WebDataset read them, beside an
index of where each image begins. Each image is read by its place, as a file of its own would be:
so order, resume, metrics and several processes are those of a folder, with few files.
"""

import functools
import json
import os
from typing import Any, NamedTuple

from heatmap_research.runs import bounded_file

INDEX = "shards.json"
MOST_INDEX = 2**32  # bytes, of an index: some 5 * 10^7 images


class Place(NamedTuple):
    file: str  # a tar file
    start: int
    size: int


def content(path: str, most: int) -> bytes:
    """A file, or the member of a shard that its name would be in the folder of shards."""
    if (place := find(path)) is None:
        return bounded_file.content(path, most)
    if place.size > most:
        raise ValueError(f"it has {place.size} bytes, and no more than {most} are read")
    with open(place.file, "rb", buffering=0) as stream:
        found = os.pread(stream.fileno(), place.size, place.start)
    if len(found) < place.size:
        raise ValueError(f"{place.file} ends before it does")
    return found


def is_there(path: str) -> bool:
    return os.path.isfile(path) or find(path) is not None


def stamp(path: str) -> tuple[str, int, int]:
    """Path, size and time of a file, or of the shard it is in: one changes when the file does."""
    place = find(path)
    known = os.stat(path if place is None else place.file)
    return path, known.st_size, known.st_mtime_ns


def find(path: str) -> Place | None:
    """Where an image lies whose name begins with a folder of shards."""
    if os.path.exists(path):
        return None
    folder = os.path.dirname(path)
    while folder and folder != os.path.dirname(folder):
        try:
            time = os.stat(f"{folder}/{INDEX}").st_mtime_ns
        except (OSError, ValueError):  # it is none, or no name that a file system takes
            folder = os.path.dirname(folder)
            continue
        return _index(folder, time).get(path[len(folder) + 1 :])
    return None


@functools.lru_cache(maxsize=16)
def _index(folder: str, _time: int) -> dict[str, Place]:
    file = os.path.join(folder, INDEX)
    try:
        node = json.loads(bounded_file.content(file, MOST_INDEX))
        tars = [_whole_tar(folder, known) for known in node["shards"]]
        places = ((name, tars[int(tar)], start, size) for name, tar, start, size in node["images"])
        return {str(name): _place(*tar, start, size) for name, tar, start, size in places}
    except (KeyError, IndexError, TypeError, RecursionError, ValueError) as error:
        raise ValueError(
            f"{file}: it is no index of these shards ({error}): pack them anew (heatmap-data shard)"
        ) from error


def _whole_tar(folder: str, known: dict[str, Any]) -> tuple[str, int]:
    """The path and the size of a tar file beside its index."""
    name, size = known["name"], known["bytes"]
    if os.path.basename(name) != name:
        raise ValueError(f"{name} is no name of a file")
    path = os.path.join(folder, name)
    if os.path.islink(path) or not os.path.isfile(path):
        raise ValueError(f"{name} is missing")
    if os.path.getsize(path) != size:
        raise ValueError(f"{name} has {os.path.getsize(path)} bytes, and had {size}")
    return path, size


def _place(path: str, whole: int, start: int, size: int) -> Place:
    if not (isinstance(start, int) and isinstance(size, int) and 0 <= start <= start + size):
        raise ValueError(f"{start} and {size} are no place")
    if start + size > whole:
        raise ValueError(f"{start} and {size} are beyond the end of {os.path.basename(path)}")
    return Place(path, start, size)
