from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from heatmap_research.codec.grid import Grid
from heatmap_research.network.protocols import Head, MakeHead
from heatmap_research.types import IncompatibleError, Level


def trunk_1d(head: str, make: MakeHead, levels: Sequence[Level], grid: Grid, joints: int) -> Head:
    """Constructs the 1-D head inside a 2-D head, with bins of the same size."""
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
