"""Fits 2-D maps by sums of a few products of vectors; one product is what a 1-D head can say."""

import torch
from jaxtyping import Float

from heatmap_research.codec import heatmaps
from heatmap_research.types import Heatmap, Tensor

TINY = 1e-30  # keeps ratios finite in single precision
MIXER, RANGE = 2_654_435_761, 2**32  # multiples of squares, which follow no order
AXES_APART = 10_007  # so that rows and columns are disturbed differently

Vectors = Float[Tensor, "batch joint start rank bin"]


def fit(label: Heatmap, rank: int, steps: int, starts: int) -> Heatmap:
    """The sum of `rank` products with the lowest cross-entropy with a map that sums to one.

    Expectation maximisation (Hofmann, 1999) climbs from each of several starts and may end at a
    local optimum. All maps start alike, so none depends on the rest of its batch.
    """
    rows, columns = (
        _start(vector, rank, starts, axis) for axis, vector in enumerate(heatmaps.marginals(label))
    )
    shares, label = torch.full_like(rows[..., :1], 1 / rank), label[:, :, None]
    for _ in range(steps):
        ratio = label / _sum(shares, rows, columns)
        above = rows * (columns @ ratio.mT)  # what each component is responsible for
        columns = _summing_to_one(columns * (rows @ ratio))
        shares = shares * above.sum(-1, keepdim=True)
        rows = _summing_to_one(above)
    fits = _sum(shares, rows, columns)
    likelihood = (label * fits.log()).flatten(3).sum(-1)
    best = likelihood.argmax(-1)[..., None, None, None]
    return fits.take_along_dim(best, 2)[:, :, 0]


def _start(vector: Float[Tensor, "batch joint bin"], rank: int, starts: int, axis: int) -> Vectors:
    """Marginals, disturbed in every component, because components that are alike stay alike."""
    count = starts * rank * vector.shape[-1]
    number = AXES_APART * axis + torch.arange(count, device=vector.device)
    chance = (number.square() * MIXER % RANGE).to(vector.dtype) / RANGE
    disturbed = vector[:, :, None, None] * (0.1 + 0.9 * chance).view(starts, rank, -1)
    return _summing_to_one(disturbed)


def _sum(
    shares: Float[Tensor, "batch joint start rank 1"],
    rows: Float[Tensor, "batch joint start rank height"],
    columns: Float[Tensor, "batch joint start rank width"],
) -> Float[Tensor, "batch joint start height width"]:
    return ((shares * rows).mT @ columns).clamp(min=TINY)


def _summing_to_one(vectors: Vectors) -> Vectors:
    return vectors / vectors.sum(-1, keepdim=True).clamp(min=TINY)
