"""The errors of decoders on the maps a network learns, by where in its bin the truth lies."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64

from heatmap_research.analysis.error_budget.state import Frame
from heatmap_research.analysis.theory import round_trip
from heatmap_research.analysis.theory.posterior import is_entangled
from heatmap_research.analysis.theory.round_trip import Representation
from heatmap_research.types import Schema

PHASES_PER_BIN = 64
NORMAL_DRAWS = 257  # at even quantiles

ByPhase = Float64[np.ndarray, "phase joint 2"]  # crop pixels, at even phases
MeanByPhase = Float64[np.ndarray, " phase"]


@dataclass(frozen=True, eq=False)
class Law:
    """Mean and mean size of the error along each axis, at even phases of the truth."""

    bias: ByPhase
    absolute: ByPhase

    def as_json(self) -> dict[str, Any]:
        axes = {
            axis: {"bias": bias.tolist(), "absolute": absolute.tolist()}
            for axis, (bias, absolute) in self.along_axes().items()
        }
        return {"phase": even_phases().tolist(), **axes}

    def along_axes(self) -> dict[str, tuple[MeanByPhase, MeanByPhase]]:
        """The mean error and its mean size along x and y; each is the mean over joints."""
        bias, absolute = self.bias.mean(1), self.absolute.mean(1)
        return {axis: (bias[:, a], absolute[:, a]) for a, axis in enumerate("xy")}


def even_phases() -> Float64[np.ndarray, " phase"]:
    return (np.arange(PHASES_PER_BIN) + 0.5) / PHASES_PER_BIN - 0.5


def looked_up(
    curve: ByPhase, phase: Float64[np.ndarray, "*any joint 2"]
) -> Float64[np.ndarray, "*any joint 2"]:
    """The values at the nearest even phases, without interpolation, as a curve may jump."""
    place = np.floor((phase + 0.5) * PHASES_PER_BIN).astype(int) % PHASES_PER_BIN
    joints, axes = np.arange(phase.shape[-2])[:, None], np.arange(2)
    return curve[place, joints, axes]


def laws(
    representation: Representation, schema: Schema, frame: Frame, widths: tuple[float, ...]
) -> dict[str, Law]:
    """Each decoder's errors if the network's posterior is this wide, in input pixels a joint.

    The network's mean lies about the truth as the truth lies about it. Where in its bin the mean
    lies decides what the decoder answers.
    """
    curves = biases(representation, schema, frame, widths)
    return {name: _law(curve, np.array(widths), frame) for name, curve in curves.items()}


def of_run(
    codec: Representation | str,  # or why there is none
    schema: Schema,
    frame: Frame,
    widths: Float64[np.ndarray, " joint"],
    decoder: str,
) -> dict[str, Law]:
    """This decoder's laws by name: of a sure network, and of one as unsure as the median joint."""
    if isinstance(codec, str) or decoder not in codec.codec.decoders:
        return {}
    median = float(np.median(widths))
    known = {"a network that is sure": 0.0}
    if not is_entangled(codec.codec) and not np.isnan(median):
        known[f"one as unsure as this ({median:.2f} px)"] = median
    return {
        name: laws(codec, schema, frame, (width,) * schema.joints)[decoder]
        for name, width in known.items()
    }


def biases(
    representation: Representation, schema: Schema, frame: Frame, widths: tuple[float, ...]
) -> dict[str, ByPhase]:
    """Each decoder's error in mid-map, at even phases of the network's mean."""
    known = replace(representation, uncertainty=widths)
    phases = even_phases()
    middles = [size // 2 for size in representation.codec.grid.bins]  # y, x
    lines = zip(frame.lines[::-1], middles[::-1], strict=True)
    points = np.stack([first + step * (bins + phases) for (first, step), bins in lines], -1)
    true = torch.from_numpy(points).float()[:, None].expand(-1, schema.joints, -1).contiguous()
    answers = round_trip.decoded(known, schema, true)
    return {name: (each.double() - true.double()).numpy() for name, each in answers.items()}


def _law(curve: ByPhase, widths: Float64[np.ndarray, " joint"], frame: Frame) -> Law:
    """Averages over where the network's mean may lie, for each truth."""
    shares = (torch.arange(NORMAL_DRAWS, dtype=torch.float64) + 0.5) / NORMAL_DRAWS
    draws = torch.special.ndtri(shares).numpy()
    phases = even_phases()[:, None, None, None]
    moves = (widths[:, None] / np.array(frame.spacing))[None, None] * draws[:, None, None, None]
    places = np.moveaxis(moves, 0, 1) + phases  # (phase, draw, joint, axis)
    away = looked_up(curve, places) + (places - phases) * np.array(frame.spacing)
    return Law(away.mean(1), np.abs(away).mean(1))
