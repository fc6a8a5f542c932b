"""Whether what was written to a file answers as the network does that it was made from."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch

from heatmap_research.types import IncompatibleError, PerJoint, Tensor

BATCHES = (1, 2, 5)  # sizes that are tried, of crops; then as many as BATCH
BATCH = 8
LEAST = 1e-6  # of what a difference is a share of: square pixels, or a map's height
Answerer = Callable[[Tensor], Mapping[str, Tensor]]


@dataclass(frozen=True)
class Difference:
    """The largest difference of one answer, and how large it may be."""

    name: str
    value: float  # in the unit
    limit: float
    unit: str
    crop: int
    joint: int

    @property
    def within(self) -> bool:
        return self.value <= self.limit  # no nan is

    def __str__(self) -> str:
        return f"{self.name} {self.value:.2g}{self.unit} (limit {self.limit:g}{self.unit})"


def apart(wanted: Answerer, given: Answerer, crops: Tensor) -> dict[str, PerJoint]:
    """Has both answer the same crops, in batches of several sizes, and compares joint by joint."""
    with torch.inference_mode():
        pairs = [(wanted(part), given(part)) for part in _batches(crops)]
    return {
        name: torch.cat([_apart(name, a[name], b[name]) for a, b in pairs]) for name in pairs[0][0]
    }


def largest(differences: Mapping[str, PerJoint]) -> list[Difference]:
    return [_largest(name, of_joints) for name, of_joints in differences.items()]


def unit(name: str) -> str:
    return _limit(name)[1]


def refuse(differences: list[Difference], decoder: str, names: tuple[str, ...]) -> None:
    for worst in differences:
        if not worst.within:
            joint = names[worst.joint]
            raise IncompatibleError(
                f"decoder={decoder}: {worst}, at {joint} of crop {worst.crop}, between the file "
                "and the network: no file is left. Where maps are nearly flat a decoder reads "
                "rounding noise: choose a steadier one, such as decoder=local_soft_argmax, or "
                "train for longer."
            )


def _batches(crops: Tensor) -> Iterator[Tensor]:
    sizes = list(BATCHES)
    while len(crops):
        size = sizes.pop(0) if sizes else BATCH
        yield crops[:size]
        crops = crops[size:]


def _apart(name: str, a: Tensor, b: Tensor) -> PerJoint:
    """Pixels between points; scores as they are; for the rest, a share of its own size."""
    away = (a - b).flatten(2) if a.ndim > 2 else (a - b)[..., None]
    if name.startswith("keypoints"):
        return away.norm(dim=-1)
    if name == "scores":
        return away[..., 0].abs()
    size = a.flatten(2).norm(dim=-1).clamp(min=LEAST)
    return 100 * away.norm(dim=-1) / size


def _largest(name: str, apart: PerJoint) -> Difference:
    limit, unit = _limit(name)
    place = int(apart.nan_to_num(nan=torch.inf).argmax())
    crop, joint = divmod(place, apart.shape[1])
    return Difference(name, float(apart.flatten()[place]), limit, unit, crop, joint)


def _limit(name: str) -> tuple[float, str]:
    if name.startswith("keypoints"):
        return 1e-3, " px"
    return (1e-4, "") if name == "scores" else (1.0, " %")
