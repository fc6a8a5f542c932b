"""What peaks order people by: how sure a network is, in units of its label's sigma."""

import numpy as np

from heatmap_research.analysis.theory.laws.normal import Numbers


def map_peak(sigma: Numbers, uncertainty: Numbers) -> Numbers:
    """Of a learnt 2-D map relative to its label's; so too the product of two vectors' peaks.

    Both in bins, or both in pixels.
    """
    return 1 / (1 + np.square(np.asarray(uncertainty) / sigma))


def vector_peak(sigma: Numbers, uncertainty: Numbers) -> Numbers:
    """Of one vector, hence of the smaller of two that are as sure as each other."""
    return np.sqrt(map_peak(sigma, uncertainty))
