"""How often intervals of contrasts cover a planted truth, and how often a true 0 is told apart.

python experiments/statistics/contrasts.py [--tables 2000]
"""

import argparse
from dataclasses import dataclass

import numpy as np

from heatmap_research.analysis.comparison.contrast.answer import of_table
from heatmap_research.analysis.comparison.contrast.curves import Exponent, Shift
from heatmap_research.analysis.comparison.contrast.product import Product
from heatmap_research.analysis.comparison.contrast.protocols import Contrast
from heatmap_research.analysis.comparison.contrast.share import Share
from heatmap_research.analysis.comparison.statistics import two_way

IMAGES = 60
BUDGETS = (125, 250, 500, 1000)
SEED, SHARED, IMAGE, REST = 0.05, 0.3, 0.1, 0.2  # relative standard deviations of a cell's errors


@dataclass(frozen=True)
class Planted:
    """Rows of weights for cells with these means, and the contrast's true value."""

    contrast: Contrast
    rows: np.ndarray
    means: np.ndarray
    truth: float

    def draw(self, rng: np.random.Generator, seeds: int) -> np.ndarray:
        """Each row's sum, by seed and image."""
        cells = len(self.means)
        away = (
            rng.normal(0, SEED, (cells, seeds, 1))
            + rng.normal(0, SHARED, (1, 1, IMAGES))
            + rng.normal(0, IMAGE, (cells, 1, IMAGES))
            + rng.normal(0, REST, (cells, seeds, IMAGES))
        )
        return np.tensordot(self.rows, self.means[:, None, None] * (1 + away), axes=1)


def curve(scale: float, exponent: float = 0.7) -> np.ndarray:
    return scale * np.array(BUDGETS, dtype=float) ** -exponent


def shift(what: str = "mean") -> Shift:
    return Shift({"arm": "slow - fast"}, BUDGETS, of_what=what)


def weighted(*weights: float) -> np.ndarray:
    return np.array([weights])


THREE_TIMES = np.concatenate([curve(3**0.7), curve(1)])
PLANTED = {
    "interaction": Planted(Product({}), weighted(1, -1, -1, 1), np.array([1, 2, 3, 4.5]), 0.5),
    "no interaction": Planted(Product({}), weighted(1, -1, -1, 1), np.array([1, 2, 3, 4.0]), 0.0),
    "main effect": Planted(
        Product({}), weighted(0.5, 0.5, -0.5, -0.5), np.array([2, 3, 1, 2.0]), 1.0
    ),
    "slope": Planted(Product({}), weighted(-0.3, -0.1, 0.1, 0.3), np.array([4, 3, 2, 1.0]), -1.0),
    "shift": Planted(shift(), np.eye(8), THREE_TIMES, float(np.log2(3))),
    "no drift": Planted(shift("drift"), np.eye(8), THREE_TIMES, 0.0),
    "exponent": Planted(
        Exponent((1, 2), {}), np.eye(2), np.array([2.0, 1.4]), float(np.log2(2 / 1.4))
    ),
    "relative share": Planted(
        Share({"a": "1 -> 2"}, "a", relative=True), np.eye(2), np.array([1.0, 4.0]), 25.0
    ),
}


def measured(planted: Planted, seeds: int, tables: int) -> tuple[float, float]:
    """Shares of tables whose interval has the truth, and whose test finds any difference."""
    rng = np.random.default_rng(seeds)
    inside = found = 0
    for _ in range(tables):
        known = two_way.interval(of_table(planted.contrast, planted.draw(rng, seeds)))
        inside += known.low <= planted.truth <= known.high
        found += known.p < 0.05
    return inside / tables, found / tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=2000)
    tables = parser.parse_args().tables
    print("| contrast | seeds | truth | covered, % | told apart from 0, % |\n|---|---|---|---|---|")
    for name, planted in PLANTED.items():
        for seeds in (3, 5):
            shares = [f"{100 * share:.1f}" for share in measured(planted, seeds, tables)]
            print(f"| {name} | {seeds} | {planted.truth:.3g} | {' | '.join(shares)} |", flush=True)


if __name__ == "__main__":
    main()
