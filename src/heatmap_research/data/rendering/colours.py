"""The colours of limbs, discs and backgrounds: red, green, blue in [0, 1]."""

import torch
from jaxtyping import Float
from torch import Tensor

from heatmap_research.data.counter_random import Index, Purpose, uniform
from heatmap_research.data.photometric import LUMINANCE
from heatmap_research.data.rendering import body
from heatmap_research.data.rendering.canvas import stretch

COARSE, FINE = 5, 17  # lattice points along a side of a texture's two octaves


def parts(purpose: Purpose, index: Index, palette_cue: bool) -> Float[Tensor, "batch part 3"]:
    palette = torch.tensor(body.PALETTE, device=index.device)
    draws = uniform((*purpose, "parts"), index, palette.numel())
    jitter = (draws.view(-1, *palette.shape) - 0.5) * 0.3
    colours = (palette + jitter).clamp(0, 1)
    return colours if palette_cue else colours[:, list(body.WITHOUT_SIDES)]


def markers(purpose: Purpose, index: Index) -> Float[Tensor, "batch 13 3"]:
    draws = uniform((*purpose, "markers"), index, 3 * len(body.NAMES))
    return 0.85 + 0.15 * draws.view(-1, len(body.NAMES), 3)


def texture(purpose: Purpose, index: Index) -> Float[Tensor, "batch fine fine 3"]:
    """A lattice of colours, to be stretched over the image."""
    base, coarse, fine = (
        uniform((*purpose, side), index, 3 * side**2).view(-1, 3, side, side)
        for side in (1, COARSE, FINE)
    )
    octaves = stretch(coarse - 0.5, FINE, FINE) * 0.5 + (fine - 0.5) * 0.35
    return (base * 0.8 + 0.1 + octaves).clamp(0, 1).movedim(1, -1)


def channels(colour: Float[Tensor, "*batch 3"], count: int) -> Float[Tensor, "*batch {count}"]:
    """One channel is luminance, two or three are red, green, blue; more are fixed mixtures."""
    extra = torch.arange(max(0, count - 3), device=colour.device)
    mixtures = uniform(("channels",), extra, 3)
    mixtures = mixtures / (mixtures[:, :1] + mixtures[:, 1:2] + mixtures[:, 2:])
    plain = torch.eye(3) if count > 1 else torch.tensor([LUMINANCE])
    weights = torch.cat([plain.to(colour.device), mixtures])[:count]
    red, green, blue = weights.unbind(-1)
    return colour[..., :1] * red + colour[..., 1:2] * green + colour[..., 2:] * blue
