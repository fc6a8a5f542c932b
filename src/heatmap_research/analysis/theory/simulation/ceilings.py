"""Whole codecs on points spread over crops: rows of ceilings, and curves made of them."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from heatmap_research.analysis.theory import ceiling_table
from heatmap_research.analysis.theory.ceiling_table import Row, split
from heatmap_research.analysis.theory.law_curves import LawCurve, law_curve
from heatmap_research.analysis.theory.laws import dithering, quantisation
from heatmap_research.analysis.theory.posterior import EVERYWHERE
from heatmap_research.analysis.theory.round_trip import Representation
from heatmap_research.analysis.theory.true_poses import TruePoses
from heatmap_research.codec.codec import Codec
from heatmap_research.codec.grid import Grid
from heatmap_research.codec.losses.mse import Mse
from heatmap_research.codec.protocols import Decoder, Target


def codec(
    layout: str,
    target: Target,
    stride: float,
    decoders: Mapping[str, Decoder],
    image_size: tuple[int, int],
) -> Codec:
    """A codec without a network; its loss is there only because it says how maps are read."""
    grid = Grid(image_size, stride, 2 if layout == "2d" else 1)
    return Codec(grid, target, Mse(), decoders, EVERYWHERE, score="product")


def rows(made: Codec, target: str, poses: TruePoses, uncertainty: float = 0.0) -> list[Row]:
    """A row for each decoder; `uncertainty` is a posterior's width in input pixels."""
    layout = "2d" if made.grid.ndim == 2 else "1d"
    sigmas: dict[str, float | None] = dict.fromkeys(made.decoders)
    named = Representation(made, layout, target, "center", sigmas, False, uncertainty)
    return list(ceiling_table.rows(named, poses))


def by_stride(table: Iterable[Row]) -> list[LawCurve]:
    """Mean error (input pixels) against stride: a curve for each layout, target and decoder."""
    curves = []
    for (layout, target, decoder), kind in split(table, "layout", "target", "decoder").items():
        law = [ceiling_table.law(row) or 0.0 for row in kind]
        across, errors = ([row[key] for row in kind] for key in ("stride", "mean_px"))
        curves.append(law_curve(f"{layout} {target}, {decoder}", across, errors, law))
    return curves


def dithered(table: Iterable[Row], width: float) -> list[LawCurve]:
    """Mean error over a posterior's width; both, and the width of the rounded labels, in bins."""
    laws = {"quarter_offset": dithering.quarter_error, "dark": dithering.dark_error}
    curves = []
    for (decoder,), kind in split(table, "decoder").items():
        across = [row["uncertainty"] / row["stride"] for row in kind]
        measured = [row["mean_px"] / row["stride"] for row in kind]
        law = [dithering.mean_distance(laws[decoder], each, width, 1.0) for each in across]
        curves.append(law_curve(decoder, across, measured, law))
    return curves


def oks_losses(table: Iterable[Row], tolerances: Sequence[float], area: float) -> list[LawCurve]:
    """1 less the mean OKS of argmax over pixels per bin: a curve for each image size.

    `tolerances` are the joints' OKS sigmas, `area` the share of the crop that a person covers.
    """
    curves = []
    for (height, width), kind in split(table, "height", "width").items():
        reach = quantisation.oks_tolerance(np.array(tolerances), area * height * width)
        across, lost = [row["stride"] for row in kind], [1 - row["mean_oks"] for row in kind]
        law = [1 - float(np.mean(quantisation.expected_oks(float(s), reach))) for s in across]
        curves.append(law_curve(f"{height} x {width}", across, lost, law))
    return curves
