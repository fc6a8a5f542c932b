"""A trained network at work: pictures in, people with joints, scores and covariances out."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, tee
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Float64, UInt8
from torch import Tensor

from heatmap_research.codec import covariance, geometry
from heatmap_research.data import threads
from heatmap_research.data.images import UnreadableError
from heatmap_research.drawing.maps import Maps
from heatmap_research.inference.pictures import Cut, Cutter, Picture
from heatmap_research.metrics import oks
from heatmap_research.metrics.coco_ap import magnified, of_person
from heatmap_research.training.task import KeypointTask

MOST_READERS = 8  # threads that decode pictures while the network is at work
Given, Made = TypeVar("Given"), TypeVar("Made")
Piece = tuple[Tensor, Tensor]  # a crop, and its affine to source pixels


@dataclass(frozen=True, eq=False)
class Person:
    """One person in pixels of the picture."""

    keypoints: Float64[np.ndarray, "joint 2"]  # x, y
    scores: Float64[np.ndarray, " joint"]  # 0 to 1
    covariance: Float64[np.ndarray, "joint 2 2"] | None  # of x and y; None: no spread is learnt
    box: Float64[np.ndarray, " 4"]  # x, y, width, height: what was looked at
    score: float  # the box's, times the mean of the joints that count
    maps: Maps | None = None  # what the joints were read from, where it is kept


@dataclass(frozen=True, eq=False)
class Seen:
    """What was found in a picture, or why it could not be read."""

    picture: Picture
    people: list[Person]
    problem: UnreadableError | None


@dataclass(frozen=True, eq=False)
class Predictor:
    task: KeypointTask  # with one decoder
    cutter: Cutter
    device: torch.device
    half: bool  # run the network in 16 bits
    batch_size: int  # crops at a time, of as many pictures as it takes
    nms: float | None  # of two people more alike than this OKS the better stays; None: both
    least: float  # score above which a joint counts in its person's
    widening: float = 1.0  # factor of the widths that covariances stand for
    keeps_maps: bool = False  # of each person, to be drawn

    def __call__(self, pictures: Iterable[Picture]) -> Iterator[Seen]:
        """Yields what is seen in each picture, in order; the next are read meanwhile."""
        readers = min(MOST_READERS, threads.available())
        made: Iterator[Cut] = _ahead(self.cutter, pictures, readers, self.batch_size)
        cuts, again = tee(made)
        crops = (piece for cut in cuts for piece in zip(cut.crops, cut.to_source, strict=True))
        batches = iter(lambda: list(islice(crops, self.batch_size)), [])
        found = (person for batch in batches for person in self._read(batch))
        for cut in again:
            yield Seen(
                cut.picture, self._people(cut, list(islice(found, len(cut.boxes)))), cut.problem
            )

    @torch.inference_mode()
    def activated(self, crops: UInt8[Tensor, "batch channel height width"]) -> tuple[Tensor, ...]:
        """The maps of a batch of crops, as they are read."""
        kind = self.device.type
        lower = torch.float16 if kind == "cuda" else torch.bfloat16
        with torch.autocast(kind, lower, enabled=self.half):
            return self.task.activated(crops.to(self.device))

    def _read(self, batch: list[Piece]) -> Iterator["_Found"]:
        """What is found in each crop, in source pixels."""
        crops, affines = (torch.stack(column) for column in zip(*batch, strict=True))
        activated = self.activated(crops)
        codec = self.task.codec
        (answer,) = codec.decode(activated).values()
        points = geometry.apply(affines, answer.keypoints.cpu().double())
        score = answer.score.float().cpu()
        spread = covariance.of_answer(codec.grid, activated)
        turned: Iterable[Tensor | None] = [None] * len(batch)
        if spread is not None:
            turned = covariance.turned(spread.cpu().double() * self.widening**2, affines)
        maps = self._maps(activated, affines) if self.keeps_maps else [None] * len(batch)
        of_people = of_person(score, self.least).tolist()
        return map(_Found, points, score.double(), of_people, turned, maps)

    def _maps(self, activated: tuple[Tensor, ...], affines: Tensor) -> list[Maps | None]:
        grid = self.task.codec.grid
        of_each = zip(*(heatmap.float().cpu().numpy() for heatmap in activated), strict=True)
        return [
            Maps(maps, grid.lines, grid.image_size, affine.numpy())
            for maps, affine in zip(of_each, affines, strict=True)
        ]

    def _people(self, cut: Cut, found: list["_Found"]) -> list[Person]:
        people = [
            Person(
                keypoints=each.keypoints.numpy(),
                scores=each.scores.numpy(),
                covariance=None if each.covariance is None else each.covariance.numpy(),
                box=box,
                score=each.score * box_score,
                maps=each.maps,
            )
            for each, box, box_score in zip(found, cut.boxes, cut.scores.tolist(), strict=True)
        ]
        if self.nms is None or len(people) < 2:
            return people
        return [people[row] for row in sorted(self._different(people, cut).tolist())]

    def _different(self, people: list[Person], cut: Cut) -> oks.Order:
        """The rows of people who are not like a better one."""
        height, width = self.cutter.image_size
        areas = magnified(cut.to_source).numpy() * (height * width)
        poses = np.stack([person.keypoints for person in people])
        alike = oks.between(poses, areas, np.array(self.task.schema.sigmas))
        return oks.nms(alike, np.array([person.score for person in people]), self.nms or 0.0)


class _Found(NamedTuple):
    """What is found in one crop."""

    keypoints: Tensor
    scores: Tensor
    score: float
    covariance: Tensor | None
    maps: Maps | None


def _ahead(
    make: Callable[[Given], Made], items: Iterable[Given], workers: int, most: int
) -> Iterator[Made]:
    """Makes each item in threads, in order, and at most so many before they are asked for."""
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) >= most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
