"""What a comparison of two arms says."""

from dataclasses import dataclass

from heatmap_research.analysis.comparison.statistics.interval import Interval
from heatmap_research.analysis.comparison.verdict import wording
from heatmap_research.analysis.comparison.verdict.settings import Setting


@dataclass(frozen=True)
class Verdict:
    """`arm` less `other`, each read by the decoder that was chosen for it."""

    arm: str
    other: str
    unit: str
    higher_is_better: bool
    decoder: str
    other_decoder: str
    setting: Setting  # what both have in common of all that was varied
    over: tuple[str, ...]  # settings that are averaged over
    seeds: tuple[int, ...]
    images: int
    interval: Interval
    p_holm: float  # adjusted for the family of all verdicts made together
    margin: float | None  # given beforehand
    p_equivalent: float | None  # likewise adjusted
    detectable: float  # the least difference found four times in five
    seeds_needed: int | None  # to find a difference of the margin four times in five
    notes: tuple[str, ...] = ()
    family: int = 1

    @property
    def different(self) -> bool:
        return self.p_holm < 1 - self.interval.level

    @property
    def equivalent(self) -> bool | None:
        chance = self.p_equivalent
        return None if chance is None else chance < 1 - self.interval.level

    @property
    def better(self) -> bool:
        """Whether the estimate favours `arm`, be it different or not."""
        return (self.interval.estimate > 0) == self.higher_is_better

    @property
    def words(self) -> str:
        one, other = f"{self.arm} ({self.decoder})", f"{self.other} ({self.other_decoder})"
        size = wording.number(abs(self.interval.estimate), self.interval)
        seeds = len(self.seeds)
        spread = wording.covering(self.interval, self.unit, seeds, self.images, self.family)
        spread = f"({spread}; {self._chance(self.p_holm)})"
        if self.different:
            kind = "better" if self.better else "worse"
            said = f"{one} is {kind} than {other} by {size} {self.unit} {spread}"
        elif not float(size):
            said = f"{one} and {other} differ by {size} {self.unit} and are not told apart {spread}"
        else:
            side = "higher" if self.interval.estimate > 0 else "lower"
            said = f"{one} is {side} than {other} by {size} {self.unit}, "
            said += f"but they are not told apart {spread}"
        tail = [self._findable(), self._equivalence(), self._plan(), *self.notes]
        return wording.where(self.setting, self.over) + ". ".join([said, *filter(None, tail)]) + "."

    def _chance(self, p: float) -> str:
        among = f" among {self.family} comparisons" if self.family > 1 else ""
        return f"{wording.chance(p)}{among}"

    def _findable(self) -> str:
        if self.different or self.equivalent or self.detectable == 0:
            return ""
        least = f"{wording.number(self.detectable, self.interval)} {self.unit}"
        alone = ", compared alone," if self.family > 1 else ""
        return f"A difference of {least}{alone} would be found four times in five"

    def _equivalence(self) -> str:
        if self.margin is None or self.p_equivalent is None:
            return ""
        kind = "are" if self.equivalent else "are not shown to be"
        within = wording.within(self.interval, 1 - self.interval.level, self.family)
        tests = f"{self._chance(self.p_equivalent)}, two one-sided tests"
        return f"They {kind} equivalent within {self._margin} ({within}; {tests})"

    @property
    def _margin(self) -> str:
        return f"{self.margin:g} {self.unit}"

    def _plan(self) -> str:
        if self.margin is None or self.different or self.equivalent or len(self.seeds) == 1:
            return ""
        if self.seeds_needed is None:
            return f"To find {self._margin} takes more images, whatever the number of seeds"
        return f"A difference of {self._margin} would be found with about {self.seeds_needed} seeds"
