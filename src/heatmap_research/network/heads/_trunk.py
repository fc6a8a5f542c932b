from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from heatmap_research.codec.grid import Grid
from heatmap_research.types import IncompatibleError, Level


def trunk_1d(
    head: str, make: Callable[..., nn.Module], levels: Sequence[Level], grid: Grid, joints: int
) -> nn.Module:
    """The 1-D head that a 2-D one is made of, on the same bins."""
    kind: Any = getattr(make, "func", make)
    if getattr(kind, "ndim", None) != 1:
        raise IncompatibleError(
            f"head={head} is made of a 1-D head, and head.trunk={getattr(kind, '__name__', kind)} "
            "is none: choose one, such as that of conf/head/simcc.yaml."
        )
    try:
        return make(levels=levels, grid=replace(grid, ndim=1), joints=joints)
    except IncompatibleError as error:
        reason = str(error).replace(" head.", " head.trunk.")
        raise IncompatibleError(f"head={head} is made of a 1-D head: {reason}") from error
