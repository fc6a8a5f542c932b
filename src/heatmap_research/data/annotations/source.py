"""From a file to JSON: what a download that broke off, or another kind of file, is told."""

import gc
import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECTIONS = ("images", "annotations", "categories")


def load(file: Path) -> dict[str, list[dict[str, Any]]]:
    """The three lists of records of a COCO file, plain or gzipped."""
    content = _json(file)
    if isinstance(content, list):
        raise ValueError(
            f"{file}: this is a list, such as results are, not annotations in COCO's format."
        )
    known = content if isinstance(content, dict) else {}
    if missing := [name for name in SECTIONS if not isinstance(known.get(name), list)]:
        raise ValueError(f"{file}: not COCO's format, it has no list of {', '.join(missing)}.")
    for name in SECTIONS:
        for place, record in enumerate(known[name]):
            if type(record) is not dict:
                raise ValueError(f"{file}: number {place} of {name} is no record, but {record!r}.")
    return {name: known[name] for name in SECTIONS}


def stamp(file: Path) -> tuple[int, int]:
    """Changes when the file does."""
    if file.is_dir():
        raise ValueError(f"{file}: a folder, not a file.")
    if not file.is_file():
        lost = [str(folder) for folder in file.absolute().parents if not folder.exists()]
        raise ValueError(f"{file}: there is no such {f'folder as {lost[-1]}' if lost else 'file'}.")
    facts = file.stat()
    return facts.st_mtime_ns, facts.st_size


def _json(file: Path) -> Any:
    try:
        content = file.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        with _uncollected():
            return json.loads(content)
    except json.JSONDecodeError as error:
        whole = "breaks off" if error.pos >= len(error.doc.rstrip()) - 1 else "is no JSON from"
        place = f"line {error.lineno}, column {error.colno} (character {error.pos})"
        reason = error.msg[:1].lower() + error.msg[1:]
        raise ValueError(f"{file}: {whole} at {place}: {reason}.") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{file}: the gzip file breaks off or is damaged: {error}.") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: this is no text, so no JSON: {error.reason}.") from error
    except RecursionError as error:
        raise ValueError(f"{file}: nested too deep to be COCO's format.") from error
    except OSError as error:
        raise ValueError(f"{file}: cannot be read: {error.strerror or error}.") from error


@contextmanager
def _uncollected() -> Iterator[None]:
    """Looking for cycles again and again among millions of new lists takes half the time."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
