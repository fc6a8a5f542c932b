"""Frames of a video or a camera, and videos that browsers play."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from heatmap_research.data import film, images
from heatmap_research.data.buffers import Buffers
from heatmap_research.inference.pictures import Picture, of_pixels
from heatmap_research.runs.whole_file import written
from heatmap_research.types import IncompatibleError

USUAL_RATE = 25.0  # frames a second, where nothing says it
Frame = UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class Video:
    """The first frames of a file, or of the camera of a number; a frame is a picture NAME:FRAME."""

    source: str
    channels: int
    frames: int | None  # None: all

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise IncompatibleError(f"backbone.in_chans={self.channels}: a video has 1 or 3.")
        if self.source.isdecimal() and self.frames is None:
            raise IncompatibleError(f"source={self.source}: a camera has no end; add frames=N.")
        if not self.source.isdecimal() and not Path(self.source).is_file():
            raise IncompatibleError(f"source={self.source}: there is no such file.")
        self._opened().release()

    def __len__(self) -> int:
        """As the file says, which may be wrong."""
        known = max(int(self._fact(cv2.CAP_PROP_FRAME_COUNT)), 0)
        return min(known, self.frames) if known and self.frames else self.frames or known

    def __iter__(self) -> Iterator[Picture]:
        capture, name, number = self._opened(), Path(self.source).name, 0
        while self.frames is None or number < self.frames:
            read, frame = capture.read()
            if not read:
                break
            yield of_pixels(self._pixels(frame), f"{name}:{number}", number)
            number += 1
        capture.release()

    @property
    def rate(self) -> float:
        """Frames a second."""
        rate = self._fact(cv2.CAP_PROP_FPS)
        return rate if 1 <= rate <= 1000 else USUAL_RATE

    @property
    def name(self) -> str:
        """What a video of what was seen is called."""
        return f"{'camera_' * self.source.isdecimal()}{Path(self.source).stem}.mp4"

    def _fact(self, which: int) -> float:
        capture = self._opened()
        try:
            return float(capture.get(which))
        finally:
            capture.release()

    def _pixels(self, frame: np.ndarray) -> images.Pixels:
        if self.channels == 1:
            return cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)[..., None]
        return images.spared(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), Buffers())

    def _opened(self) -> cv2.VideoCapture:
        given = int(self.source) if self.source.isdecimal() else self.source
        capture = cv2.VideoCapture(given)
        if not capture.isOpened():
            raise IncompatibleError(
                f"source={self.source}: it cannot be opened as a video; choose another file, or a "
                "folder of its frames."
            )
        film.refuse_huge(capture, f"source={self.source}")
        return capture


def refuse_without_writer() -> None:
    if find_spec("av") is None:
        raise IncompatibleError(
            "show=true of a video needs PyAV, which writes H.264: pip install "
            "'heatmap-research[video]', or choose show=false."
        )


@contextmanager
def writer(file: Path, rate: float) -> Iterator[Callable[[Frame], None]]:
    """Writes frames, of the first one's size, as H.264; an odd side loses a pixel."""
    import av

    with written(file) as partial, av.open(str(partial), "w", format="mp4") as container:
        options = {"crf": "20", "preset": "veryfast"}
        stream = container.add_stream("libx264", Fraction(rate).limit_denominator(1001), options)
        stream.pix_fmt = "yuv420p"  # the only layout of colours that all browsers play

        def write(frame: Frame) -> None:
            even = frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2]
            if not stream.codec_context.is_open:
                stream.height, stream.width = even.shape[:2]
            whole = np.ascontiguousarray(even)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(whole, format="rgb24")))

        yield write
        container.mux(stream.encode(None))
