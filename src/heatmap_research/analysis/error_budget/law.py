"""What decoders make of the maps a network learns, by where in a bin the truth lies."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64

from heatmap_research.analysis.error_budget.frame import Frame
from heatmap_research.analysis.theory import round_trip
from heatmap_research.analysis.theory.round_trip import Representation
from heatmap_research.types import Schema

PHASES = 64  # of a bin
DRAWS = 257  # of a normal variable: at its even quantiles

Curve = Float64[np.ndarray, "phase joint 2"]  # crop pixels, at even phases


@dataclass(frozen=True, eq=False)
class Law:
    """Mean and mean size of the error along each axis, at even phases of the truth."""

    bias: Curve
    absolute: Curve

    def as_json(self) -> dict[str, Any]:
        """Of the mean over joints."""
        kinds = {"bias": self.bias.mean(1), "absolute": self.absolute.mean(1)}
        axes = {
            axis: {k: v[:, a].tolist() for k, v in kinds.items()} for a, axis in enumerate("xy")
        }
        return {"phase": even_phases().tolist(), **axes}


def even_phases() -> Float64[np.ndarray, " phase"]:
    return (np.arange(PHASES) + 0.5) / PHASES - 0.5


def looked_up(
    curve: Curve, phase: Float64[np.ndarray, "*any joint 2"]
) -> Float64[np.ndarray, "*any joint 2"]:
    """Of the nearest phase that is known: a curve may jump between two."""
    place = np.floor((phase + 0.5) * PHASES).astype(int) % PHASES
    joints, axes = np.arange(phase.shape[-2])[:, None], np.arange(2)
    return curve[place, joints, axes]


def laws(
    representation: Representation, schema: Schema, frame: Frame, widths: tuple[float, ...]
) -> dict[str, Law]:
    """By decoder, of a network whose posterior is so wide, in input pixels a joint.

    Its mean lies about the truth as the truth about its mean; what it answers is decided by where
    in a bin its mean lies.
    """
    curves = biases(representation, schema, frame, widths)
    return {name: _law(curve, np.array(widths), frame) for name, curve in curves.items()}


def biases(
    representation: Representation, schema: Schema, frame: Frame, widths: tuple[float, ...]
) -> dict[str, Curve]:
    """By decoder, in mid-map, at even phases of the network's mean."""
    known = replace(representation, uncertainty=widths)
    phases = even_phases()
    middles = [size // 2 for size in representation.codec.grid.bins]  # y, x
    lines = zip(frame.lines[::-1], middles[::-1], strict=True)
    points = np.stack([first + step * (bins + phases) for (first, step), bins in lines], -1)
    true = torch.from_numpy(points).float()[:, None].expand(-1, schema.joints, -1).contiguous()
    found = round_trip.decoded(known, schema, true)
    return {name: (there.double() - true.double()).numpy() for name, there in found.items()}


def _law(curve: Curve, widths: Float64[np.ndarray, " joint"], frame: Frame) -> Law:
    """Over where the network's mean may lie, for each truth."""
    shares = (torch.arange(DRAWS, dtype=torch.float64) + 0.5) / DRAWS
    draws = torch.special.ndtri(shares).numpy()
    phases = even_phases()[:, None, None, None]
    moves = (widths[:, None] / np.array(frame.spacing))[None, None] * draws[:, None, None, None]
    places = np.moveaxis(moves, 0, 1) + phases  # (phase, draw, joint, axis)
    away = looked_up(curve, places) + (places - phases) * np.array(frame.spacing)
    return Law(away.mean(1), np.abs(away).mean(1))
