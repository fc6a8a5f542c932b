"""The standard normal distribution, of a number or an array."""

import math

import numpy as np
from jaxtyping import Float

Numbers = float | Float[np.ndarray, "..."]

_erfc = np.vectorize(math.erfc, otypes=[float])


def density(x: Numbers) -> Numbers:
    """Of a standard normal variable."""
    return np.exp(-np.square(x) / 2) / math.sqrt(2 * math.pi)


def below(x: Numbers) -> Numbers:
    """Chance that a standard normal variable is, exact in the lower tail."""
    return _erfc(-np.asarray(x) / math.sqrt(2)) / 2
