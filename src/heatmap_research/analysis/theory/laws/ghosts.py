"""What a pair of vectors cannot say: which x belongs to which y."""

from collections.abc import Sequence

from heatmap_research.analysis.theory.laws import Numbers


def ghost_rate(first: Numbers, covariance: Numbers = 0.0) -> Numbers:
    """The chance that the argmaxes of the two axes choose different ones of two modes.

    `first` is each axis's chance to choose the first mode, `covariance` that of the two choices: 0
    if the axes choose alone, first (1 - first) if always together, as the argmax of a 2-D map does.
    """
    return 2 * (first * (1 - first) - covariance)


def ghost_mass(shares: Sequence[float]) -> float:
    """The share of the product of a map's marginals that lies where no mode is.

    Modes hold these shares of the map and are apart along both axes; no noise and no argmax is in
    it. Two modes that hold q and 1 - q make 2 q (1 - q).
    """
    return 1 - sum(share**2 for share in shares)
