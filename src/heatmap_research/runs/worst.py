"""The people that a run misses most, from its predictions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float64

Points = Float64[np.ndarray, "joint 2"]  # nan where a joint is not labelled, or was not asked for


@dataclass(frozen=True, eq=False)
class Missed:
    place: int  # among the people of its stage, in the order in which they were read
    image: int
    instance: int
    true: Points  # crop pixels
    found: Points
    true_source: Points  # source pixels
    found_source: Points

    @property
    def errors(self) -> Float64[np.ndarray, " joint"]:
        """Distances from the truth in crop pixels, in which people of any size compare."""
        return np.hypot(*(self.found - self.true).T)

    @property
    def mean_px(self) -> float:
        return float(np.nanmean(self.errors))

    @property
    def worst(self) -> int:
        return int(np.nanargmax(self.errors))


def worst_first(rows: pa.Table, joints: Sequence[int], number: int) -> list[Missed]:
    """People by their mean error over these joints; `rows` are of one stage and decoder."""
    people = _people(rows, joints)
    known = [person for person in people if np.isfinite(person.errors).any()]
    return sorted(known, key=lambda person: -person.mean_px)[:number]


def _people(rows: pa.Table, joints: Sequence[int]) -> list[Missed]:
    instance, joint = rows["instance"].to_numpy(), rows["joint"].to_numpy()
    _, first, which = np.unique(instance, return_index=True, return_inverse=True)
    place = np.argsort(np.argsort(first))[which]
    order = np.lexsort((joint, place))
    count = int(joint.max()) + 1
    ignored = ~np.isin(np.arange(count), list(joints))
    unlabelled = (rows["visible"].to_numpy()[order] == 0).reshape(-1, count) | ignored

    def points(x: str, y: str) -> Float64[np.ndarray, "person joint 2"]:
        pair = np.stack([rows[name].to_numpy()[order] for name in (x, y)], -1)
        return np.where(unlabelled[..., None], np.nan, pair.reshape(-1, count, 2).astype(float))

    columns = (
        rows["image"].to_numpy()[order][::count].tolist(),
        instance[order][::count].tolist(),
        points("x_true", "y_true"),
        points("x", "y"),
        points("x_true_source", "y_true_source"),
        points("x_source", "y_source"),
    )
    return [Missed(place, *each) for place, each in enumerate(zip(*columns, strict=True))]
