"""Whom to look at, as a detector in an ONNX file sees them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32

from heatmap_research.data.images import Pixels, UnreadableError
from heatmap_research.inference.pictures import Picture
from heatmap_research.types import IncompatibleError

ANSWERS = ("rows", "columns")
USUAL_SIDE = 640  # pixels, where the graph takes any
GREY = 114  # of the borders beside a picture that is not square

Found = Float32[np.ndarray, "box 6"]  # x1, y1, x2, y2 in the detector's pixels, score, class


@dataclass(frozen=True)
class Detector:
    """Boxes of the people in a picture.

    The graph takes one picture in red, green and blue, centred in its own size on grey: bytes as
    they are, floats from 0 to 1.
    """

    session: Any  # onnxruntime.InferenceSession
    answers: str  # rows: a box each, as Found | columns: centre, size, and a score for each class
    person: int  # the number of the class whose boxes count
    least: float  # score of a box that counts
    overlap: float  # of two boxes whose IoU is above it the better one counts

    def __call__(self, picture: Picture) -> Picture:
        try:
            pixels, _ = picture.read(1)
        except UnreadableError:
            return picture  # whoever cuts it says so
        boxes, scores = self.boxes(pixels)
        return picture.with_boxes(boxes, scores)

    def boxes(self, pixels: Pixels) -> tuple[np.ndarray, np.ndarray]:
        """Corner and size of each person in the picture's pixels, and its score; the best first."""
        given, scale, border = self._given(pixels)
        (answer, *_) = self.session.run(None, {self.session.get_inputs()[0].name: given})
        found = self._rows(np.asarray(answer, dtype=np.float32))
        found = found[(found[:, 5] == self.person) & (found[:, 4] >= self.least)]
        height, width = pixels.shape[:2]
        corners = (found[:, :4].astype(np.float64).reshape(-1, 2, 2) - border) / scale
        corners = corners.clip(0, (width, height))
        sized = (corners[:, 1] > corners[:, 0]).all(-1)
        corners, scores = corners[sized], found[sized, 4].astype(np.float64)
        boxes = np.concatenate([corners[:, 0], corners[:, 1] - corners[:, 0]], axis=1)
        best = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), 0.0, self.overlap)
        kept = np.asarray(best, dtype=np.int64)
        return boxes[kept], scores[kept]

    def _given(self, pixels: Pixels) -> tuple[np.ndarray, float, np.ndarray]:
        """The graph's input; its pixels in one of the picture; the border left and above."""
        node = self.session.get_inputs()[0]
        high, wide = self._size(node.shape)
        height, width = pixels.shape[:2]
        scale = min(high / height, wide / width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        border = np.array([(wide - size[0]) // 2, (high - size[1]) // 2])
        canvas = np.full((high, wide, 3), GREY, dtype=np.uint8)
        colours = np.broadcast_to(pixels[..., :3], (height, width, 3))
        resized = cv2.resize(np.ascontiguousarray(colours), size, interpolation=cv2.INTER_AREA)
        canvas[border[1] : border[1] + size[1], border[0] : border[0] + size[0]] = resized
        batch = canvas.transpose(2, 0, 1)[None]
        if "uint8" in node.type:
            return np.ascontiguousarray(batch), scale, border
        kind = np.float16 if "16" in node.type else np.float32
        return (batch / 255).astype(kind), scale, border

    def _size(self, shape: list[Any]) -> tuple[int, int]:
        if len(shape) != 4 or shape[1] != 3:
            raise IncompatibleError(
                f"boxes: the detector's input is {shape}; it has to take one picture, "
                "[1, 3, height, width]."
            )
        high, wide = (side if isinstance(side, int) else USUAL_SIDE for side in shape[2:])
        return high, wide

    def _rows(self, answer: np.ndarray) -> Found:
        """One box a row, whatever way the graph answers."""
        table = answer[0] if answer.ndim == 3 else answer
        are_rows = table.ndim == 2 and table.shape[1] == 6
        if self.answers == "rows" and are_rows:
            return table
        if self.answers == "columns" and table.ndim == 2 and len(table) > 4 and not are_rows:
            (centre, size), scores = np.split(table[:4].T.reshape(-1, 2, 2), 2, 1), table[4:].T
            corners = np.concatenate([centre - size / 2, centre + size / 2], axis=1).reshape(-1, 4)
            best = scores.argmax(1)[:, None]
            columns = [corners, np.take_along_axis(scores, best, 1), best.astype(np.float32)]
            return np.concatenate(columns, axis=1)
        raise IncompatibleError(
            f"boxes: the detector's first output is {list(answer.shape)}, which is no "
            f"detector.answers={self.answers} (rows: boxes x 6; columns: 4 + classes x boxes): "
            f"choose {' or '.join(a for a in ANSWERS if a != self.answers)}."
        )


def opened(file: Path, answers: str, person: int, least: float, overlap: float) -> Detector:
    if answers not in ANSWERS:
        raise IncompatibleError(f"detector.answers={answers}: choose {' or '.join(ANSWERS)}.")
    try:
        import onnxruntime
    except ImportError as error:
        raise IncompatibleError(
            "boxes: a detector is run by onnxruntime: pip install 'heatmap-research[export]'."
        ) from error
    if not file.is_file():
        raise IncompatibleError(f"boxes={file}: no such file.")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors alone
    try:
        session = onnxruntime.InferenceSession(file, options, onnxruntime.get_available_providers())
    except Exception as error:  # its classes have no common one
        raise IncompatibleError(
            f"boxes={file}: onnxruntime cannot open it as a graph ({str(error)[:100]})."
        ) from error
    return Detector(session, answers, person, least, overlap)
