"""One frame of a video, whose header is believed only within bounds."""

from pathlib import Path

import cv2
import numpy as np

from heatmap_research.data.images import MOST_PIXELS
from heatmap_research.types import IncompatibleError


def frame(source: Path, film: Path, number: int) -> np.ndarray:
    """Blue, green and red of a frame, from 0, of a video that a file of labels names."""
    capture = cv2.VideoCapture(str(film))
    try:
        refuse_huge(capture, str(film))
        capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        done, picture = capture.read()
    finally:
        capture.release()
    if not done:
        raise IncompatibleError(
            f"{source}: frame {number} of {film} cannot be read: is the video there?"
        )
    return picture


def refuse_huge(capture: cv2.VideoCapture, name: str) -> None:
    sides = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    width, height = (int(capture.get(side)) for side in sides)
    if width * height > MOST_PIXELS:
        raise IncompatibleError(
            f"{name}: frames of {width} x {height}, and no more than {MOST_PIXELS} pixels are read."
        )
