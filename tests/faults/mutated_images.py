"""Pictures and arrays as they come from cameras, tools and strangers, read as training reads them.

Some are odd and whole, some damaged, some claim sizes that no memory holds.
"""

import io
import random
import resource
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from heatmap_research.data import images
from heatmap_research.types import IncompatibleError

SIZE = (37, 29)  # width, height
FORMATS = {
    "jpg": ("JPEG", {"quality": 90}),
    "png": ("PNG", {}),
    "bmp": ("BMP", {}),
    "webp": ("WEBP", {}),
    "tif": ("TIFF", {"compression": "tiff_lzw"}),
    "gif": ("GIF", {}),
}
Kept = tuple[str, bytes]  # the ending of a name, and the content of its file


@cache
def odd() -> dict[str, Kept]:
    """One file of each kind that the eye would not tell from others."""
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 4), dtype=np.uint8)
    colours, grey = Image.fromarray(pixels[..., :3]), Image.fromarray(pixels[..., 0])
    dot, exif = colours.resize((1, 1)), Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    many = {"save_all": True, "append_images": [grey.convert("P")] * 3}
    deep = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    made = {
        **{f"a whole {ending}": (ending, _saved(colours, ending)) for ending in FORMATS},
        **{f"a {ending} of 1 x 1": (ending, _saved(dot, ending)) for ending in FORMATS},
        "60,000 x 1": ("png", _saved(Image.new("RGB", (60_000, 1)), "png")),
        "1 x 60,000": ("jpg", _saved(Image.new("RGB", (1, 60_000)), "jpg")),
        "turned by EXIF": ("jpg", _saved(colours, "jpg", exif=exif)),
        "inks": ("jpg", _saved(colours.convert("CMYK"), "jpg")),
        "16 bits": ("png", _saved(deep, "png")),
        "32 bits": ("tif", _saved(Image.fromarray(pixels[..., 0].astype(np.int32)), "tif")),
        "transparent": ("png", _saved(Image.fromarray(pixels), "png")),
        "a palette": ("png", _saved(colours.convert("P"), "png")),
        "two levels": ("png", _saved(grey.convert("1"), "png")),
        "animated": ("gif", _saved(grey.convert("P"), "gif", **many)),
        "animated WebP": ("webp", _saved(colours, "webp", **many)),
        "LAB": ("tif", _saved(colours.convert("LAB"), "tif")),
        "a JPEG called PNG": ("png", _saved(colours, "jpg")),
        "nothing": ("png", b""),
        "zeros": ("jpg", bytes(5000)),
        "words": ("jpg", b"<html>404</html>"),
        "a PNG of 30,000 x 30,000": ("png", _claiming(30_000, 30_000)),
        "a PNG of 2**31 x 2**31": ("png", _claiming(2**31 - 1, 2**31 - 1)),
        "a JPEG of 30,000 x 30,000": ("jpg", _large_jpeg(30_000)),
        "a PNG as large as is read": ("png", _claiming(13_377, 13_377)),
        "a JPEG as large as is read": ("jpg", _large_jpeg(13_377)),
        "a WebP of 16,383 x 16,383": ("webp", _saved(Image.new("L", (16_383, 64)), "webp")[:200]),
        "an array of 2**40": ("npy", _array("(1048576, 1048576)")),
        "an array of objects": ("npy", _pickled()),
        "an array without an end": ("npy", b"\x93NUMPY\x01\x00\xff\xff" + b" " * 100),
    }
    return made | {"text without end": ("png", _with_text(made["a whole png"][1]))}


def largest(name: str) -> bool:
    """Whether a picture takes seconds and gigabytes before it is refused."""
    return "as large as is read" in name


def damaged(seed: int) -> Iterator[tuple[str, Kept]]:
    """What was done to one of the whole files above, without end."""
    draw, whole = random.Random(seed), list(odd().items())
    sound = [(n, kept) for n, kept in whole if 60 < len(kept[1]) < 20_000 and not largest(n)]
    while True:
        name, (ending, content) = draw.choice(sound)
        words, changed = draw.choice((_cut, flipped, _filled, _repeated, _renamed))(content, draw)
        ending = words if words in (*FORMATS, "npy") else ending
        yield f"{name}: {words}", (ending, changed)


def judged(kept: Kept, folder: Path) -> str:
    """What is wrong with how a picture is read; empty if it is read, or refused in a line."""
    ending, content = kept
    (file := folder / f"picture.{ending}").write_bytes(content)
    for size in (None, SIZE, (13_377, 13_377), (30_000, 30_000)):
        for channels, factor in ((3, 1), (1, 8)):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    pixels, _ = images.read(str(file), channels, size, factor)
            except IncompatibleError as error:
                if "\n" in str(error) or not str(error).startswith(str(file)):
                    return f"no line that names the file: {error}"
            except Exception as error:
                return f"{type(error).__name__}: {error}"
            else:
                if pixels.ndim != 3 or pixels.dtype != np.uint8 or not pixels.size:
                    return f"{pixels.dtype} {pixels.shape}"
    return ""


def peak() -> float:
    """The most memory that this process has held, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _saved(image: Image.Image, ending: str, **knobs: object) -> bytes:
    kind, usual = FORMATS[ending]
    image.save(content := io.BytesIO(), kind, **usual | knobs)
    return content.getvalue()


def _chunk(kind: bytes, content: bytes) -> bytes:
    whole = kind + content
    return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))


def _claiming(width: int, height: int) -> bytes:
    """A PNG of a size, of which only a few rows follow."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(bytes(100_000))), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _large_jpeg(side: int) -> bytes:
    """A small JPEG whose header says that either side is so long."""
    content = bytearray(_saved(Image.new("RGB", (16, 16)), "jpg"))
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    return bytes(content)


def _with_text(png: bytes) -> bytes:
    """A PNG with a remark that unpacks to 10 MB."""
    remark = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(10**7)))
    return png[:33] + remark + png[33:]


def _array(shape: str) -> bytes:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(100)


def _pickled() -> bytes:
    np.save(content := io.BytesIO(), np.array([{}], dtype=object), allow_pickle=True)
    return content.getvalue()


Change = Callable[[bytes, random.Random], tuple[str, bytes]]


def _cut(content: bytes, draw: random.Random) -> tuple[str, bytes]:
    at = draw.randrange(len(content))
    return f"cut at {at}", content[:at]


def flipped(content: bytes, draw: random.Random) -> tuple[str, bytes]:
    changed, count = bytearray(content), draw.choice((1, 1, 3, 30))
    for _ in range(count):  # mostly in the header
        at = draw.randrange(draw.choice((60, len(content))))
        changed[at] = draw.randrange(256)
    return f"{count} bytes changed", bytes(changed)


def _filled(content: bytes, draw: random.Random) -> tuple[str, bytes]:
    at, value = draw.randrange(len(content)), draw.choice((b"\x00", b"\xff"))
    return f"{value!r} from {at}", content[:at] + value * (len(content) - at)


def _repeated(content: bytes, draw: random.Random) -> tuple[str, bytes]:
    at, end = sorted(draw.randrange(len(content)) for _ in range(2))
    return f"{at}-{end} twice", content[:end] + content[at:]


def _renamed(content: bytes, draw: random.Random) -> tuple[str, bytes]:
    return draw.choice((*FORMATS, "npy")), content
