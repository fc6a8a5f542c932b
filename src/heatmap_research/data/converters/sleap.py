"""Converts SLEAP's .slp files (Pereira et al., 2022), which are HDF5.

Labels that people made count, predictions do not. Frames that lie within the file or in a video are
written as PNG beside the target; images of their own stay where they are.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from heatmap_research.data import film
from heatmap_research.data.converters import bounded_hdf5
from heatmap_research.data.converters.coco_file import (
    Record,
    Written,
    box_around,
    category,
    is_pixel,
    person,
    size_of,
    write,
)
from heatmap_research.runs import bounded_file, whole_file
from heatmap_research.types import IncompatibleError, in_a_line

USER = 0  # kind of instance; 1 are predictions
BONE, SYMMETRY = 1, 2  # kinds of links between joints
HALF_PIXEL_UNTIL = 1.1  # of the format: before, the middle of the first pixel was at 0.5
FILES = ("png", "jpg", "jpeg")  # as which frames may lie within the file


def convert(source: Path, target: Path) -> Written:
    try:
        import h5py  # an extra, for this format alone
    except ImportError as error:
        raise ValueError(
            f"{source}: SLEAP's files are HDF5: pip install 'heatmap-research[sleap]'."
        ) from error
    try:
        bounded_file.refuse_endless(source, sys.maxsize)
        file = h5py.File(source, "r")
    except (OSError, ValueError) as error:
        raise ValueError(f"{source}: no HDF5 file that can be read: {error}.") from error
    try:
        with file as content:
            about, images, people = _people(content, source, target)
    except IncompatibleError:
        raise
    except Exception as error:  # where anything may stand for anything else
        words = in_a_line(error.args[0] if isinstance(error, KeyError) else error)[:300]
        raise ValueError(f"{source}: damaged, or no .slp of SLEAP: {words}.") from error
    root = _shared(images)
    for image in images:
        image["file_name"] = Path(image["file_name"]).relative_to(root).as_posix()
    write(target, "SLEAP", about, images, people)
    return Written(len(people), root)


def _people(content: Any, source: Path, target: Path) -> tuple[Record, list[Record], list[Record]]:
    """The category, the images, by their whole paths, and the people in them."""
    told = json.loads(bounded_hdf5.inside(content, "metadata").attrs["json"])
    if len(told["skeletons"]) != 1:
        raise IncompatibleError(f"{source}: it has {len(told['skeletons'])} skeletons, not one.")
    about = _category(told)
    folder = target.parent / f"{target.stem}_frames"
    videos = [json.loads(text) for text in bounded_hdf5.texts(content, "videos_json")]
    images: list[Record] = []
    people: list[Record] = []
    for frame in bounded_hdf5.rows(content, "frames"):
        labelled = list(_labelled(content, frame, len(about["keypoints"])))
        if not labelled:
            continue
        video, number = int(frame["video"]), int(frame["frame_idx"])
        if not 0 <= video < len(videos) or number < 0:
            raise IncompatibleError(f"{source}: there is no frame {number} of video {video}.")
        file = _picture(content, source, videos[video], video, number, folder)
        name = str(file.parent.resolve() / file.name)
        images.append({"id": len(images) + 1, "file_name": name, **size_of(file)})
        for points in labelled:
            box = {"bbox": box_around(points)}
            people.append(person(len(people) + 1, len(images), points, **box))
    return about, images, people


def _category(told: dict[str, Any]) -> Record:
    """Links name joints by their number among all nodes; kinds are told once, then by number."""
    (skeleton,) = told["skeletons"]
    order = [node["id"] for node in skeleton["nodes"]]
    names = [told["nodes"][number]["name"] for number in order]
    links: dict[int, list[tuple[int, int]]] = {BONE: [], SYMMETRY: []}
    kinds: list[int] = []
    for link in skeleton.get("links", []):
        kind = link["type"]
        if "py/reduce" in kind:
            kinds.append(kind["py/reduce"][1]["py/tuple"][0])
            told_kind = kinds[-1]
        else:
            number = kind["py/id"]
            told_kind = kinds[number - 1] if number <= len(kinds) else number
        links[told_kind].append((order.index(link["source"]), order.index(link["target"])))
    bones = [(names[a], names[b]) for a, b in links[BONE]]
    pairs = sorted({(min(pair), max(pair)) for pair in links[SYMMETRY]})
    flips = [list(pair) for pair in pairs] or None
    return category(names, bones, name="animal", flip_pairs=flips)


def _labelled(content: Any, frame: Any, joints: int) -> Iterator[list[float]]:
    """The keypoints of each individual of a frame that a person has labelled."""
    shift = 0.5 if content["metadata"].attrs.get("format_id", 1.0) < HALF_PIXEL_UNTIL else 0.0
    rows = slice(int(frame["instance_id_start"]), int(frame["instance_id_end"]))
    for instance in bounded_hdf5.stored(content, "instances")[rows]:
        if instance["instance_type"] != USER:
            continue
        first, end = int(instance["point_id_start"]), int(instance["point_id_end"])
        if end - first != joints:
            raise IncompatibleError(
                f"{content.filename}: somebody has {end - first} points, and the skeleton {joints}."
            )
        keypoints: list[float] = []
        for point in bounded_hdf5.stored(content, "points")[first:end]:
            x, y = float(point["x"]) - shift, float(point["y"]) - shift
            known = np.isfinite(x) and np.isfinite(y)
            if known and not (is_pixel(x) and is_pixel(y)):
                raise IncompatibleError(f"{content.filename}: {x:g}, {y:g} is no pixel.")
            keypoints += [x, y, 2 if point["visible"] else 1] if known else [0, 0, 0]
        if any(keypoints[2::3]):
            yield keypoints


def _picture(
    content: Any, source: Path, told: dict[str, Any], video: int, number: int, folder: Path
) -> Path:
    """The file of a frame, which is written where it lies within another."""
    backend = told.get("backend", told)
    if names := backend.get("filenames"):
        return _beside(source, names[number])
    file = folder / f"video{video}_{number:06d}.png"
    if bounded_hdf5.has(content, f"video{video}/frame_numbers"):
        return _embedded(content, source, video, number, file)
    name = _beside(source, backend.get("filename") or told["filename"])
    return _written(file, _png(film.frame(source, name, number)))


def _embedded(content: Any, source: Path, video: int, number: int, file: Path) -> Path:
    """Frames lie in it as PNG or JPEG, which are copied byte by byte, or as pixels."""
    stored = bounded_hdf5.stored(content, f"video{video}/video")
    numbers = bounded_hdf5.rows(content, f"video{video}/frame_numbers")
    row = np.flatnonzero(numbers == number)
    if not len(row):
        raise IncompatibleError(f"{source}: frame {number} of video {video} is not in it.")
    frame, kind = np.asarray(stored[int(row[0])]), str(stored.attrs.get("format", "hdf5"))
    if kind == "hdf5":
        return _written(file, _png(frame[..., ::-1]))  # to the order that OpenCV writes
    if kind not in FILES:
        raise IncompatibleError(f"{source}: video {video} has frames as {kind!a:.40}, not PNG.")
    return _written(file.with_suffix(f".{kind}"), frame.tobytes())


def _png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def _written(file: Path, content: bytes) -> Path:
    try:
        with whole_file.written(file) as partial:
            partial.write_bytes(content)
    except OSError as error:
        raise IncompatibleError(
            f"{error.filename}: {error.strerror}; choose another --out."
        ) from error
    return file


def _beside(source: Path, name: str) -> Path:
    """A path as the file has it, or the file of that name beside it: labels travel."""
    path = Path(name.replace("\\", "/"))
    places = (path, source.parent / path, source.parent / path.name)
    return next((place for place in places if place.is_file()), places[-1])


def _shared(images: list[Record]) -> Path:
    """The deepest folder that holds all images."""
    folders = [Path(image["file_name"]).parent for image in images] or [Path.cwd()]
    first = folders[0]
    above = (first, *first.parents)
    return next(f for f in above if all(other.is_relative_to(f) for other in folders))
