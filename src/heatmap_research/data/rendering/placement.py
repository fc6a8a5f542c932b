"""Chooses where in an image a figure stands: its scale, and the middle of its joints' box."""

from jaxtyping import Float
from torch import Tensor

Size = Float[Tensor, "2"]  # width, height of the image
Pair = Float[Tensor, "batch 2"]
Draws = Float[Tensor, "batch 3"]
Placed = tuple[Float[Tensor, "batch 1"], Pair]  # pixels per torso; x, y from the outer corner

FILL = (0.72, 0.97)  # from and to, of the largest scale that fits


def uniform(size: Size, box: Pair, draws: Draws, margin: float) -> Placed:
    """Puts the whole figure anywhere inside the margins."""
    room = size * (1 - 2 * margin)
    fill = FILL[0] + (FILL[1] - FILL[0]) * draws[:, :1]
    scale = (room / box).amin(-1, keepdim=True) * fill
    return scale, size / 2 + (room - box * scale) * (draws[:, 1:] - 0.5)


def crop(
    size: Size, box: Pair, draws: Draws, padding: float, scale_jitter: float, shift_jitter: float
) -> Placed:
    """Puts the figure as in a crop around a detected box, which may cut off joints."""
    jitter = 2 * draws - 1
    padded = padding * (1 + scale_jitter * jitter[:, :1])
    scale = (size / box).amin(-1, keepdim=True) / padded
    return scale, size / 2 + size * shift_jitter * jitter[:, 1:]
