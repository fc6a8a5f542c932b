"""Labels of other tools with something changed, as `heatmap-data convert` takes them.

They are converted, and what is written is read as training reads it, or refused in a line that
names a file. Arrays stand where pictures or boxes belong.
"""

import argparse
import copy
import csv
import io
import json
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from faults import mutated_images
from faults.mutated_annotations import CHANGES, STRANGE, Content, bytes_changed, trained
from PIL import Image

from heatmap_research.codec.geometry import Geometry
from heatmap_research.inference import boxes, pictures
from heatmap_research.jobs import data

YOLO = {"path": ".", "train": "images/train", "val": ["images/train"], "kpt_shape": [3, 3]}
YOLO |= {"flip_idx": [0, 2, 1], "kpt_names": {0: ["nose", "left_eye", "right_eye"]}}
ROW = [0, 0.5, 0.5, 0.25, 0.5, 0.5, 0.25, 2, 0.25, 0.75, 1, 0, 0, 0]
PLACES = [["images", "train", name] for name in ("a.png", "b.png")]
HEADS = [["scorer"], ["individuals"], ["bodyparts"], ["coords"]]
KIND = [{"py/type": "sleap.skeleton.EdgeType"}]
SKELETON = {
    "nodes": [{"id": 1}, {"id": 0}],
    "links": [
        {"source": 1, "target": 0, "type": {"py/reduce": [*KIND, {"py/tuple": [1]}]}},
        {"source": 0, "target": 1, "type": {"py/id": 1}},
    ],
}
COLUMNS = {
    "frames": "frame_id video frame_idx instance_id_start instance_id_end",
    "instances": "instance_id instance_type frame_id skeleton point_id_start point_id_end",
    "points": "x y visible",
}
EMBEDDED = ("video0/video", "video0/frame_numbers")
OTHERWISE = ("a group", "huge", "words", "numbers", "one", "elsewhere", "format")
Case = tuple[str, dict[str, bytes]]  # a format, and its files, of which the first is converted


def labels(seed: int) -> Iterator[tuple[str, Case]]:
    """What was changed, and the files, of each format in turn, without end."""
    draw = random.Random(seed)
    while True:
        for name, make in FORMATS.items():
            done: list[str] = []
            files = make(draw, done)
            whole = [file for file in files if files[file]]
            if whole and draw.random() < 0.15:
                file = draw.choice(whole)
                words, files[file] = bytes_changed(files[file], draw)
                done.append(f"{file} {words}")
            yield f"{name}: {'; '.join(done)}", (name, files)


def judged(case: Case, folder: Path) -> str:
    """What is wrong with how labels are converted; empty where nothing is."""
    kind, files = case
    place = _prepared(folder / kind)
    for name, content in files.items():
        (place / name).write_bytes(content)
    out = place / "coco.json"
    out.unlink(missing_ok=True)
    flags = argparse.Namespace(format=kind, source=[place / next(iter(files))], out=out)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()) as said:
            warnings.simplefilter("error")
            data.convert(argparse.Namespace(**vars(flags), split="train"))
        said.getvalue().encode()
    except (ValueError, OSError) as error:  # which heatmap-data says in a line
        return _judged_line(str(error), place)
    except Exception as error:
        return f"convert: {type(error).__name__}: {error}"
    words = trained(out)
    if isinstance(words, Exception):
        return f"training: {type(words).__name__}: {words}"
    if " is missing (image " in words:  # an absolute name, which lies elsewhere
        return _judged_line(words, Path("image"))
    return _judged_line(words, place) if words else ""


def arrays(seed: int) -> Iterator[tuple[str, bytes]]:
    """Arrays and archives of arrays, without end."""
    draw = random.Random(seed)
    while True:
        kept = np.zeros(draw.choice(((30, 40, 3), (2, 4), (0,), ())), draw.choice(("u1", "f4")))
        np.save(plain := io.BytesIO(), kept)
        np.savez(archive := io.BytesIO(), kept)
        content = draw.choice((plain, plain, archive)).getvalue()
        words, content = draw.choice((_header, _header, mutated_images.flipped, bytes_changed))(
            *((content, draw))
        )
        yield words, content


def judged_array(content: bytes, folder: Path) -> str:
    """What is wrong with how `heatmap-predict` takes an array as a picture, and as boxes."""
    cut = pictures.Cutter((32, 24), 3, Geometry(-0.5, -0.5, None), 1.25)
    for ending in ("npy", "npz"):
        (file := folder / f"array.{ending}").write_bytes(content)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                problem = cut(pictures.of_file(file, 3)).problem
                said = [] if problem is None else [str(problem)]
        except ValueError as error:
            said = [str(error)]
        except Exception as error:
            return f"picture: {type(error).__name__}: {error}"
        try:
            boxes.read(file, None, None)
        except ValueError as error:
            said.append(str(error))
        except Exception as error:
            return f"boxes: {type(error).__name__}: {error}"
        if wrong := list(filter(None, (_judged_line(words, folder) for words in said))):
            return wrong[0]
    return ""


def _judged_line(words: str, folder: Path) -> str:
    able = "\n" not in words and str(folder) in words and len(words) < 9000
    return "" if able else f"no line that names the file: {words!r}"


def _prepared(folder: Path) -> Path:
    """A folder with the pictures of every format."""
    if not folder.is_dir():
        for each in (folder / "images" / "train", folder / "labels" / "train"):
            each.mkdir(parents=True)
        for place in PLACES:
            Image.new("RGB", (40, 30)).save(folder.joinpath(*place))
    return folder


def _changed(content: Content, draw: random.Random, done: list[str]) -> Content:
    content = copy.deepcopy(content)
    for _ in range(draw.choice((0, 1, 1, 1, 2, 3))):
        done.append(draw.choice(CHANGES)(content, draw))
    return content


def _table(rows: Any, between: str) -> bytes:
    """Rows as text, whatever they have become."""
    lines = [row if isinstance(row, list) else [row] for row in rows] if rows else []
    if between == ",":
        csv.writer(text := io.StringIO()).writerows(lines)
        return text.getvalue().encode(errors="surrogatepass")
    return "\n".join(between.join(map(str, line)) for line in lines).encode(errors="surrogatepass")


def _listed(content: Content, key: str) -> list[Any]:
    found = content.get(key, [])
    return found if isinstance(found, list) else [found]


def _yolo(draw: random.Random, done: list[str]) -> dict[str, bytes]:
    content = _changed(YOLO, draw, done)
    try:
        told = yaml.safe_dump(content)
    except RecursionError:
        told = json.dumps(content)  # which is YAML too
    rows = _listed(_changed({"rows": [ROW, ROW]}, draw, done), "rows")
    return {"data.yaml": told.encode(), "labels/train/a.txt": _table(rows, " ")}


def _csv(draw: random.Random, done: list[str]) -> dict[str, bytes]:
    several, split = draw.random() < 0.5, draw.random() < 0.5
    cells = [
        ["Ann"] * 4,
        ["one", "one", "two", "two"],
        ["nose", "nose", "ear", "ear"],
        list("xyxy"),
    ]
    before = [""] * 2 * split
    heads = [[*head, *before, *row] for head, row in zip(HEADS, cells, strict=True)]
    rows = [heads[n] for n in range(4) if several or n != 1]
    rows += [[*(p if split else ["/".join(p)]), 10.5, 4, 20, 8] for p in PLACES]
    rows = _listed(_changed({"rows": rows}, draw, done), "rows")
    return {"CollectedData.csv": _table(rows, ",")}


def _slp(draw: random.Random, done: list[str]) -> dict[str, bytes]:
    import h5py

    names = ["/".join(place) for place in PLACES]
    videos: list[Any] = [{"filename": names[0], "backend": {"filenames": names}}]
    embedded = draw.random() < 0.5
    if embedded:
        videos = [{"filename": ".", "backend": {}}]
    content: Content = {
        "told": {"nodes": [{"name": "tail"}, {"name": "head"}], "skeletons": [SKELETON]},
        "videos": videos,
        "frames": [[0, 0, 1, 0, 2]],
        "instances": [[0, 0, 0, 0, 0, 2], [1, 1, 0, 0, 0, 2]],
        "points": [[10.5, 5.0, 1], [float("nan"), 6.0, 0]],
    }
    content = _changed(content, draw, done)
    with h5py.File(file := io.BytesIO(), "w") as written:
        about = written.create_group("metadata").attrs
        about["json"], about["format_id"] = json.dumps(content.get("told")), 1.2
        written["videos_json"] = [json.dumps(v).encode() for v in _listed(content, "videos")]
        for name in COLUMNS:
            _columns(written, name, _listed(content, name))
        if embedded:
            written["video0/frame_numbers"] = [0, 1]
            written["video0/video"] = np.zeros((2, 16, 16, 3), np.uint8)
        for _ in range(draw.choice((0, 0, 0, 1, 2))):
            done.append(_stored_otherwise(written, draw))
    return {"labels.slp": file.getvalue()}


def _columns(written: Any, name: str, rows: list[Any]) -> None:
    kind = "f8" if name == "points" else "i8"
    columns = [(column, kind) for column in COLUMNS[name].split()]
    try:
        written[name] = np.array([tuple(row) for row in rows], columns)
    except (TypeError, ValueError, OverflowError):  # what no such table can hold
        written[name] = json.dumps(rows)


def _stored_otherwise(written: Any, draw: random.Random) -> str:
    """A part of the file that is gone, or of another kind than it should be."""
    name = draw.choice(
        [*COLUMNS, "metadata", "videos_json", "video0/video", "video0/frame_numbers"]
    )
    if written.get(name) is None:
        return "nothing"
    if name == "metadata":
        key, value = draw.choice(("json", "format_id")), draw.choice(STRANGE)
        written[name].attrs[key] = str(value).encode(errors="replace").replace(b"\0", b"")[:999]
        return f"{key} = {str(value)[:40]!r}"
    old = written[name]
    kind, shape = old.dtype, old.shape
    del written[name]
    what = draw.choice(
        ("gone", "a group", "huge", "words", "numbers", "one", "elsewhere", "format")
    )
    if what == "a group":
        written.create_group(name)
    elif what == "huge":
        written.create_dataset(name, (2**40, *shape[1:]), kind, chunks=True)
    elif what == "words":
        written[name] = "words"
    elif what == "numbers":
        written[name] = np.arange(6).reshape(2, 3)
    elif what == "one":
        written[name] = 1.5
    elif what == "elsewhere":
        import h5py

        written[name] = h5py.ExternalLink("/etc/hostname", "/x")
    elif what == "format":
        written[name] = np.zeros((2, 16), np.uint8)
        written[name].attrs["format"] = draw.choice(("png", "../x", "", "a" * 300))
    return f"{name} {what}"


FORMATS: dict[str, Callable[[random.Random, list[str]], dict[str, bytes]]]
FORMATS = {"yolo": _yolo, "deeplabcut": _csv, "lightning_pose": _csv, "sleap": _slp}
SHAPES = ("(30, 40, 3)", "(-1,)", "(2**40,)", "(1099511627776, 3)", "()", "x", "(30, 40, 3")
KINDS = ("|u1", "<f8", "|O", "<U9", "<M8[s]", "<c16", "x", "|V99999999999", [["a", "<i4"]])


def _header(content: bytes, draw: random.Random) -> tuple[str, bytes]:
    """An array whose header says other things of it."""
    shape, kind = draw.choice(SHAPES), draw.choice(KINDS)
    text = f"{{'descr': {kind!r}, 'fortran_order': {draw.random() < 0.5}, 'shape': {shape}, }}"
    text = text.ljust(117) + "\n"
    start = b"\x93NUMPY" + bytes([draw.choice((1, 1, 1, 2, 3, 9)), 0])
    return f"{kind} {shape}", start + len(text).to_bytes(2, "little") + text.encode() + bytes(99)
