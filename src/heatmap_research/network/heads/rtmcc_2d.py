from typing import ClassVar, Literal

from heatmap_research.network.heads.rtmcc import Rtmcc


class Rtmcc2d(Rtmcc):
    """The context of head=rtmcc without its layout: one linear layer to all bins of a 2-D map."""

    ndim: ClassVar[Literal[1, 2]] = 2
