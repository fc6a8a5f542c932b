"""Draws what joints were read from into the picture itself: maps where they lie, vectors at edges.

The picture keeps its size, so that a video may show them too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from heatmap_research.drawing.overlay import SHIFT, Image

OPAQUE = 0.75  # of a map at its peak
ROOM = 0.2  # of the crop's shorter side, that the highest peak of a vector takes
DIMMED = 0.4  # of the light that is left where vectors are drawn


@dataclass(frozen=True, eq=False)
class Maps:
    """The maps of one person: (joint, height, width), or (joint, height) and (joint, width)."""

    activated: Sequence[Float32[np.ndarray, "joint ..."]]
    lines: Sequence[tuple[float, float]]  # of y and x: the pixel bin 0 sits on, pixels per bin
    crop: tuple[int, int]  # height, width
    to_picture: Float64[np.ndarray, "2 3"]  # affine from crop pixels


def draw(
    image: Image,
    maps: Maps,
    seen: NDArray[np.bool_],
    colours: Sequence[tuple[int, int, int]],
) -> None:
    """Draws the maps of the joints that are seen into an image, whose pixels it changes."""
    joints = np.flatnonzero(seen)
    if not len(joints):
        return
    if len(maps.activated) == 1:
        _heat(image, maps, joints)
    else:
        _traces(image, maps, joints, colours)


def relative(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scales each joint's map to a peak of 1; what is negative or NaN becomes 0."""
    positive = np.nan_to_num(np.clip(heat, 0, None))
    peak = positive.reshape(len(heat), -1).max(axis=1).clip(1e-9)
    return positive / peak.reshape(-1, *[1] * (heat.ndim - 1))


def _heat(image: Image, maps: Maps, joints: NDArray[np.intp]) -> None:
    """All maps as one, bin by bin; where they overlap the higher shows, and nothing where none."""
    heat = relative(maps.activated[0][joints]).max(0)
    (top, down), (left, across) = maps.lines
    of_bins = np.array([[across, 0, left], [0, down, top], [0, 0, 1]])
    affine = maps.to_picture @ of_bins
    height, width = image.shape[:2]
    placed = cv2.warpAffine(
        heat.astype(np.float32), affine, (width, height), flags=cv2.INTER_NEAREST
    )
    shades = cv2.applyColorMap(np.rint(255 * placed).astype(np.uint8), cv2.COLORMAP_INFERNO)
    share = OPAQUE * np.sqrt(placed)[..., None]  # or the foot of a peak would not be seen
    image[:] = np.rint((1 - share) * image + share * shades[..., ::-1]).astype(np.uint8)


def _traces(
    image: Image,
    maps: Maps,
    joints: NDArray[np.intp],
    colours: Sequence[tuple[int, int, int]],
) -> None:
    """Vectors over columns stand on the lower edge of the crop, those over rows on the right one.

    Of a crop that reaches beyond the picture, the picture's edges are taken.
    """
    rows, columns = (relative(each[joints]) for each in maps.activated)
    (top, down), (left, across) = maps.lines
    ys = top + down * np.arange(rows.shape[1])
    xs = left + across * np.arange(columns.shape[1])
    right, bottom = _far_corner(maps, image.shape[1], image.shape[0])
    room = ROOM * min(maps.crop)
    strips = [(xs[0], bottom - room, xs[-1], bottom), (right - room, ys[0], right, ys[-1])]
    for x0, y0, x1, y1 in strips:
        corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
        _dim(image, _placed(maps, corners))
    thick = max(1, round(min(image.shape[:2]) / 500))
    for joint, row, column in zip(joints.tolist(), rows, columns, strict=True):
        for x, y in ((xs, bottom - room * column), (right - room * row, ys)):
            points = np.rint(_placed(maps, np.stack([x, y], 1)) * 2**SHIFT).astype(np.int32)
            cv2.polylines(image, [points], False, colours[joint], thick, cv2.LINE_AA, SHIFT)


def _far_corner(maps: Maps, width: int, height: int) -> tuple[float, float]:
    """The x and y, in crop pixels, where the crop ends, or the picture if it ends before."""
    to_crop = cv2.invertAffineTransform(maps.to_picture)
    x, y = to_crop @ np.array([width - 1.0, height - 1.0, 1.0])
    return min(float(x), maps.crop[1] - 1.0), min(float(y), maps.crop[0] - 1.0)


def _placed(maps: Maps, points: Float64[np.ndarray, "point 2"]) -> Float64[np.ndarray, "point 2"]:
    return points @ maps.to_picture[:, :2].T + maps.to_picture[:, 2]


def _dim(image: Image, corners: Float64[np.ndarray, "4 2"]) -> None:
    within = np.zeros(image.shape[:2], np.uint8)
    cv2.fillConvexPoly(within, np.rint(corners * 2**SHIFT).astype(np.int32), 1, 8, SHIFT)
    image[within > 0] = np.rint(DIMMED * image[within > 0]).astype(np.uint8)
