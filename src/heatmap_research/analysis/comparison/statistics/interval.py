"""A difference, and how far it can be from the true one of the population it is drawn from."""

from dataclasses import dataclass

from heatmap_research.analysis.comparison.statistics import student

BOTH = "new seeds and new images"
SEEDS = "new seeds on these images"
IMAGES = "these seeds on new images"
ONE_SEED = "new images, but this one seed only"
ONE_IMAGE = "new seeds, but this one image only"


@dataclass(frozen=True)
class Interval:
    estimate: float
    error: float  # standard error
    freedom: float  # degrees of freedom of the standard error
    level: float
    population: str  # what it covers
    method: str
    tails: student.Tails | None = None  # of an error that seeds and images both add to

    @property
    def low(self) -> float:
        return self.estimate - self._reach

    @property
    def high(self) -> float:
        return self.estimate + self._reach

    @property
    def _reach(self) -> float:
        return float(student.quantile((1 + self.level) / 2, self.freedom)) * self.error

    @property
    def p(self) -> float:
        """The two-sided p value of no difference."""
        if self.error == 0:
            return float(self.estimate == 0)
        return 2 * self._chance(abs(self.estimate))

    def p_equivalence(self, margin: float) -> float:
        """The p value of a difference of `margin` or more either way (two one-sided tests)."""
        if margin <= 0:
            raise ValueError(f"margin={margin:g}: it must be greater than 0.")
        room = margin - abs(self.estimate)
        if self.error == 0:
            return float(room <= 0)
        return self._chance(room)

    def _chance(self, distance: float) -> float:
        near = float(student.above(distance / self.error, self.freedom))
        return near if self.tails is None else max(near, float(self.tails.above(distance)))
