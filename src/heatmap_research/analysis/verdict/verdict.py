"""What a comparison of two arms comes to."""

from dataclasses import dataclass, field

from heatmap_research.analysis.statistics.interval import Interval
from heatmap_research.analysis.verdict import words
from heatmap_research.analysis.verdict.settings import Setting


@dataclass(frozen=True)
class Verdict:
    """Of `arm` less `other`, each by the decoder that was chosen for it."""

    arm: str
    other: str
    metric: str
    unit: str
    higher_is_better: bool
    decoder: str
    other_decoder: str
    setting: Setting  # what both have in common of all that was varied
    over: tuple[str, ...]  # what is averaged over, where it is
    seeds: tuple[int, ...]
    images: int
    interval: Interval
    p: float
    p_holm: float  # of the family of all verdicts made together
    margin: float | None  # given beforehand
    p_equivalent: float | None  # likewise adjusted
    detectable: float  # the least difference found four times in five
    seeds_needed: int | None  # to find a difference of the margin four times in five
    family: int
    notes: tuple[str, ...] = field(default=())

    @property
    def different(self) -> bool:
        return self.p_holm < 1 - self.interval.level

    @property
    def equivalent(self) -> bool | None:
        if self.p_equivalent is None:
            return None
        return self.p_equivalent < 1 - self.interval.level

    @property
    def better(self) -> bool:
        """If it is different at all."""
        return (self.interval.estimate > 0) == self.higher_is_better

    @property
    def words(self) -> str:
        one, other = self._read(self.arm, self.decoder), self._read(self.other, self.other_decoder)
        size = f"{words.number(abs(self.interval.estimate), self.interval)} {self.unit}"
        spread = words.covering(self.interval, self.unit, len(self.seeds), self.images)
        if self.different:
            kind = "better" if self.better else "worse"
            said = f"{one} is {kind} than {other} by {size} ({spread}; {self._chance()})"
        else:
            said = f"{one} and {other} are not told apart: they differ by {size} "
            said += f"({spread}; {self._chance()})"
        tail = [self._equivalence(), *self.notes]
        return words.where(self.setting, self.over) + ". ".join([said, *filter(None, tail)]) + "."

    def _read(self, arm: str, decoder: str) -> str:
        return f"{arm} ({decoder})"

    def _chance(self) -> str:
        if self.family == 1:
            return words.chance(self.p)
        return f"{words.chance(self.p_holm)} among {self.family} comparisons"

    def _equivalence(self) -> str:
        if self.equivalent:
            return f"They are equivalent within {self._margin}"
        if self.different or self.detectable == 0:
            return ""
        least = words.number(self.detectable, self.interval)
        could = f"A difference of {least} {self.unit} would be found four times in five"
        if self.margin is None:
            return could
        return f"{could}; nor are they shown to be equivalent within {self._margin}{self._plan()}"

    @property
    def _margin(self) -> str:
        return f"{self.margin:g} {self.unit}"

    def _plan(self) -> str:
        if len(self.seeds) == 1:
            return ""
        if self.seeds_needed is None:
            return f", and to find {self._margin} takes more images, whatever the number of seeds"
        return f", which about {self.seeds_needed} seeds would find"
