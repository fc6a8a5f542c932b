"""Pictures with what was seen in them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from heatmap_research.drawing import maps, overlay
from heatmap_research.inference import video
from heatmap_research.inference.pictures import Picture
from heatmap_research.inference.predictor import Person, Seen
from heatmap_research.inference.sources import Files
from heatmap_research.inference.video import Video
from heatmap_research.runs.whole_file import written
from heatmap_research.types import Schema


@contextmanager
def drawing(
    source: Files | Video, schema: Schema, out: Path, joints: Sequence[str] | None = None
) -> Iterator[Callable[[Seen], None]]:
    """What draws one picture after another: into files of their own, or into one video.

    `joints` are the names of those to draw; None for all.
    """
    if isinstance(source, Files):
        yield partial(_write, schema=schema, joints=joints, folder=out / "overlays")
        return
    with video.writer(out / source.name, source.rate) as write:
        yield lambda seen: write(drawn(seen.picture, seen.people, schema, joints))


def _write(seen: Seen, schema: Schema, joints: Sequence[str] | None, folder: Path) -> None:
    """Writes a JPEG of the picture's own size; names of other formats get .jpg behind them."""
    name = seen.picture.name
    file = folder / (name if name.lower().endswith((".jpg", ".jpeg")) else f"{name}.jpg")
    image = drawn(seen.picture, seen.people, schema, joints)
    with written(file) as partial:  # OpenCV's own writer does not say that a disk is full
        _, content = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        partial.write_bytes(content.tobytes())


def drawn(
    picture: Picture,
    people: Sequence[Person],
    schema: Schema,
    joints: Sequence[str] | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """The picture in red, green and blue, with these people in it."""
    pixels, _ = picture.read(1)
    colours = overlay.colours(schema.names, schema.flip)
    colour = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1]
    image = np.array(np.broadcast_to(colour, (*pixels.shape[:2], 3)), order="C")
    chosen = np.array([joints is None or name in joints for name in schema.names])
    scores = [np.where(chosen, person.scores, -np.inf) for person in people]
    for person, score in zip(people, scores, strict=True):
        if person.maps:
            maps.draw(image, person.maps, score >= overlay.MIN_SCORE, colours)
    for person, score in zip(people, scores, strict=True):
        known = person.keypoints, score, person.covariance
        overlay.draw(image, *known, schema.skeleton, colours)
    return image
