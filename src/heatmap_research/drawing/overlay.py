"""Draws people into a picture: bones, joints, and the ellipse that holds a joint in 95 of 100."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

LEFT, RIGHT, MIDDLE = (255, 127, 14), (31, 155, 255), (60, 200, 60)  # red, green, blue
QUANTILE = 5.991  # of chi squared with two degrees of freedom, at 95 %
SHIFT = 4  # OpenCV takes whole numbers: sixteenths of a pixel
MIN_SCORE = 0.05  # below which a joint is not drawn

Image = UInt8[np.ndarray, "height width 3"]


def colours(names: Sequence[str], flip: Sequence[int]) -> list[tuple[int, int, int]]:
    """Left and right as the names say, or the first and the second of a pair.

    Without any pair, as of landmarks of a face, all hues in the joints' order.
    """
    if len(names) > 1 and list(flip) == list(range(len(names))):
        return _hues(len(names))
    sides = []
    for joint, (name, other) in enumerate(zip(names, flip, strict=True)):
        second = "right" in name.lower() or ("left" not in name.lower() and joint > other)
        sides.append(MIDDLE if joint == other else RIGHT if second else LEFT)
    return sides


def _hues(count: int) -> list[tuple[int, int, int]]:
    strong = np.array([[[round(180 * n / count), 200, 235] for n in range(count)]], np.uint8)
    return [tuple(rgb) for rgb in cv2.cvtColor(strong, cv2.COLOR_HSV2RGB)[0].tolist()]


def draw(
    image: Image,
    keypoints: Float64[np.ndarray, "joint 2"],
    scores: Float64[np.ndarray, " joint"],
    covariance: Float64[np.ndarray, "joint 2 2"] | None,
    skeleton: Sequence[tuple[int, int]],
    colour: Sequence[tuple[int, int, int]],
) -> None:
    """Draws one person into an image, whose pixels it changes."""
    thick = max(1, round(np.ptp(keypoints, axis=0).max() / 120))
    seen = scores >= MIN_SCORE
    for a, b in skeleton:
        if seen[a] and seen[b]:
            ends = _whole(keypoints[a]), _whole(keypoints[b])
            cv2.line(image, *ends, colour[b], thick, cv2.LINE_AA, SHIFT)
    for joint in np.flatnonzero(seen).tolist():
        middle = _whole(keypoints[joint])
        if covariance is not None:
            _ellipse(image, middle, covariance[joint], colour[joint])
        cv2.circle(image, middle, (thick + 1) << SHIFT, (255, 255, 255), -1, cv2.LINE_AA, SHIFT)
        cv2.circle(image, middle, thick << SHIFT, colour[joint], -1, cv2.LINE_AA, SHIFT)


def ellipse(covariance: Float64[np.ndarray, "2 2"]) -> tuple[float, float, float]:
    """Half axes in pixels, the longer first, and its angle from x towards y in degrees."""
    values, vectors = np.linalg.eigh(covariance)
    long, short = np.sqrt(QUANTILE * values.clip(min=0))[::-1].tolist()
    x, y = vectors[:, 1]
    return long, short, float(np.degrees(np.arctan2(y, x)))


def _ellipse(
    image: Image, middle: tuple[int, int], covariance: np.ndarray, colour: tuple[int, int, int]
) -> None:
    long, short, angle = ellipse(covariance)
    axes = round(long * 2**SHIFT), round(short * 2**SHIFT)
    cv2.ellipse(image, middle, axes, angle, 0, 360, colour, 1, cv2.LINE_AA, SHIFT)


def _whole(point: np.ndarray) -> tuple[int, int]:
    x, y = np.rint(point * 2**SHIFT).astype(int).tolist()
    return x, y
