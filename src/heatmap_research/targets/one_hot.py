from dataclasses import dataclass

import torch

from heatmap_research.types import Heatmap, Position


@dataclass(frozen=True)
class OneHot:
    """1 in the bin that holds the position, 0 elsewhere: localisation as classification."""

    def __call__(self, position: Position, shape: tuple[int, ...], stride: float) -> Heatmap:
        label = position.new_ones(())
        for axis, size in enumerate(shape):
            nearest = position[..., axis, None].round().clamp(0, size - 1)
            bins = torch.arange(size, dtype=position.dtype, device=position.device)
            hit = (bins == nearest).to(position.dtype)  # (B, K, size)
            label = label[..., None] * hit.view(*hit.shape[:2], *[1] * axis, size)
        return label
