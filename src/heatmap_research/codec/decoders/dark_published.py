from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmap_research.codec import blurring, heatmaps, taylor
from heatmap_research.codec.decoders._published import check_kernel
from heatmap_research.types import Heatmap, Position


@dataclass(frozen=True)
class DarkPublished:
    """DARK as in its authors' code: Dark with their blur, their differences and their border.

    It steps from the highest bin of the map before the blur. Second differences span two bins
    on each side; the step can have any length, and less than two bins from the border there is
    none.
    """

    needs: ClassVar[None] = None
    size: int  # bins of the blur's kernel along each axis
    floor: float  # values are raised to this before the logarithm

    def __post_init__(self) -> None:
        check_kernel("decoder.dark_published.size", self.size)
        if self.floor <= 0:
            raise ValueError(
                f"decoder.dark_published.floor={self.floor:g}: its logarithm needs it above 0."
            )

    def __call__(self, heatmap: Heatmap, stride: float) -> Position:
        centre = heatmaps.argmax(heatmap)
        log = blurring.modulated(heatmap, self.size).clamp(min=self.floor).log()
        near, inside = heatmaps.neighbourhood(log, centre, radius=2)
        axes = centre.shape[-1]
        whole = (slice(None),) * 2
        inner, wide = near[whole + (slice(1, 4),) * axes], near[whole + (slice(0, 5, 2),) * axes]
        own = torch.eye(axes, dtype=torch.bool, device=centre.device)
        second = torch.where(own, taylor.hessian(wide) / 4, taylor.hessian(inner))
        step = taylor.newton(taylor.gradient(inner), second)
        clear = inside.flatten(2).all(-1)[..., None]
        return torch.where(clear, centre + step, centre)
