"""Published decoders, against ours.

Ours answer in bins, y first, for every map. Theirs have sentinels for maps without a response, and
scales and scores of their own.
"""

import math

import pytest
import torch
from golden import Case, published
from torch import Tensor

from heatmap_research.codec import blurring, heatmaps
from heatmap_research.codec.decoders.argmax import Argmax
from heatmap_research.codec.decoders.dark_published import DarkPublished
from heatmap_research.codec.decoders.dark_simcc import DarkSimcc
from heatmap_research.codec.decoders.dark_udp import DarkUdp
from heatmap_research.codec.decoders.debiased_soft_argmax import DebiasedSoftArgmax
from heatmap_research.codec.decoders.quarter_offset import QuarterOffset
from heatmap_research.codec.decoders.smoothed import Smoothed
from heatmap_research.codec.decoders.soft_argmax import SoftArgmax
from heatmap_research.codec.geometry import Geometry
from heatmap_research.codec.grid import Grid
from heatmap_research.codec.protocols import Decoder

pytestmark = pytest.mark.golden

HRNET_QUARTER = QuarterOffset(step=0.25, dead_zone=0.0, border="hrnet")
MMPOSE_QUARTER = QuarterOffset(step=0.25, dead_zone=0.0, border="mmpose")
NOWHERE = {"hrnet": 0.0, "darkpose": 0.0, "mmpose": -1.0}  # for a map without a positive value
LOW, HIGH = 1e-3, 50.0  # mmpose cuts values off there

MAPS = "B_decode_2d"


def dark(size: int) -> DarkPublished:
    return DarkPublished(size=size, floor=1e-10)


def dark_udp(size: int) -> DarkUdp:
    return DarkUdp(size=size, low=LOW, high=HIGH, epsilon=torch.finfo(torch.float32).eps)


def dark_simcc(size: int) -> DarkSimcc:
    return DarkSimcc(size=size, low=LOW, high=HIGH, epsilon=1e-9)


def top(maps: Tensor) -> Tensor:
    return maps.flatten(2).amax(-1)


def found(decoder: Decoder, maps: Tensor) -> Tensor:
    """Returns the decoded bins with x before y."""
    return decoder(maps, 1.0).flip(-1)


def or_nowhere(xy: Tensor, score: Tensor, code: str) -> Tensor:
    return torch.where((score > 0)[..., None], xy, NOWHERE[code])


def sizes(case: Case, name: str) -> Tensor:
    return case[f"{{group}}.{name}_size_wh"].double()


def legacy_pixels(case: Case, xy: Tensor) -> Tensor:
    return xy * sizes(case, "input") / sizes(case, "heatmap")


def decode(case: Case, decoder: Decoder, code: str) -> Tensor:
    """Returns bins, or what the published code answers where a map has no positive value."""
    maps = case["{group}.heatmaps"]
    return or_nowhere(found(decoder, maps), top(maps), code)


@published(MAPS, "{group}.{code:hrnet|mmpose}_argmax.xy")
def test_decode_2d_argmax(case: Case) -> None:
    case.check(decode(case, Argmax(), case.code))


@published(
    MAPS,
    "{group}.{code:hrnet_argmax|mmpose_argmax|darkpose_k.+}.score",
    "{group}.{code:mmpose_msra|mmpose_dark_k.+|mmpose_udp_k.+}.score",
)
def test_decode_2d_published_scores_are_raw_maxima(case: Case) -> None:
    case.check(top(case["{group}.heatmaps"]))


@published(MAPS, "{group}.hrnet_quarter.xy")
def test_decode_2d_quarter_offset_is_hrnets(case: Case) -> None:
    case.check(decode(case, HRNET_QUARTER, "hrnet"))


@published(MAPS, "{group}.mmpose_msra.px")
def test_decode_2d_quarter_offset_is_mmposes(case: Case) -> None:
    case.check(legacy_pixels(case, decode(case, MMPOSE_QUARTER, "mmpose")))


@published(MAPS, "{group}.darkpose_k{size}.xy")
def test_decode_2d_dark_is_its_authors(case: Case) -> None:
    case.check(decode(case, dark(int(case.size)), "darkpose"))


@published(MAPS, "{group}.darkpose_blurred_k{size}")
def test_decode_2d_blur_is_darkposes(case: Case) -> None:
    people, joints = case.stored.shape[:2]
    maps = case["{group}.heatmaps"][:people, :joints]
    case.check(blurring.modulated(maps, int(case.size)))


@published(MAPS, "{group}.mmpose_dark_k{size}.px")
def test_decode_2d_dark_is_mmposes(case: Case) -> None:
    case.check(legacy_pixels(case, decode(case, dark(int(case.size)), "mmpose")))


@published(MAPS, "{group}.mmpose_udp_refine_k{size}.xy")
def test_decode_2d_dark_udp_is_mmposes(case: Case) -> None:
    xy = decode(case, dark_udp(int(case.size)), "mmpose")
    case.check(xy, where=case["{group}.udp.stable"])


@published(MAPS, "{group}.mmpose_udp_k{size}.px")
def test_decode_2d_mmpose_scales_udp_by_a_pixel_too_many(case: Case) -> None:
    xy = decode(case, dark_udp(int(case.size)), "mmpose")
    size, stable = sizes(case, "input"), case["{group}.udp.stable"]
    udp = Geometry(first=0, last=-1, flip_shift=None)
    counts = zip(size.int().tolist(), sizes(case, "heatmap").int().tolist(), strict=True)
    origins, spacings = torch.tensor([udp.line(*count) for count in counts]).double().unbind(-1)
    exact = xy * spacings + origins
    case.check(exact * size / (size - 1), where=stable)


@published(MAPS, "{group}.mmpose_megvii_k{size}.{what:px|score}")
def test_decode_2d_quarter_offset_of_a_blurred_map_is_megviis(case: Case) -> None:
    size, maps = int(case.size), case["{group}.heatmaps"]
    stable = case["{group}.megvii.stable"]
    blurred = blurring.modulated(maps, size)
    if case.what == "score":
        case.check(top(blurred) / 255 + 0.5, where=stable)
        return
    xy = found(Smoothed(HRNET_QUARTER, sigma=1.0, least=0.5, size=size), maps)
    peak = found(Argmax(), blurred)
    moved = ((peak > 1) & (peak < sizes(case, "heatmap") - 1)).all(-1)
    xy = or_nowhere(xy + 0.5 * moved[..., None], top(blurred), "mmpose")  # half a cell too far
    case.check(legacy_pixels(case, xy), where=stable)


VECTORS = "B_decode_1d"
AXES = ("x", "y")


def vectors(case: Case, name: str = "{group}.{kind}.{axis}") -> tuple[Tensor, Tensor]:
    x, y = (case[name.replace("{axis}", axis)] for axis in AXES)
    return x, y


def pixels(case: Case, bins: Tensor) -> Tensor:
    return bins / case["{group}.split"]


def each(decoder: Decoder, maps: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([found(decoder, each) for each in maps], dim=-1)


def softmaxed(maps: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(heatmaps.activate(each, "softmax") for each in maps)


def simcc_score(code: str, probabilities: tuple[Tensor, ...]) -> Tensor:
    """SimDR (one-hot labels) keeps the higher score of the two axes, SA-SimDR the lower."""
    tops = torch.stack([top(each) for each in probabilities])
    return tops.amin(0) if code == "sa_simdr" else tops.amax(0)


def mmpose_score(maps: tuple[Tensor, ...]) -> Tensor:
    return torch.stack([top(each) for each in maps]).amin(0)


KIND = "{group}.{kind:logit|prob}."


@published(VECTORS, KIND + "official_{code:sa_simdr|simdr}.{what:px|score}")
def test_decode_1d_argmax_is_simccs(case: Case) -> None:
    probabilities = softmaxed(vectors(case))
    if case.what == "score":
        case.check(simcc_score(case.code, probabilities))
    else:
        case.check(pixels(case, each(Argmax(), probabilities)))


@published(VECTORS, KIND + "mmpose.{what:px|score}")
def test_decode_1d_argmax_is_mmposes(case: Case) -> None:
    maps = vectors(case)
    if case.what == "score":
        case.check(mmpose_score(maps))
    else:
        bins = or_nowhere(each(Argmax(), maps), mmpose_score(maps), "mmpose")
        case.check(pixels(case, bins))


@published(VECTORS, KIND + "refine_simcc_dark_k{size}.{axis:[xy]}")
def test_decode_1d_dark_simcc_is_mmposes(case: Case) -> None:
    position = dark_simcc(int(case.size))(case["{group}.{kind}.{axis}"], 1.0)
    case.check(position[..., 0], where=case[case.key + ".stable"])


def kernel_size(sigma: float) -> int:
    """mmpose's size of the blur for a label that is `sigma` bins wide."""
    size = int((20 * sigma - 7) // 3)
    return size - (size % 2 == 0)


@published(VECTORS, KIND + "mmpose_dark.px")
def test_decode_1d_dark_simcc_with_mmposes_kernels(case: Case) -> None:
    pairs = zip(vectors(case), case.argument("sigma"), strict=True)
    bins = [found(dark_simcc(kernel_size(sigma)), each) for each, sigma in pairs]
    case.check(
        pixels(case, torch.cat(bins, dim=-1)), where=case["{group}.{kind}.mmpose_dark.stable"]
    )


@published(VECTORS, KIND + "mmpose_normalized.{axis:[xy]}")
def test_decode_1d_mmposes_heights_in_units_of_a_density(case: Case) -> None:
    """This is mmpose's convention for scores, which is no option of ours."""
    theirs = case["{group}.{kind}.{axis}"][:, : case.stored.shape[1]]
    height = theirs.clamp(min=0) / (case.argument("sigma") * math.sqrt(2 * math.pi))
    case.check(height / heatmaps.over(height, top(height).clamp(min=1)))


@published(VECTORS, KIND + "mmpose_vis.visibility")
def test_decode_1d_mmposes_visibility(case: Case) -> None:
    """This is mmpose's convention for scores, which is no option of ours."""
    beta = case.argument("decode_beta")
    pairs = zip(vectors(case), case.argument("sigma"), strict=True)
    sharp = tuple((beta * each).double() * sigma for each, sigma in pairs)  # in their precision
    case.check(mmpose_score(softmaxed(sharp)))


def flipped_back(case: Case, maps: tuple[Tensor, Tensor], shift: float) -> tuple[Tensor, Tensor]:
    x, y = (each[:, case["{group}.flip.flip_indices"]] for each in maps)
    size = (y.shape[-1], x.shape[-1])
    grid = Grid(size, stride=1, ndim=1, geometry=Geometry(first=0, last=0, flip_shift=shift))
    y, x = grid.mirror((y, x))
    return x, y


@published(VECTORS, "{group}.flip.{code:mmpose_flip_vectors|official_flip_back}.{axis:[xy]}")
def test_decode_1d_flip_back(case: Case) -> None:
    maps = vectors(case, "{group}.flip.{axis}_of_flipped")
    case.check(flipped_back(case, maps, shift=0.0)[AXES.index(case.axis)])


@published(VECTORS, "{group}.flip.official_{code:sa_simdr|simdr}.shift{shift}.{what:px|score}")
def test_decode_1d_flip_test_of_simcc(case: Case) -> None:
    """Both codes move the logits a bin to the left, whatever the split ratio.

    The bin at the end is then there twice. SA-SimDR averages logits, SimDR their softmaxes.
    """
    plain, mirrored = (vectors(case, "{group}.flip.{axis}" + end) for end in ("", "_of_flipped"))
    back = flipped_back(case, mirrored, shift=-float(case.shift))
    if case.code == "simdr":
        plain, back = softmaxed(plain), softmaxed(back)
    mean = tuple((a + b) / 2 for a, b in zip(plain, back, strict=True))
    probabilities = softmaxed(mean) if case.code == "sa_simdr" else mean
    if case.what == "score":
        case.check(simcc_score(case.code, probabilities))
    else:
        case.check(pixels(case, each(Argmax(), probabilities)))


SOFT = "B_decode_soft"


def soft(case: Case, beta: float = 1.0, temperature: float = 1.0) -> Tensor:
    maps = heatmaps.activate(beta * case["{group}.logits"].double(), "softmax")
    return found(SoftArgmax(temperature=temperature), maps)


def cells(case: Case) -> Tensor:
    """The number of cells of the map along x and y."""
    return torch.tensor(case["{group}.logits"].shape[2:]).flip(0)


@published(SOFT, "{group}.dsntnn.{what:cells|normalized}")
def test_decode_soft_argmax_is_dsntnns(case: Case) -> None:
    xy = soft(case)
    case.check(xy if case.what == "cells" else (2 * xy + 1) / cells(case) - 1)


@published(SOFT, "{group}.kornia.T{temperature:.+}.{what:cells|normalized}")
def test_decode_soft_argmax_with_a_temperature_is_kornias(case: Case) -> None:
    xy = soft(case, temperature=case.argument("temperature"))
    case.check(xy if case.what == "cells" else 2 * xy / (cells(case) - 1) - 1)


@published(SOFT, "{group}.ipr_official")
def test_decode_soft_argmax_is_integral_regressions_but_for_half_a_cell(case: Case) -> None:
    case.check(soft(case) / cells(case) - 0.5)


@published(SOFT, "{group}.mmpose_integral.{beta:beta.+}")
def test_decode_soft_argmax_with_a_beta_is_mmposes(case: Case) -> None:
    case.check(soft(case, beta=case.argument("beta")) / cells(case))


@published(SOFT, "{group}.mmpose_integral.debias")
def test_decode_soft_mmpose_debiases_as_if_the_map_had_one_cell(case: Case) -> None:
    """Its formula has 1 in place of the number of cells and 1/2 in place of the middle cell.

    What is left corrects next to nothing; ours is compared with the formula as it is meant.
    """
    logits, beta = case["{group}.logits"], case.argument("beta")
    plain = soft(case, beta=beta)
    total = logits.exp().flatten(2).sum(-1)[..., None]  # without beta
    theirs = total / (total - 1) * (plain / cells(case) - 1 / (2 * total))
    case.check(theirs)
    ours = found(DebiasedSoftArgmax(beta=beta), logits)
    background = cells(case).prod() / (beta * logits.double()).exp().flatten(2).sum(-1)[..., None]
    exact = (plain - background * (cells(case) - 1) / 2) / (1 - background)
    exact = exact.clamp(min=-0.5).minimum(cells(case) - 0.5)  # ours ends where the map does
    clear = (background < 0.9).expand_as(ours)  # there is more than a background
    assert torch.allclose(ours.double()[clear], exact[clear], atol=1e-3)
