"""A trained run in Python: `model = load("outputs/mine")`, `people = model("photograph.jpg")`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from reprlib import repr as brief
from typing import Any, overload

import numpy as np
from jaxtyping import UInt8
from numpy.typing import ArrayLike
from PIL.Image import Image
from torch import Tensor

from heatmap_research.config import of_run
from heatmap_research.inference import calibrated, loading, pictures, shown
from heatmap_research.inference.pictures import Picture
from heatmap_research.inference.predictor import Person, Predictor
from heatmap_research.types import IncompatibleError, Schema

OneImage = str | Path | Image | np.ndarray | Tensor
People = list[Person]


def load(
    run: str | Path,
    decoder: str | None = None,
    flip_test: bool | None = None,
    device: str | None = None,
    half: bool = False,
    batch_size: int = 32,
    nms: float | None = 0.9,
    checkpoint: str = "last",
    covariance: str | None = None,
    maps: bool = False,
) -> "Model":
    """Opens the folder of a run, wherever it lies and without its data.

    Without a decoder the one is taken that was best on val, without `flip_test` the run's own, and
    without a device a GPU if there is one. `half` runs the network in 16 bits. Of two people in a
    picture who are more alike than `nms`, an OKS, the better one stays; None keeps both.
    Covariances are "raw", as maps have them, or "calibrated" by the factor that an evaluation
    has fitted on val; None: calibrated where there is one. With `maps` each person keeps the maps
    that their joints were read from, and `draw` draws them.
    """
    folder = Path(run).expanduser()
    job = of_run.read_by_one(folder, decoder, flip_test)
    if maps and not job.codec.grid.ndim:
        raise IncompatibleError(
            f"maps=True: run={folder} answers with coordinates; it has no maps."
        )
    weights = of_run.weights_of(folder, checkpoint)
    widening = calibrated.factor(job, folder, weights, covariance)
    given = (device, half, batch_size, nms, widening)
    return Model(replace(loading.predictor(job, weights, *given), keeps_maps=maps))


@dataclass(frozen=True, eq=False)
class Model:
    """Finds the joints of people in images."""

    predictor: Predictor

    @property
    def schema(self) -> Schema:
        """The joints: names, mirror pairs, skeleton, OKS tolerances."""
        return self.predictor.task.schema

    @property
    def names(self) -> tuple[str, ...]:
        return self.schema.names

    @property
    def decoder(self) -> str:
        """The name of the decoder that reads the maps."""
        return next(iter(self.predictor.task.codec.decoders))

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the crops that the network sees."""
        return self.predictor.cutter.image_size

    @overload
    def __call__(self, image: OneImage, boxes: ArrayLike | None = None) -> People: ...

    @overload
    def __call__(
        self,
        image: list[OneImage] | tuple[OneImage, ...],
        boxes: Sequence[ArrayLike | None] | None = None,
    ) -> list[People]: ...

    def __call__(self, image: Any, boxes: Any = None) -> People | list[People]:
        """Returns the people of one image, or of each of a list of images.

        An image is the path of a file, a Pillow image, or an array or tensor of pixels (height,
        width, channel, or channel first): bytes, numbers of 16 bits from 0 to
        65535, or floats from 0 to 1.
        Boxes are the x, y, width and height of each person; without any, the image is one person.
        """
        if not isinstance(image, (list, tuple)):
            return self._people([self._picture(image, boxes, 0)])[0]
        of_each = [None] * len(image) if boxes is None else list(boxes)
        if len(of_each) != len(image):
            raise IncompatibleError(
                f"boxes are given for {len(of_each)} images, and there are {len(image)}: give a "
                "list of boxes, or None, for each."
            )
        pairs = zip(image, of_each, strict=True)
        return self._people([self._picture(*pair, n) for n, pair in enumerate(pairs)])

    def draw(self, image: OneImage, people: People) -> UInt8[np.ndarray, "height width 3"]:
        """The image with people drawn into it, the 95 % ellipses of their joints, and kept maps."""
        return shown.drawn(self._picture(image, None, 0), people, self.schema)

    def _people(self, given: Sequence[Picture]) -> list[People]:
        found = []
        for seen in self.predictor(given):
            if seen.problem:
                raise seen.problem
            found.append(seen.people)
        return found

    def _picture(self, image: Any, boxes: ArrayLike | None, number: int) -> Picture:
        channels = self.predictor.cutter.channels
        if isinstance(image, (str, Path)):
            picture = pictures.of_file(image, channels, number)
        else:
            picture = pictures.of_memory(image, channels, f"image {number}", number)
        return picture if boxes is None else picture.with_boxes(_boxes(boxes))


def _boxes(given: ArrayLike) -> np.ndarray:
    try:
        boxes = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise IncompatibleError(
            f"boxes are {brief(given)}: give four numbers, x, y, width and height, for each person."
        ) from error
    boxes = boxes.reshape(-1, 4) if boxes.ndim == 1 and boxes.size in (0, 4) else boxes
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise IncompatibleError(
            f"boxes have the shape {boxes.shape}: give x, y, width and height for each person."
        )
    if not (np.isfinite(boxes).all() and (boxes[:, 2:] > 0).all()):
        raise IncompatibleError("boxes need finite numbers, and a width and a height above 0.")
    return boxes
