"""Times pieces of work in turn, so that what else a machine does falls on all alike."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import cast

import torch

Clock = Callable[[], float]  # seconds


@dataclass(frozen=True)
class Row:
    """One piece of work, and the row whose time it is divided by."""

    name: str
    work: Callable[[], object]
    floor: str
    bound: float | None = None  # what the ratio should not be above
    count: int = 1  # instances that it works on
    tells_seconds: bool = False  # the work returns how long it was, without what is not to count


@dataclass(frozen=True)
class Figure:
    """How long one row took, round by round."""

    group: str
    name: str
    floor: str
    bound: float | None
    microseconds: list[float]  # an instance
    ratios: list[float]  # to the floor in the same round

    @property
    def ratio(self) -> float:
        return median(self.ratios)

    @property
    def quarters(self) -> tuple[float, float]:
        """The ratios that a quarter of the rounds is below, and above."""
        if len(self.ratios) < 2:
            return self.ratios[0], self.ratios[0]
        low, _, high = quantiles(self.ratios, n=4, method="inclusive")
        return low, high


def clock_of(device: str, threads: int) -> Clock:
    if device.startswith("cuda"):
        return _after_the_device
    return time.process_time if threads == 1 else time.perf_counter


def _after_the_device() -> float:
    torch.cuda.synchronize()
    return time.perf_counter()


def timed(group: str, rows: Sequence[Row], rounds: int, clock: Clock) -> list[Figure]:
    for row in rows:
        row.work()  # memory is fetched and kernels are chosen
    seconds: dict[str, list[float]] = {row.name: [] for row in rows}
    for _ in range(rounds):
        for row in rows:
            began = clock()
            made = row.work()
            told = cast(float, made) if row.tells_seconds else None
            del made  # memory that a row made is given back in its own time, not in the next row's
            spent = clock() - began
            seconds[row.name].append(spent if told is None else told)
    return [_figure(group, row, seconds, rows) for row in rows]


def _figure(group: str, row: Row, seconds: dict[str, list[float]], rows: Sequence[Row]) -> Figure:
    (floor,) = (other for other in rows if other.name == row.floor)
    own = [1e6 * each / row.count for each in seconds[row.name]]
    least = [1e6 * each / floor.count for each in seconds[row.floor]]
    ratios = [one / other for one, other in zip(own, least, strict=True)]
    return Figure(group, row.name, row.floor, row.bound, own, ratios)
