"""How far people who mark the same joint are from their mean, as OKS has it: the human floor."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

MEAN_OF_RMS = math.sqrt(math.pi) / 2  # of a distance whose x and y are normal and alike


class Annotators(NamedTuple):
    """Distances over labelled joints, in crop pixels."""

    rms: float
    mean: float  # where marks are spread normally

    def __str__(self) -> str:
        return (
            f"People who mark these joints differ by {self.rms:.3g} px (rms; OKS sigma times the "
            f"root of the area), a mean of {self.mean:.3g} px: truth is not known better."
        )


def annotators(
    tolerances: Float64[np.ndarray, " joint"],  # OKS sigmas
    scale: Float64[np.ndarray, " person"],  # square root of the person's area, source pixels
    unit: Float64[np.ndarray, "person 2"],  # source pixels per crop pixel along x and y
    labelled: Bool[np.ndarray, "person joint"],
) -> Annotators | None:
    """Half of the squared distance lies along each axis. None where no joint is labelled."""
    shrunk = np.sqrt((1 / unit**2).mean(-1))
    away = (scale * shrunk)[:, None] * tolerances
    if not labelled.any():
        return None
    away = away[labelled]
    return Annotators(float(np.sqrt((away**2).mean())), MEAN_OF_RMS * float(away.mean()))
