"""Published crop matrices and flip tests, against our geometries."""

from fractions import Fraction

import pytest
import torch
from golden import Case, published
from torch import Tensor

from heatmap_research.codec.decoders.quarter_offset import QuarterOffset
from heatmap_research.codec.geometry import Geometry, apply, inverse
from heatmap_research.codec.grid import Grid

pytestmark = pytest.mark.golden

LEGACY = Geometry(first=0, last=0, flip_shift=None)
UDP = Geometry(first=0, last=-1, flip_shift=None)
FILE = "D_geometry"


def corner_box(centre: Tensor, size: Tensor) -> Tensor:
    return torch.cat([centre - size / 2, size], dim=-1).double()


def level(centre: Tensor, width: Tensor) -> Tensor:
    """Makes a box without height: published matrices of a fixed shape look at the width alone."""
    return corner_box(centre, torch.stack([width, torch.zeros_like(width)], dim=-1))


def upright(centre: Tensor, height: Tensor) -> Tensor:
    return corner_box(centre, torch.stack([torch.zeros_like(height), height], dim=-1))


def crop_size(case: Case) -> tuple[int, int]:
    width, height = case["{group}.output_size_wh"].tolist()
    return height, width


def turned(to_source: Tensor, centre: Tensor, degrees: Tensor) -> Tensor:
    """Turns the source about the box's centre, which our geometry never does."""
    sine, cosine = degrees.deg2rad().sin(), degrees.deg2rad().cos()
    rows = [torch.stack([cosine, -sine], -1), torch.stack([sine, cosine], -1)]
    turn = torch.stack(rows, dim=-2)
    shifted = to_source[..., 2] - centre
    moved = (turn @ shifted[..., None])[..., 0] + centre
    return torch.cat([turn @ to_source[..., :2], moved[..., None]], dim=-1)


def stretched(geometry: Geometry, centre: Tensor, size: Tensor, crop: tuple[int, int]) -> Tensor:
    """Stretches the whole box to the crop; our geometry keeps the shape of things."""
    across = geometry.to_source(level(centre, size[:, 0]), crop)
    down = geometry.to_source(upright(centre, size[:, 1]), crop)
    return torch.stack([across[:, 0], down[:, 1]], dim=-2)


def hrnet_frame(case: Case) -> tuple[Tensor, Tensor]:
    """Returns the centre and the width of the crop, in source pixels."""
    return case["{group}.hrnet.center"].double(), case["{group}.hrnet.scale"][:, 0].double() * 200


def hrnet_to_source(case: Case) -> Tensor:
    return LEGACY.to_source(level(*hrnet_frame(case)), crop_size(case))


def darkpose_to_source(case: Case) -> Tensor:
    """DarkPose measures from first to last pixel in the source too: a pixel less than `udp`."""
    centre, width = hrnet_frame(case)
    spans = torch.tensor([size - 1 for size in reversed(crop_size(case))])
    return stretched(UDP, centre, (width - 1)[:, None] * spans / spans[0], crop_size(case))


def mmpose_to_source(case: Case) -> Tensor:
    centre, size = case["{group}.mmpose.center"].double(), case["{group}.mmpose.scale"].double()
    return LEGACY.to_source(level(centre, size[:, 0]), crop_size(case))


PADDING = 1.25  # HRNet's is in its code, not in its arguments
PIXEL_STD = 200.0


def shape_of(case: Case) -> tuple[int, int]:
    """The smallest crop (height, width) with the aspect ratio that the function was given."""
    aspect = case.argument("aspect_ratio")
    if aspect is None:
        return crop_size(case)
    share = Fraction(aspect).limit_denominator(1000)
    return share.denominator, share.numerator


@published(FILE, "{group}.{code:hrnet|mmpose}.center")
def test_geometry_boxes_keep_their_centre(case: Case) -> None:
    height, width = crop_size(case)
    to_source = LEGACY.to_source(case["boxes_xywh"].double(), (height, width))
    middle = torch.tensor([[width / 2, height / 2]]).double().expand(len(to_source), 1, 2)
    case.check(apply(to_source, middle)[:, 0])


@published(FILE, "{group}.{code:hrnet|mmpose}.scale")
def test_geometry_boxes_are_widened_to_the_crops_shape(case: Case) -> None:
    height, width = shape_of(case)
    to_source = LEGACY.to_source(case["boxes_xywh"].double(), (height, width))
    spans = to_source[:, 0, :1] * torch.tensor([width, height])
    unit = PIXEL_STD if case.code == "hrnet" else 1
    case.check(spans * case.argument("padding", PADDING) / unit)


@published(FILE, "{group}.hrnet_affine.{way:fwd|inv}")
def test_geometry_legacy_is_hrnets_affine(case: Case) -> None:
    to_source = turned(hrnet_to_source(case), hrnet_frame(case)[0], case["rot_deg"])
    case.check(to_source if case.way == "inv" else inverse(to_source))


@published(FILE, "{group}.hrnet_affine_points")
def test_geometry_legacy_carries_points_as_hrnet_does(case: Case) -> None:
    to_source = turned(hrnet_to_source(case), hrnet_frame(case)[0], case["rot_deg"])
    case.check(apply(inverse(to_source), case["points_img"].double()))


@published(FILE, "{group}.hrnet_transform_preds")
def test_geometry_legacy_brings_points_back_as_hrnet_does(case: Case) -> None:
    case.check(apply(hrnet_to_source(case), case["points_map"].double()))


@published(FILE, "{group}.darkpose_affine.{way:fwd|inv}")
def test_geometry_udp_of_a_box_a_pixel_smaller_is_darkposes_affine(case: Case) -> None:
    to_source = turned(darkpose_to_source(case), hrnet_frame(case)[0], case["rot_deg"])
    case.check(to_source if case.way == "inv" else inverse(to_source))


@published(FILE, "{group}.darkpose_affine_points")
def test_geometry_darkpose_carries_points(case: Case) -> None:
    to_source = turned(darkpose_to_source(case), hrnet_frame(case)[0], case["rot_deg"])
    case.check(apply(inverse(to_source), case["points_img"].double()))


@published(FILE, "{group}.darkpose_transform_preds")
def test_geometry_darkpose_brings_points_back(case: Case) -> None:
    case.check(apply(darkpose_to_source(case), case["points_map"].double()))


@published(FILE, "{group}.mmpose_warp.{way:fwd|inv|shift}")
def test_geometry_legacy_is_mmposes_warp(case: Case) -> None:
    centre, size = case["{group}.mmpose.center"].double(), case["{group}.mmpose.scale"].double()
    away = torch.tensor(case.argument("shift", [0.0, 0.0])).double() * size  # augmentation
    to_source = LEGACY.to_source(level(centre + away, size[:, 0]), crop_size(case))
    to_source = turned(to_source, centre + away, case["rot_deg"])
    case.check(to_source if case.way == "inv" else inverse(to_source))


@published(FILE, "{group}.mmpose_warp.noaspect")
def test_geometry_mmposes_warp_to_a_whole_box(case: Case) -> None:
    centre, size = case["{group}.mmpose.center"].double(), case["{group}.scale_free"].double()
    to_source = stretched(LEGACY, centre, size, crop_size(case))
    case.check(inverse(turned(to_source, centre, case["rot_deg"])))


@published(FILE, "{group}.mmpose_udp_warp")
def test_geometry_udp_is_mmposes_udp_warp(case: Case) -> None:
    centre, size = case["{group}.mmpose.center"].double(), case["{group}.mmpose.scale"].double()
    to_source = stretched(UDP, centre, size, crop_size(case))
    case.check(inverse(turned(to_source, centre, -case["rot_deg"])))  # the other way round


@published(FILE, "{group}.mmpose_topdown_back")
def test_geometry_mmpose_brings_points_back_in_legacy_whatever_the_warp(case: Case) -> None:
    centre, size = case["{group}.mmpose.center"].double(), case["{group}.mmpose.scale"].double()
    points = case["points_map"].double()
    legacy = apply(stretched(LEGACY, centre, size, crop_size(case)), points)
    case.check(legacy)
    udp = apply(stretched(UDP, centre, size, crop_size(case)), points)
    assert (udp - legacy).abs().amax() > 1e-3  # where its udp crops really come from


def mirrored(case: Case, maps: Tensor, shift: float, flip: list[int]) -> Tensor:
    """Returns the maps of an image, given those of its mirror image."""
    height, width = maps.shape[2:]
    geometry = Geometry(first=0, last=0, flip_shift=shift)
    grid = Grid((4 * height, 4 * width), stride=4, ndim=2, geometry=geometry)
    return grid.mirror((maps[:, flip],))[0]


def flipped_back(case: Case, shift: float) -> Tensor:
    flip = case["flip.flip_indices"].tolist()
    return mirrored(case, case["flip.heatmaps_of_flipped"], shift, flip)


def averaged(case: Case) -> Tensor:
    return (case["flip.heatmaps"] + flipped_back(case, float(case.shift))) / 2


@published(FILE, "flip.hrnet_flip_back")
def test_geometry_flip_back_of_hrnet(case: Case) -> None:
    case.check(flipped_back(case, 0.0))


@published(FILE, "flip.mmpose_flip_heatmaps.shift{shift}")
def test_geometry_flip_heatmaps_of_mmpose(case: Case) -> None:
    case.check(flipped_back(case, float(case.shift)))


@published(FILE, "flip.hrnet_average.shift{shift}")
def test_geometry_flip_average_of_hrnet(case: Case) -> None:
    case.check(averaged(case))


def test_geometry_the_published_shift_of_a_bin_is_more_than_legacy_needs() -> None:
    assert LEGACY.shift(64, 16) == pytest.approx(1 - 1 / 4)
    assert UDP.shift(64, 16) == pytest.approx(0)


@published(FILE, "flip.hrnet_decoded.shift{shift}")
def test_geometry_flip_test_of_hrnet(case: Case) -> None:
    decoder = QuarterOffset(step=0.25, dead_zone=0.0, border="hrnet")
    case.check(decoder(averaged(case), 4.0).flip(-1))


@published(FILE, "flip.mmpose_flip_udp_combined")
def test_geometry_flip_of_udps_offset_maps(case: Case) -> None:
    maps = case["flip.udp_combined"]
    batch, channels, height, width = maps.shape
    flip = case.argument("flip_indices")
    parts = maps.view(batch, channels // 3, 3, height, width).unbind(2)  # label, dx, dy
    label, across, down = (mirrored(case, part, 0.0, flip) for part in parts)
    case.check(torch.stack([label, -across, down], dim=2).view_as(maps))
