"""Changes colours as another camera or lamp would, for a whole batch on its device."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, UInt8

from heatmap_research.types import Tensor

Images = UInt8[Tensor, "batch channel height width"]

LUMINANCE = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Photometric:
    """Each image draws its own factors, uniformly from 1 - strength to 1 + strength.

    Saturation and grey need red, green and blue, and leave images of other channels as they are.
    """

    brightness: float
    contrast: float  # about the image's own mean
    saturation: float  # about each pixel's luminance
    grey: float  # probability of an image without colours

    def __post_init__(self) -> None:
        for field in fields(self):
            if not 0 <= (value := getattr(self, field.name)) <= 1:
                raise ValueError(f"photometric.{field.name}={value}: choose from 0 to 1.")

    @property
    def active(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))

    def __call__(self, image: Images) -> Images:
        """Draws on the CPU, so that every device gets the same numbers."""
        if not self.active:
            return image
        draws = torch.rand(len(image), 4, 1, 1, 1).to(image.device, non_blocking=True)
        return self.apply(image, draws)

    def apply(self, image: Images, draws: Float[Tensor, "batch 4 1 1 1"]) -> Images:
        """Takes four draws in [0, 1) an image: for brightness, contrast, saturation and grey."""
        bright, contrast, colour = (
            1 + strength * (2 * draws[:, i] - 1)
            for i, strength in enumerate((self.brightness, self.contrast, self.saturation))
        )
        light = image.float().mul_(bright)
        if image.shape[1] == 3 and (self.saturation or self.grey):
            weights = light.new_tensor(LUMINANCE)[:, None, None]
            colour = colour * (draws[:, 3] >= self.grey)
            luminance = (light * weights).sum(1, keepdim=True)
            light = torch.lerp(luminance, light, colour)
        mean = light.mean((1, 2, 3), keepdim=True)
        return torch.lerp(mean, light, contrast).round_().clamp_(0, 255).byte()
