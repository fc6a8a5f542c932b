"""Every option under test, by the name of its config: a new option is one line here."""

import torch

from heatmap_research import heatmaps
from heatmap_research.codec import Loss
from heatmap_research.decoders.argmax import Argmax
from heatmap_research.decoders.dark import Dark
from heatmap_research.decoders.local_soft_argmax import LocalSoftArgmax
from heatmap_research.decoders.quarter_offset import QuarterOffset
from heatmap_research.decoders.smoothed import Smoothed
from heatmap_research.decoders.soft_argmax import SoftArgmax
from heatmap_research.losses.cross_entropy import CrossEntropy
from heatmap_research.losses.mse import Mse
from heatmap_research.targets.gaussian import Gaussian
from heatmap_research.targets.one_hot import OneHot
from heatmap_research.types import Heatmap, Keypoints

NDIMS = (1, 2)
STRIDES = (4, 2, 1, 1 / 2, 2 / 3)  # every one divides an image whose sides are multiples of 4

TARGETS = {
    "gaussian": Gaussian(sigma=2.0),
    "one_hot": OneHot(),
}

LOSSES = {
    "mse": Mse(),
    "cross_entropy": CrossEntropy(),
}

DECODERS = {
    "argmax": Argmax(),
    "argmax_blur": Smoothed(Argmax(), sigma=2.0, least=0.5),
    "quarter_offset": QuarterOffset(step=0.25, dead_zone=1e-6),
    "dark": Dark(floor=1e-30),
    "dark_blur": Smoothed(Dark(floor=1e-30), sigma=2.0, least=0.5),
    "soft_argmax": SoftArgmax(),
    "local_soft_argmax": LocalSoftArgmax(sigma=2.0, reach=5.0),
}


def perfect_scores(loss: Loss, heatmap: Heatmap) -> Heatmap:
    """What a head would have to answer for its activated map to be this label."""
    tiny = torch.finfo(heatmap.dtype).tiny
    if loss.activation == "identity":
        return heatmap
    if loss.activation == "sigmoid":
        return heatmap.logit(eps=torch.finfo(heatmap.dtype).eps)
    return heatmaps.normalise(heatmap).clamp(min=tiny).log()


def uniform_keypoints(
    count: int, image_size: tuple[int, int], margin: float = 0.0, seed: int = 0
) -> Keypoints:
    """Sub-pixel points anywhere in the crop, or this many pixels from its border: (count, 1, 2)."""
    height, width = image_size
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(count, 1, 2, generator=generator)
    size = torch.tensor([float(width), float(height)])
    return share * (size - 2 * margin) + margin - 0.5
