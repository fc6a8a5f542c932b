"""Every option under test, by the name of its config: a new option is one line here."""

import torch

from heatmap_research.codec import heatmaps
from heatmap_research.codec.decoders.argmax import Argmax
from heatmap_research.codec.decoders.coordinates import Coordinates
from heatmap_research.codec.decoders.dark import Dark
from heatmap_research.codec.decoders.dark_published import DarkPublished
from heatmap_research.codec.decoders.dark_simcc import DarkSimcc
from heatmap_research.codec.decoders.dark_udp import DarkUdp
from heatmap_research.codec.decoders.debiased_soft_argmax import DebiasedSoftArgmax
from heatmap_research.codec.decoders.expected_oks import ExpectedOks
from heatmap_research.codec.decoders.local_soft_argmax import LocalSoftArgmax
from heatmap_research.codec.decoders.quarter_offset import QuarterOffset
from heatmap_research.codec.decoders.rank import Rank
from heatmap_research.codec.decoders.smoothed import Smoothed
from heatmap_research.codec.decoders.soft_argmax import SoftArgmax
from heatmap_research.codec.learnt_joints import Labels
from heatmap_research.codec.losses.adaptive_wing import AdaptiveWing
from heatmap_research.codec.losses.cross_entropy import CrossEntropy
from heatmap_research.codec.losses.dsnt import Dsnt
from heatmap_research.codec.losses.emd import Emd
from heatmap_research.codec.losses.expectation import Expectation
from heatmap_research.codec.losses.js import Js
from heatmap_research.codec.losses.kl import Kl
from heatmap_research.codec.losses.l1 import L1
from heatmap_research.codec.losses.l2 import L2
from heatmap_research.codec.losses.mse import Mse
from heatmap_research.codec.losses.ohkm import Ohkm
from heatmap_research.codec.losses.rle import Rle
from heatmap_research.codec.losses.smooth_l1 import SmoothL1
from heatmap_research.codec.losses.wing import Wing
from heatmap_research.codec.protocols import Loss
from heatmap_research.codec.targets.blurred import Blurred
from heatmap_research.codec.targets.gaussian import Gaussian
from heatmap_research.codec.targets.gaussian_patch import GaussianPatch
from heatmap_research.codec.targets.laplace import Laplace
from heatmap_research.codec.targets.merged import Merged
from heatmap_research.codec.targets.normalised import Normalised
from heatmap_research.codec.targets.one_hot import OneHot
from heatmap_research.codec.targets.rounded import Rounded
from heatmap_research.codec.targets.softened import Softened
from heatmap_research.types import Heatmap, Keypoints

NDIMS = (1, 2)
STRIDES = (4, 2, 1, 1 / 2, 2 / 3)  # every one divides an image whose sides are multiples of 4

TARGETS = {
    "gaussian": Gaussian(sigma=2.0),
    "gaussian_rounded": Rounded(Gaussian(sigma=2.0), rule="nearest"),
    "gaussian_patch": GaussianPatch(sigma=2.0, reach=3.0, rule="nearest"),
    "patch_rounded": Rounded(GaussianPatch(2.0, reach=3.0, rule="nearest"), rule="hrnet"),
    "gaussian_sum": Normalised(Gaussian(sigma=2.0)),
    "blurred": Blurred(size=15, sigma=2.0, border="zero"),
    "laplace": Laplace(sigma=2.0),
    "one_hot": OneHot(smoothing=0.0),
    "softened": Softened(Gaussian(sigma=2.0), beta=10.0),
    "merged": Merged(Gaussian(sigma=2.0), rule="maximum"),
}
JOINED = ("softened",)  # its map is not the outer product of its vectors
OUTER = {name: target for name, target in TARGETS.items() if name not in JOINED}

LOSSES = {
    "mse": Mse(),
    "ohkm": Ohkm(Mse(), hardest=2),
    "adaptive_wing": AdaptiveWing(alpha=2.1, omega=14.0, epsilon=1.0, theta=0.5),
    "cross_entropy": CrossEntropy(),
    "kl": Kl(),
    "js": Js(),
    "emd": Emd(),
    "expectation": Expectation("l1", beta=1.0),
    "dsnt": Dsnt(weight=32.0),
}
OF_MEANS = ("expectation", "dsnt")  # a mean has its place: no label drawn there need be best
MATCHING = {name: loss for name, loss in LOSSES.items() if name not in OF_MEANS}

COORDINATE_LOSSES = {
    "l1": L1(),
    "l2": L2(),
    "smooth_l1": SmoothL1(beta=1.0),
    "wing": Wing(width=10.0, curvature=2.0),
    "rle": Rle("laplace", residual=True, published=False, least=0.01),
}

DECODERS = {
    "argmax": Argmax(),
    "argmax_blur": Smoothed(Argmax(), sigma=2.0, least=0.5, size=None),
    "quarter_offset": QuarterOffset(step=0.25, dead_zone=1e-6, border="none"),
    "quarter_published": QuarterOffset(step=0.25, dead_zone=0.0, border="hrnet"),
    "dark": Dark(floor=1e-30),
    "dark_blur": Smoothed(Dark(floor=1e-30), sigma=2.0, least=0.5, size=None),
    "dark_published": DarkPublished(size=11, floor=1e-10),
    "dark_udp": DarkUdp(size=11, low=1e-3, high=50.0, epsilon=2.0**-23),
    "dark_simcc": DarkSimcc(size=11, low=1e-3, high=50.0, epsilon=1e-9),
    "soft_argmax": SoftArgmax(temperature=1.0),
    "debiased_soft_argmax": DebiasedSoftArgmax(beta=10.0),
    "local_soft_argmax": LocalSoftArgmax(sigma=2.0, reach=5.0),
    "expected_oks": ExpectedOks(tolerances=[0.05], image_size=[48, 64], area=0.32),
    "rank_1": Rank(Argmax(), rank=1, steps=1, starts=1),
    "coordinates": Coordinates(),
}
OF_WHOLE_MAPS = ("soft_argmax", "debiased_soft_argmax")  # what lies far from the peak counts


def labels_of(
    covered: str = "regress", unlabelled: str = "ignore", outside: str = "ignore"
) -> Labels:
    return Labels(covered, unlabelled, outside, reach=3.0, sigma=2.0)


def perfect_scores(loss: Loss, heatmap: Heatmap) -> Heatmap:
    """The scores with which a head would answer this label exactly."""
    tiny = torch.finfo(heatmap.dtype).tiny
    if loss.activation == "identity":
        return heatmap
    if loss.activation == "sigmoid":
        return heatmap.logit(eps=torch.finfo(heatmap.dtype).eps)
    return heatmaps.normalise(heatmap).clamp(min=tiny).log()


def uniform_keypoints(
    count: int, image_size: tuple[int, int], margin: float = 0.0, seed: int = 0
) -> Keypoints:
    """Random points in the crop, at least `margin` pixels from its border: (count, 1, 2)."""
    height, width = image_size
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(count, 1, 2, generator=generator)
    size = torch.tensor([float(width), float(height)])
    return share * (size - 2 * margin) + margin - 0.5
