"""Files that come from elsewhere: only regular ones are read, and only up to a size.

A FIFO would be waited for without end, and a link to a device may have no end.
"""

import os
import stat
import zipfile
import zlib
from pathlib import Path

PICTURE = 2**30  # bytes, of a picture or an array
LABELS = 2**31  # bytes, of annotations or boxes, unpacked
WORDS = 2**26  # bytes, of a list of names, a table of labels, a config or a record
GZIP = b"\x1f\x8b"


def refuse_endless(file: str | Path, most: int) -> None:
    """Raises a ValueError whose words leave the name of the file to the caller."""
    facts = os.stat(file)
    if not stat.S_ISREG(facts.st_mode):
        raise ValueError("it is no regular file, but a folder, a FIFO or a device")
    if facts.st_size > most:
        raise ValueError(_too_large("it has", facts.st_size, most))


def content(file: str | Path, most: int) -> bytes:
    refuse_endless(file, most)
    with open(file, "rb", buffering=0) as stream:
        return stream.readall()


def text(file: str | Path, most: int = WORDS) -> str:
    """Raises a ValueError that names the file."""
    try:
        return content(file, most).decode()
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def unpacked(file: str | Path, most: int) -> bytes:
    """The content, decompressed up to the same size if it is gzipped, however it is called."""
    packed = content(file, most)
    if not packed.startswith(GZIP):
        return packed
    parts: list[bytes] = []
    while packed.startswith(GZIP):  # one member after the other
        stream = zlib.decompressobj(wbits=31)
        parts.append(stream.decompress(packed, most + 1))
        if (size := sum(map(len, parts))) > most:
            raise ValueError(_too_large("unpacked it has at least", size, most))
        if not stream.eof:
            raise EOFError("it ends before its end is marked")
        packed = stream.unused_data
    return b"".join(parts)


def inflated_size(packed: bytes | memoryview, most: int) -> int:
    """The bytes that a zlib stream makes, of which never more than a part is held."""
    stream, size, left = zlib.decompressobj(), 0, bytes(packed)
    while left and not stream.eof:
        size += len(stream.decompress(left, 2**20))
        left = stream.unconsumed_tail
        if size > most:
            raise ValueError(_too_large("unpacked it has at least", size, most))
    return size


def refuse_packed(file: str | Path) -> None:
    """Raises a ValueError for an archive of more than its own size, as torch.save makes none."""
    if not zipfile.is_zipfile(file):
        return
    with zipfile.ZipFile(file) as archive:
        size = sum(part.file_size for part in archive.infolist())
    if size > (most := os.stat(file).st_size):
        raise ValueError(_too_large("unpacked it has", size, most))


def _too_large(what: str, size: int, most: int) -> str:
    return f"{what} {size} bytes, and no more than {most} are read"
