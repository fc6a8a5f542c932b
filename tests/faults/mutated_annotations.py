"""Files of annotations and of boxes with one to three things in them changed, and what is said.

Annotations are judged twice, by `heatmap-data check` and by the data set that training reads: both
take a file or both refuse it, in a line that names it. Boxes are read as detections of a training
and as those of a prediction.
"""

import copy
import io
import json
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pictures
from PIL import Image

from heatmap_research.data.audit import printed
from heatmap_research.data.audit.file_audit import audit
from heatmap_research.inference.boxes import placed, read, refuse_shared
from heatmap_research.inference.pictures import Picture

WIDTH, HEIGHT = 40, 30  # pixels of every image
POINTS = (20, 10, 2, 24, 8, 2, 16, 8, 1)  # nose, left eye, right eye
NUMBERS = (
    *(0, -1, 1, 2, 3, 0.5, -0.0, 1e-320, 1e6, 2**31, -(2**31) - 1, 2**53 + 1, 2**63, -(2**63)),
    *(10**30, 10**400, -(10**400), 1e308, -1e308, float("nan"), float("inf"), -float("inf")),
)
TEXTS = (
    "",
    "x",
    "1",
    "a.png",
    "../a.png",
    "/etc/passwd",
    "a" * 300,
    "a/" * 3000,
    "a\x00b",
    "\ud800",
)
TEXTS = (*TEXTS, "b.png\n", "[red]x[/red]", "$x^{$", "left_eye", "NaN", "\u202e\U0001f600")
OTHERS = (None, True, False, [], {}, [1], [None], [[1]], {"a": 1}, [[[[]]]])
STRANGE = (*NUMBERS, *TEXTS, *OTHERS)
Content = dict[str, Any]
Place = tuple[Any, Any]  # a list or an object, and a key of it


def base(other: bool) -> Content:
    """A sound file, with every key that is read in one of its two kinds."""
    images = [{"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}]
    images += [{"id": 2, "file_name": "b.png"}]
    category: Content = {"id": 1, "name": "face", "keypoints": ["nose", "left_eye", "right_eye"]}
    category |= {"skeleton": [[1, 2], [1, 3]]}
    category |= (
        {"flip_indices": [0, 2, 1], "keypoint_sigmas": [0.1] * 3}
        if other
        else {"flip_pairs": [[1, 2]], "sigmas": [0.1] * 3}
    )
    people = [(11, 1, 0), (12, 1, 2), (13, 2, 0)]
    annotations: list[Content] = [
        {
            **{"id": number, "image_id": image, "category_id": 1, "iscrowd": 0, "area": 200},
            **{"keypoints": [x + shift * (i % 3 == 0) for i, x in enumerate(POINTS)]},
            **{"num_keypoints": 3, "bbox": [10, 5, 20, 15]},
        }
        for number, image, shift in people
    ]
    annotations[0]["head_size"] = 3.5
    cup = {"id": 2, "name": "cup"}
    return {"images": images, "annotations": annotations, "categories": [category, cup]}


def mutants(seed: int) -> Iterator[tuple[str, bytes]]:
    """What was changed and the file, without end."""
    draw = random.Random(seed)
    while True:
        content = base(draw.random() < 0.5)
        done = [draw.choice(CHANGES)(content, draw) for _ in range(draw.choice((1, 1, 1, 2, 3)))]
        text = json.dumps(content).encode()
        if draw.random() < 0.2:
            words, text = bytes_changed(text, draw)
            done.append(words)
        yield "; ".join(done), text


def judged(content: bytes, folder: Path) -> str:
    """What is wrong with how a file is judged; empty where nothing is."""
    file = folder / "file.json"
    file.write_bytes(content)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()) as said:
            warnings.simplefilter("error")
            checked = audit(file, folder)
            printed.show(checked, 3)
        said.getvalue().encode()
    except Exception as error:
        return f"check: {type(error).__name__}: {error}"
    learnt = trained(file)
    if isinstance(learnt, Exception):
        return f"training: {type(learnt).__name__}: {learnt}"
    if bool(learnt) != bool(checked.refusal):
        return f"check: {checked.refusal or 'takes it'}; training: {learnt or 'takes it'}"
    if any(each.refused for each in checked.findings) != bool(learnt) and checked.records:
        return f"check finds {[f.problem for f in checked.findings if f.refused]}, {learnt!r}"
    for line in filter(None, (learnt, checked.refusal)):
        if "\n" in line or str(folder) not in line[:300]:
            return f"no line that names the file: {line!r}"
    return ""


def boxes(seed: int) -> Iterator[tuple[str, bytes]]:
    """Files of boxes, of each kind that predicting takes, without end."""
    draw, box = random.Random(seed), [10, 5, 20.5, 15]
    while True:
        row = {"image_id": 1, "category_id": 1, "bbox": box, "score": 0.5}
        content: Content = draw.choice(
            ({"": [row, row | {"image_id": 2}]}, {"": {"a.png": [box, box]}}, {"": base(True)})
        )
        content = copy.deepcopy(content)
        done = [draw.choice(CHANGES)(content, draw) for _ in range(draw.choice((1, 1, 1, 2, 3)))]
        text = json.dumps(content[""] if len(content) == 1 and "" in content else content).encode()
        if draw.random() < 0.1:
            words, text = bytes_changed(text, draw)
            done.append(words)
        yield "; ".join(done), text


def judged_boxes(content: bytes, folder: Path) -> str:
    """What is wrong with how a file of boxes is judged; empty where nothing is."""
    file, sound = folder / "boxes.json", folder / "sound.json"
    file.write_bytes(content)
    sound.write_text(json.dumps(base(True)))
    pictured = Picture("a.png", lambda _: (np.zeros((HEIGHT, WIDTH, 4), np.uint8), 1), None, 1)
    ways = {
        "training": partial(trained, sound, boxes="detections", detections=str(file)),
        "predicting": partial(_refusal, lambda: placed(pictured, read(file, sound, None))),
    }
    for name, way in ways.items():
        if isinstance(said := way(), Exception):
            return f"{name}: {type(said).__name__}: {said}"
        if said and ("\n" in said or str(file) not in said or len(said) > 500):
            return f"{name}: no line that names the file: {said!r}"
    return ""


def beside_boxes(seed: int) -> Iterator[tuple[str, bytes]]:
    """Annotations that say which picture and category a sound file of boxes speaks of."""
    return mutants(seed + 1)


def judged_beside(content: bytes, folder: Path) -> str:
    """What is wrong with how `annotations=` beside a detector's boxes are judged."""
    file, boxes = folder / "beside.json", folder / "results.json"
    file.write_bytes(content)
    row = {"image_id": 1, "category_id": 1, "bbox": [10, 5, 20.5, 15], "score": 0.5}
    boxes.write_text(json.dumps([row, row | {"image_id": 2}]))
    pictured = Picture("a.png", lambda _: (np.zeros((HEIGHT, WIDTH, 4), np.uint8), 1), None, 1)
    for category in (None, "face"):
        said = _refusal(partial(_listed, pictured, boxes, file, category))
        if isinstance(said, Exception):
            return f"{type(said).__name__}: {said}"
        if said and ("\n" in said or str(file) not in said or len(said) > 500):
            return f"no line that names the file: {said!r}"
        if "\ud800" in said:
            return f"a line that cannot be printed: {said!r}"
    return ""


def _listed(pictured: Picture, boxes: Path, file: Path, category: str | None) -> None:
    listing = read(boxes, file, category)
    refuse_shared(boxes, ["a.png", "b.png"], listing)
    for listed in listing.values():
        assert np.isfinite([*listed.boxes.flat, *listed.scores]).all()
    placed(pictured, listing)


def with_pictures(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("a.png", "b.png"):
        Image.new("RGB", (WIDTH, HEIGHT), (90, 120, 60)).save(folder / name)
    return folder


def trained(file: Path, **knobs: Any) -> str | Exception:
    """What training says: empty where it takes everybody, with their crops."""

    def crops() -> None:
        data = pictures.dataset(file, image_size=[32, 24], **knobs)
        data.__getitems__(range(len(data)))

    return _refusal(crops)


def _refusal(read: Callable[[], Any]) -> str | Exception:
    """The words of a refusal, empty where there is none; or an error that is no refusal."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read()
    except ValueError as error:
        return str(error) or "nothing is said"
    except Exception as error:
        return error
    return ""


def _places(node: Any) -> Iterator[Place]:
    keys = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield node, key
        yield from _places(node[key])


def _drawn(content: Content, draw: random.Random) -> Place | None:
    places = list(_places(content))
    return draw.choice(places) if places else None


def _set(content: Content, draw: random.Random) -> str:
    if not (place := _drawn(content, draw)):
        return "nothing"
    node, key = place
    node[key] = copy.deepcopy(draw.choice(STRANGE))
    return f"{key} = {str(node[key])[:40]!r}"


def _all_numbers(content: Content, draw: random.Random) -> str:
    """Every number of one person's list alike."""
    people = content.get("annotations")
    person = draw.choice(people) if isinstance(people, list) and people else None
    if not isinstance(person, dict):
        return "nothing"
    key, value = draw.choice(("keypoints", "bbox")), draw.choice(NUMBERS)
    person[key] = [value] * (9 if key == "keypoints" else 4)
    return f"{key} all {str(value)[:20]}"


def _removed(content: Content, draw: random.Random) -> str:
    if not (place := _drawn(content, draw)):
        return "nothing"
    node, key = place
    del node[key]
    return f"without {key}"


def _twice(content: Content, draw: random.Random) -> str:
    lists = [(node, key) for node, key in _places(content) if isinstance(node, list)]
    if not lists:
        return "nothing"
    node, key = draw.choice(lists)
    node.insert(draw.randrange(len(node) + 1), copy.deepcopy(node[key]))
    return f"number {key} twice"


def _exchanged(content: Content, draw: random.Random) -> str:
    first, second = _drawn(content, draw), _drawn(content, draw)
    if not first or not second:
        return "nothing"
    (a, key), (b, other) = first, second
    a[key], b[other] = copy.deepcopy(b[other]), copy.deepcopy(a[key])
    return f"{key} and {other} exchanged"


def _renamed(content: Content, draw: random.Random) -> str:
    objects = [(node, key) for node, key in _places(content) if isinstance(node, dict)]
    if not objects:
        return "nothing"
    (node, key), (_, new) = draw.choice(objects), draw.choice(objects)
    node[new] = node.pop(key)
    return f"{key} called {new}"


def _deep(content: Content, draw: random.Random) -> str:
    if not (place := _drawn(content, draw)):
        return "nothing"
    node, key = place
    for _ in range(draw.choice((3, 200))):
        node[key] = [node[key]]
    return f"{key} in lists"


CHANGES: tuple[Callable[[Content, random.Random], str], ...]
CHANGES = (_set, _set, _set, _set, _all_numbers, _removed, _twice, _exchanged, _renamed, _deep)


def bytes_changed(text: bytes, draw: random.Random) -> tuple[str, bytes]:
    at = draw.randrange(len(text))
    end = min(len(text), at + draw.randrange(1, 40))
    return draw.choice(
        (
            (f"cut at {at}", text[:at]),
            (f"without {at}-{end}", text[:at] + text[end:]),
            (f"{at}-{end} twice", text[:end] + text[at:]),
            (f"a byte at {at}", text[:at] + bytes([draw.randrange(256)]) + text[at + 1 :]),
            ("nested", b"[" * 100_000 + text),
            ("5000 digits", text.replace(b"11", b"1" * 5000)),
            ("a mark", b"\xef\xbb\xbf" + text),
            ("gzip magic", b"\x1f\x8b" + text),
        )
    )
