"""Opens a file of annotations, and says what is wrong with one that is missing or broken."""

import gc
import json
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from reprlib import repr as shown  # of what is long the beginning
from typing import Any

from heatmap_research.runs import bounded_file
from heatmap_research.types import first_line

HALF_A_LETTER = re.compile(r"\\u[dD][89a-fA-F]")  # or the first half of a whole one
SECTIONS = ("images", "annotations", "categories")


# How files of other formats are called, and what makes COCO's of them.
OTHERS = {
    **dict.fromkeys((".yaml", ".yml", ".txt"), "heatmap-data convert yolo data.yaml --out A.json"),
    ".csv": "heatmap-data convert deeplabcut (or lightning_pose) FILE.csv --out A.json",
    ".slp": "heatmap-data convert sleap FILE.slp --out A.json",
    ".mat": "heatmap-data convert mpii FILE.mat --out A.json",
    ".h5": "heatmap-data convert deeplabcut, with the CSV of the same name",
    ".xml": "your tool's export of COCO keypoints",
    ".zip": "the file in it, unpacked",
}


def first_folder(among: Sequence[str]) -> str:
    """The first of these folders that is there: data sets lie unpacked in more than one way."""
    for folder in among:
        if Path(folder).expanduser().is_dir():
            return folder
    raise ValueError(f"there is no folder {' or '.join(among)}.")


def load(file: Path) -> dict[str, list[dict[str, Any]]]:
    """The three lists of records of a COCO file, plain or gzipped."""
    try:
        content = parsed(file)
    except ValueError as error:
        raise _of_another_tool(file) or error from error
    if isinstance(content, list):
        raise ValueError(
            f"{file}: this is a list, such as results are, not annotations in COCO's format."
        )
    known = content if isinstance(content, dict) else {}
    missing = [name for name in SECTIONS if not isinstance(known.get(name), list)]
    if missing and (other := _of_another_tool(file)):
        raise other
    if missing:
        raise ValueError(f"{file}: not COCO's format, it has no list of {', '.join(missing)}.")
    for name in SECTIONS:
        for place, record in enumerate(known[name]):
            if type(record) is not dict:
                raise ValueError(
                    f"{file}: number {place} of {name} is no record, but {shown(record)}."
                )
    return {name: known[name] for name in SECTIONS}


def _of_another_tool(file: Path) -> ValueError | None:
    """What to do with a file that is no COCO file, if its name tells whose it is."""
    if (way := OTHERS.get(file.suffix.lower())) is None:
        return None
    return ValueError(f"{file}: annotations are read in COCO's format, JSON: use {way}.")


def stamp(file: Path) -> tuple[int, int]:
    """Time of the last change and size: they tell whether a file is the one that was read."""
    if file.is_dir():
        raise ValueError(f"{file}: a folder, not a file: give the JSON of annotations itself.")
    if not file.is_file():
        lost = [str(folder) for folder in file.absolute().parents if not folder.exists()]
        raise ValueError(f"{file}: there is no such {f'folder as {lost[-1]}' if lost else 'file'}.")
    facts = file.stat()
    return facts.st_mtime_ns, facts.st_size


def _text(file: Path) -> str:
    content = bounded_file.unpacked(file, bounded_file.LABELS)
    return content.decode(json.detect_encoding(content))


def parsed(file: Path) -> Any:
    """What the JSON holds; a ValueError says why there is none that can be read."""
    collects = gc.isenabled()
    try:
        text = _text(file)
        gc.disable()  # or it spends half the time looking through new lists
        content = json.loads(text)
        if HALF_A_LETTER.search(text):
            json.dumps(content, ensure_ascii=False).encode()
        return content
    except json.JSONDecodeError as error:
        whole = "breaks off" if error.pos >= len(error.doc.rstrip()) - 1 else "is no JSON from"
        place = f"line {error.lineno}, column {error.colno} (character {error.pos})"
        reason = error.msg[:1].lower() + error.msg[1:]
        raise ValueError(f"{file}: {whole} at {place}: {reason}.") from error
    except (EOFError, zlib.error) as error:
        raise ValueError(f"{file}: the gzip file breaks off or is damaged: {error}.") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: this is no text, so no JSON: {error.reason}.") from error
    except UnicodeEncodeError as error:
        near = error.object[max(0, error.start - 40) : error.end]
        raise ValueError(f"{file}: half a letter, which no text has, ends {near!a}.") from error
    except ValueError as error:  # a number of thousands of digits, a file without end
        raise ValueError(f"{file}: {first_line(error)}.") from error
    except RecursionError as error:
        raise ValueError(f"{file}: nested too deep to be COCO's format.") from error
    except OSError as error:
        raise ValueError(f"{file}: cannot be read: {error.strerror or error}.") from error
    finally:
        if collects:
            gc.enable()
