"""Published labels and weights, against our targets.

Theirs are empty, or weigh nothing, by rules of each code; ours leaves that to the codec's policies.
"""

import math
from fractions import Fraction

import pytest
import torch
from golden import Case, published
from torch import Tensor

from heatmap_research.codec import blurring, heatmaps
from heatmap_research.codec.geometry import Geometry
from heatmap_research.codec.heatmaps import Rounding
from heatmap_research.codec.protocols import Target
from heatmap_research.codec.targets.blurred import Blurred
from heatmap_research.codec.targets.gaussian import Gaussian
from heatmap_research.codec.targets.gaussian_patch import GaussianPatch
from heatmap_research.codec.targets.one_hot import OneHot
from heatmap_research.codec.targets.rounded import Rounded
from heatmap_research.codec.targets.softened import Softened

pytestmark = pytest.mark.golden

LEGACY = Geometry(first=0, last=0, flip_shift=None)
UDP = Geometry(first=0, last=-1, flip_shift=None)
REACH = 3  # sigmas, of every window

MAPS = "A_targets_2d"


def bins(case: Case, geometry: Geometry, dtype: torch.dtype) -> Tensor:
    """Where keypoints lie on the map, in bins, y first, in the precision of the published code."""
    sizes = zip(case["{group}.input_size_wh"], case["{group}.heatmap_size_wh"], strict=True)
    lines = [geometry.line(int(size), int(count)) for size, count in sizes]
    axes = zip(case["{group}.kpts"].to(dtype).unbind(-1), lines, strict=True)
    x, y = ((pixels - origin) / spacing for pixels, (origin, spacing) in axes)
    return torch.stack([y, x], dim=-1)


def shape(case: Case) -> tuple[int, int]:
    width, height = case["{group}.heatmap_size_wh"].tolist()
    return height, width


def rounded(position: Tensor, rule: Rounding) -> Tensor:
    return heatmaps.rounded(position[None], rule)[0]


def misses(middle: Tensor, reach: float, sizes: tuple[int, ...], whole: bool) -> Tensor:
    """Whether a window misses the map; the published test lets one pass that ends at bin 0."""
    low, high = middle - reach, middle + reach + 1
    if whole:
        low, high = low.trunc(), high.trunc()
    return ((low >= torch.tensor(sizes)) | (high < 0)).any(-1)


def weights(visible: Tensor, outside: Tensor, unseen_first: bool) -> Tensor:
    """Sets the weight of points outside to 0; mmpose (`unseen_first`) only of visible ones."""
    looked_at = (visible >= 0.5) if unseen_first else torch.ones_like(outside)
    return torch.where(outside & looked_at, 0, visible)


def check_label(
    case: Case, target: Target, position: Tensor, outside: Tensor, code: str, height: float = 1.0
) -> None:
    """Compares the labels of joints that weigh enough, or else the weights.

    A joint on the map always keeps the weight that it was given.
    """
    visible, mmpose = case["{group}.visible"], code == "mmpose"
    weight = weights(visible, outside, unseen_first=mmpose)
    if case.what == "weights":
        case.check(weight)
        middle = (torch.tensor(shape(case)) - 1) / 2
        on_map = ((position - middle).abs() <= middle + 0.5).all(-1)
        assert (weight[on_map] == visible[on_map]).all()
        return
    drawn = (weight >= 0.5) if mmpose else (weight > 0.5)
    label = target(position.double()[None], shape(case), (1.0, 1.0))[0]  # a width in bins
    case.check(torch.where(drawn[:, None, None], height * label, 0))


@published(MAPS, "{group}.{code:hrnet|mmpose}_msra.{what:heatmaps|weights}")
def test_targets_2d_rounded_patch_is_hrnets(case: Case) -> None:
    precision = torch.float32 if case.code == "mmpose" else torch.float64
    position = bins(case, LEGACY, precision)
    sigma = float(case["{group}.sigma"])
    target = Rounded(GaussianPatch(sigma, REACH, rule="nearest"), rule="hrnet")
    middle = rounded(position, "hrnet")
    outside = misses(middle, REACH * sigma, shape(case), whole=True)
    check_label(case, target, position, outside, case.code)


@published(MAPS, "{group}.mmpose_dark.{what:heatmaps|weights}")
def test_targets_2d_gaussian_is_mmposes_unbiased(case: Case) -> None:
    position, sigma = bins(case, LEGACY, torch.float32), float(case["{group}.sigma"])
    outside = misses(position, REACH * sigma, shape(case), whole=False)
    check_label(case, Gaussian(sigma), position, outside, "mmpose")


@published(MAPS, "{group}.darkpose.{what:heatmaps|weights}")
def test_targets_2d_gaussian_is_darkposes(case: Case) -> None:
    position, sigma = case["{group}.kpts_hm"].flip(-1), float(case["{group}.sigma"])
    outside = misses(position, REACH * sigma, shape(case), whole=True)
    check_label(case, Gaussian(sigma), position, outside, "darkpose")


@published(MAPS, "{group}.mmpose_udp.{what:heatmaps|weights}")
def test_targets_2d_patch_in_udp_is_mmposes(case: Case) -> None:
    position, sigma = bins(case, UDP, torch.float32), float(case["{group}.sigma"])
    outside = misses(rounded(position, "hrnet"), REACH * sigma, shape(case), whole=True)
    target = GaussianPatch(sigma, REACH, rule="hrnet")
    check_label(case, target, position, outside, "mmpose")


@published(MAPS, "{group}.mmpose_megvii.{what:heatmaps|weights}")
def test_targets_2d_blurred_is_megviis(case: Case) -> None:
    position = bins(case, LEGACY, torch.float32)
    impulse = rounded(position, "truncate")
    outside = ((impulse < 0) | (impulse >= torch.tensor(shape(case)))).any(-1)
    blurred = Blurred(size=case.argument("kernel_size"), sigma=None, border="reflect")
    target = Rounded(blurred, rule="truncate")
    check_label(case, target, position, outside, "mmpose", height=255.0)


@published(MAPS, "cv2_gaussian_kernel_{size}")
def test_targets_2d_kernel_is_opencvs(case: Case) -> None:
    case.check(blurring.kernel(int(case.size), None, torch.zeros((), dtype=torch.float64)))


VECTORS = "A_targets_1d"
AXES = ("x", "y")


def fact(case: Case, name: str, argument: str) -> list[float]:
    """Reads a number stored in the group, or else an argument of the published function."""
    stored = f"{{group}}.{name}"
    given = case[stored] if stored in case else torch.tensor(case.argument(argument)).double()
    return given.flatten().tolist()


def split_ratio(case: Case) -> float:
    return fact(case, "split", "simcc_split_ratio")[0]


def lengths(case: Case) -> tuple[int, ...]:
    """The number of bins along x and y; codes round it in different ways."""
    prefix = case.key.rpartition(".")[0]
    if f"{prefix}.x" in case:
        return tuple(case[f"{prefix}.{axis}"].shape[-1] for axis in AXES)
    sizes = fact(case, "input_size_wh", "input_size")
    return tuple(int(size * split_ratio(case)) for size in sizes)


def split(case: Case, dtype: torch.dtype) -> Tensor:
    """Keypoints in bins, x first, of which the split ratio says how many make a pixel."""
    share = Fraction(split_ratio(case)).limit_denominator(1000)
    origin, spacing = LEGACY.line(share.denominator, share.numerator)
    return (case["{group}.kpts"].to(dtype) - origin) * (1 / spacing)


def sigmas(case: Case) -> tuple[float, ...]:
    """The widths of the labels along x and y, in bins."""
    return tuple(torch.tensor(case.argument("sigma")).double().expand(2).tolist())


def per_axis(case: Case, targets: tuple[Target, ...], position: Tensor) -> Tensor:
    axis = AXES.index(case.axis[0])
    label = targets[axis](position.double()[None, :, axis, None], (lengths(case)[axis],), (1.0,))
    return label[0]


def even(target: Target) -> Rounded:
    return Rounded(target, rule="even")


def mmpose_outside(case: Case) -> Tensor:
    middle = rounded(split(case, torch.float32), "even")
    if case.argument("sigma") is None:
        return ((middle < 0) | (middle >= torch.tensor(lengths(case)))).any(-1)
    return misses(middle, REACH * torch.tensor(sigmas(case)).double(), lengths(case), whole=False)


def mmpose_weights(case: Case) -> Tensor:
    return weights(case["{group}.visible"], mmpose_outside(case), unseen_first=True)


def density(sigma: float) -> float:
    """The area under a Gaussian that meets no border, by which the published code divides."""
    return sigma * math.sqrt(2 * math.pi)


GAUSSIANS = ("{group}.{kind:mmpose_gauss.*}", "{group:rtmpose}")


@published(
    VECTORS, *(f"{kind}.weights" for kind in (*GAUSSIANS, "{group}.{kind:mmpose_(?!gauss).*}"))
)
def test_targets_1d_weights_of_mmpose(case: Case) -> None:
    case.check(mmpose_weights(case))


@published(VECTORS, *(f"{kind}.{{axis:[xy]}}" for kind in GAUSSIANS))
def test_targets_1d_rounded_gaussian_is_mmposes(case: Case) -> None:
    targets = tuple(even(Gaussian(sigma)) for sigma in sigmas(case))
    label = per_axis(case, targets, split(case, torch.float32))
    if case.argument("normalize"):
        label = label / density(sigmas(case)[AXES.index(case.axis)])
    case.check(torch.where(mmpose_weights(case)[:, None] >= 0.5, label, 0))


@published(VECTORS, "rtmpose.{axis:[xy]}_softmaxed")
def test_targets_1d_softened_is_rtmposes(case: Case) -> None:
    plain = case.fellow(f"rtmpose.{case.axis}")
    targets = tuple(
        Softened(even(Gaussian(sigma)), case.argument("beta")) for sigma in sigmas(plain)
    )
    label = per_axis(plain, targets, split(plain, torch.float32))
    nowhere = 1 / lengths(plain)[AXES.index(case.axis)]  # a softmax of nothing
    case.check(torch.where(mmpose_weights(plain)[:, None] >= 0.5, label, nowhere))


@published(VECTORS, "{group}.{kind:mmpose_ls|mmpose_onehot}.{axis:[xy]}")
def test_targets_1d_classes_are_mmposes(case: Case) -> None:
    target = OneHot(smoothing=case.argument("label_smooth_weight"))
    label = per_axis(case, (target, target), split(case, torch.float32))
    case.check(torch.where(mmpose_weights(case)[:, None] >= 0.5, label, 0))


def simcc_weights(case: Case) -> Tensor:
    """The published test measures the reach in bins and the place in pixels: too wide a window."""
    pixels, reach = case["{group}.kpts"].double(), REACH * torch.tensor(sigmas(case)).double()
    sizes = tuple(int(size) for size in fact(case, "input_size_wh", "input_size"))
    outside = misses(pixels, reach, sizes, whole=True)
    return weights(case["{group}.visible"], outside, unseen_first=False)


@published(VECTORS, "{group}.simcc_gauss.weights")
def test_targets_1d_weights_of_simcc(case: Case) -> None:
    case.check(simcc_weights(case))


@published(VECTORS, "{group}.simcc_gauss.{axis:[xy]}")
def test_targets_1d_gaussian_is_simccs_where_it_meets_no_border(case: Case) -> None:
    targets = tuple(Gaussian(sigma) for sigma in sigmas(case))
    label = per_axis(case, targets, split(case, torch.float64))
    theirs = label / density(sigmas(case)[AXES.index(case.axis)])
    case.check(torch.where(simcc_weights(case)[:, None] > 0.5, theirs, 0))


@published(VECTORS, "{group}.simcc_onehot.index")
def test_targets_1d_one_hot_is_simccs_class(case: Case) -> None:
    position, target = split(case, torch.float64)[None], OneHot(smoothing=0.0)
    maps = (target(position[..., a, None], (size,), (1.0,)) for a, size in enumerate(lengths(case)))
    case.check(torch.cat([heatmaps.argmax(each) for each in maps], dim=-1)[0])


@published(VECTORS, "{group}.simcc_onehot.weights")
def test_targets_1d_classes_out_of_range_weigh_nothing(case: Case) -> None:
    nearest = rounded(split(case, torch.float64), "even")
    sizes = torch.tensor(fact(case, "input_size_wh", "input_size")) * split_ratio(case)
    outside = ((nearest < 0) | (nearest >= sizes)).any(-1)
    case.check(weights(case["{group}.visible"], outside, unseen_first=False))
