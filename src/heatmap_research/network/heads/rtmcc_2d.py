from typing import ClassVar, Literal

from heatmap_research.network.heads.rtmcc import Rtmcc


class Rtmcc2d(Rtmcc):
    """Turns the tokens of head=rtmcc into all bins of a 2-D map, by one linear layer."""

    ndim: ClassVar[Literal[1, 2]] = 2
