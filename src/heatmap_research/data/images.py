"""Reads picture files and arrays as uint8 pixels, turned as their labels were made, and warps them.

Everything becomes 8 bits: 16 bits keep their high byte, floats in [0, 1] are multiplied by 255.
Transparent pixels become black, as is everything outside. Three channels are read with a spare
fourth, because OpenCV warps four twice as fast as three.
"""

import io
import re
import warnings
from collections.abc import Sequence

import cv2
import numpy as np
import simplejpeg
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps

from heatmap_research.data import shards
from heatmap_research.data.buffers import Buffers
from heatmap_research.runs import bounded_file
from heatmap_research.types import IncompatibleError

cv2.setNumThreads(0)  # the loader's processes are the threads

Pixels = UInt8[np.ndarray, "height width channel"]
Matrix = Float[np.ndarray, "2 3"]  # crop pixels to those of a picture
Size = Sequence[int] | None  # width and height a file is annotated with; None: unknown

MOST_PIXELS = 2 * 89_478_485  # of a picture, as Pillow has it: twice its MAX_IMAGE_PIXELS
REDUCTIONS = (8, 4, 2, 1)  # source pixels per pixel a JPEG can be decoded at
TRANSPARENT = ("RGBA", "LA", "PA", "La", "RGBa")
FLAGS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


class UnreadableError(IncompatibleError):
    """A file that is missing, damaged, or not what its annotation says."""


def spacing(to_source: Float[np.ndarray, "row 2 3"]) -> Float[np.ndarray, " row"]:
    """Source pixels from one pixel of a crop to the next, along the axis where they are fewer."""
    return np.linalg.norm(to_source[:, :, :2], axis=1).min(-1)


def reduction(spacing: float) -> int:
    """The largest that has a pixel wherever crops, by their spacing, sample the source."""
    return next((factor for factor in REDUCTIONS if factor <= spacing), 1)


def read(
    path: str, channels: int, size: Size = None, factor: int = 1, buffers: Buffers | None = None
) -> tuple[Pixels, int]:
    """Returns the pixels and how many source pixels each covers: `factor` for a JPEG, else 1."""
    buffers = buffers or Buffers()
    try:
        if path.endswith(".npy"):
            return _array(path, channels, size), 1
        content = shards.content(path, bounded_file.PICTURE)
        if channels not in (1, 3):
            raise IncompatibleError(
                f"{path} is a picture, and backbone.in_chans={channels}: choose 1 or 3, or give "
                ".npy arrays."
            )
        reduced = _jpeg(content, channels, size, factor, buffers)
        return (_picture(content, channels, size), 1) if reduced is None else (reduced, factor)
    except IncompatibleError:
        raise
    except FileNotFoundError as error:
        raise UnreadableError(f"{path} is missing") from error
    except Exception as error:  # damaged bytes make decoders raise anything
        words = next(iter(str(error).splitlines()), type(error).__name__).replace(path, "it")
        words = re.sub(r" <\S+ object at 0x\w+>", "", words)  # by which Pillow calls its bytes
        raise UnreadableError(f"{path} cannot be read: {words}") from error


def warp(
    pixels: Pixels, matrix: Matrix, crop: UInt8[np.ndarray, "kept rows columns"], buffers: Buffers
) -> None:
    """Fills a crop; `matrix` leads from its pixels to the picture's. Outside the picture is 0."""
    height, width = crop.shape[1:]
    # OpenCV warps at most four channels at once, and two in steps of 1/32 pixel
    at_once = 1 if len(crop) % 4 == 2 else 4
    for first in range(0, len(crop), at_once):
        planes = list(crop[first : first + at_once])
        part = pixels[..., first : first + at_once]
        if not part.flags.c_contiguous:
            part = np.ascontiguousarray(part)
        depth = part.shape[2]
        warped = planes[0] if depth == 1 else buffers.take(height, width, depth)
        cv2.warpAffine(part, matrix, (width, height), dst=warped, flags=FLAGS)
        if depth > 1:
            cv2.split(warped, planes + [buffers.take(height, width)] * (depth - len(planes)))


def in_reduced(matrix: Float[np.ndarray, "*batch 2 3"], factor: int) -> np.ndarray:
    """Makes a matrix that leads to source pixels lead to those of a reduced picture."""
    return (matrix - [0.0, 0.0, (factor - 1) / 2]) / factor


def _jpeg(
    content: bytes, channels: int, size: Size, factor: int, buffers: Buffers
) -> Pixels | None:
    """None where Pillow has to read: another format, or a JPEG that is turned, CMYK or damaged."""
    if content[:2] != b"\xff\xd8" or size is None:
        return None
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(content)
        if (width, height) != tuple(size) or space in ("CMYK", "YCCK"):
            return None
        if width * height > MOST_PIXELS:  # which Pillow refuses
            return None
        high, wide = -(-height // factor), -(-width // factor)
        colours, depth = ("GRAY", 1) if channels == 1 else ("RGBX", 4)
        asked = {"min_height": high, "min_width": wide, "min_factor": factor}
        target = buffers.take(high, wide, depth)
        return simplejpeg.decode_jpeg(content, colours, buffer=target, **asked)
    except ValueError:
        return None


def _picture(content: bytes, channels: int, size: Size) -> Pixels:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about odd metadata
        with Image.open(io.BytesIO(content)) as stored:
            stored.load()
            return of_image(stored, channels, size)


def of_image(stored: Image.Image, channels: int, size: Size = None) -> Pixels:
    """A picture that Pillow has read."""
    image = _opaque(_eight_bits(_as_annotated(stored, size)))
    pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    return spared(pixels.reshape(*pixels.shape[:2], channels), Buffers())


def _as_annotated(image: Image.Image, size: Size) -> Image.Image:
    """Turns the picture as its EXIF says, but where it has the annotated size as it is stored."""
    if size is not None and image.size == tuple(size):
        return image
    upright = ImageOps.exif_transpose(image)
    if size is not None and upright.size != tuple(size):
        raise _wrong_size(image.size, size)
    return upright


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError("it has 32 bits a pixel: make it a .npy array of floats in [0, 1]")
    return image


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode not in TRANSPARENT and "transparency" not in image.info:
        return image
    black = Image.new("RGBA", image.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, image.convert("RGBA")).convert("RGB")


def _array(path: str, channels: int, size: Size) -> Pixels:
    array = _packed(path) if shards.find(path) else _mapped(path)
    return of_array(array, channels, size, path)


def _mapped(path: str) -> np.ndarray:
    bounded_file.refuse_endless(path, bounded_file.PICTURE)
    return np.lib.format.open_memmap(path, mode="r")  # neither pickles nor archives


def _packed(path: str) -> np.ndarray:
    """An array in a shard; neither pickles nor archives, either."""
    content = io.BytesIO(shards.content(path, bounded_file.PICTURE))
    return np.lib.format.read_array(content, allow_pickle=False)


def of_array(array: np.ndarray, channels: int, size: Size = None, name: str = "it") -> Pixels:
    """Pixels of either layout; `name` is what a refusal calls them."""
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3:
        raise ValueError(f"it has {array.ndim} axes, not (height, width[, channel])")
    layouts = [array, np.moveaxis(array, 0, -1)]
    sized = [a for a in layouts if size is None or a.shape[1::-1] == tuple(size)]
    if size is not None and not sized:
        raise _wrong_size(array.shape[1::-1], size)
    if fitting := [a for a in sized if a.shape[2] == channels]:
        return spared(_levels(fitting[0]), Buffers())
    raise IncompatibleError(
        f"{name} has {sized[0].shape[2]} channel(s), and backbone.in_chans={channels}."
    )


def _levels(array: np.ndarray) -> UInt8[np.ndarray, "height width channel"]:
    if array.dtype == np.uint8:
        return np.asarray(array)
    if array.dtype == np.uint16:
        return (array >> 8).astype(np.uint8)
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"it holds {array.dtype}: give uint8, uint16 or floats in [0, 1]")
    if not (array.min() >= 0 and array.max() <= 1):  # nor NaN
        raise ValueError("it holds floats outside [0, 1]: scale them")
    return np.rint(array * 255).astype(np.uint8)


def spared(pixels: Pixels, buffers: Buffers) -> UInt8[np.ndarray, "height width stored"]:
    """A contiguous array; three channels get a fourth."""
    if pixels.shape[2] != 3:
        return np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA, dst=buffers.take(height, width, 4))


def _wrong_size(actual: Sequence[int], size: Sequence[int]) -> ValueError:
    return ValueError(f"it is {actual[0]}x{actual[1]}, and annotated as {size[0]}x{size[1]}")
