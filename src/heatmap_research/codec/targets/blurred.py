from dataclasses import dataclass
from typing import Literal

import torch

from heatmap_research.codec import blurring, gaussians, heatmaps
from heatmap_research.types import Heatmap, Position, Strides, Tensor


@dataclass(frozen=True)
class Blurred:
    """Blurs an impulse in the nearest bin and restores its height (CPN, MSPN).

    A reflecting border throws back what the blur spreads beyond it, so a bin between the point
    and the border can become higher than the point's own.
    """

    size: int  # bins of the kernel, along each axis
    sigma: float | None  # input pixels; null: what OpenCV takes for the size
    border: Literal["zero", "reflect"]

    def __post_init__(self) -> None:
        if self.size < 1 or self.size % 2 == 0:
            raise ValueError(f"target.size={self.size}: a kernel has an odd number of bins.")
        if self.sigma is not None and self.sigma <= 0:
            raise ValueError(f"sigma={self.sigma:g}: a label's width in input pixels is above 0.")
        if self.border not in ("zero", "reflect"):
            raise ValueError(f"target.border={self.border}: choose zero or reflect.")

    def __call__(self, position: Position, shape: tuple[int, ...], stride: Strides) -> Heatmap:
        bins = heatmaps.rounded(position, "nearest").unbind(-1)
        axes = zip(bins, shape, stride, strict=True)
        return gaussians.outer([self._profile(place, size, s) for place, size, s in axes])

    def _profile(self, place: Tensor, size: int, stride: float | Tensor) -> Tensor:
        reach, joints = self.size // 2, place.shape[1]
        sigma = None if self.sigma is None else self.sigma / stride
        taps = blurring.kernel(self.size, sigma, place).expand(joints, -1)  # (K, taps)
        read = torch.arange(-reach, size + reach, device=place.device)
        if self.border == "reflect":
            period = max(1, 2 * (size - 1))
            read = (read % period).minimum(-read % period)
        impulse = (read == place[..., None]).to(place.dtype)  # (B, K, size + 2 reach)
        profile = torch.nn.functional.conv1d(impulse, taps[:, None], groups=joints)
        own = profile.gather(-1, place.long().clamp(0, size - 1)[..., None])
        held = (place >= 0) & (place < size)
        return profile / torch.where(held[..., None], own, taps[:, reach, None])
