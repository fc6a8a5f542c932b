"""How many seeds a comparison needs, whatever it measures."""

from statistics import NormalDist


def least_p(seeds: int) -> float:
    """Of a two-sided sign-flip test: 5 seeds cannot reach .05."""
    return 2.0 ** (1 - seeds)


def seeds_for_equality(deviation: float, margin: float, level: float, power: float) -> float:
    """Pairs of runs for two one-sided tests to show equal arms equal within a margin.

    `deviation` is that of a pair's difference. For known deviations: some two more where the
    answer is below ten, as it is estimated from the seeds.
    """
    normal = NormalDist()
    quantiles = normal.inv_cdf(1 - level) + normal.inv_cdf((1 + power) / 2)
    return (quantiles * deviation / margin) ** 2
