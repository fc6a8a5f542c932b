"""The same maps read better: by the best decoder, or with the better of flip test and none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from heatmap_research.analysis.error_budget.stages import Reading
from heatmap_research.analysis.error_budget.state import State, mean_length, start


@dataclass(frozen=True)
class Decoding:
    """The decoder with the least mean error; the run's own where it is that."""

    name: ClassVar[str] = "decoding"

    def __call__(self, state: State) -> State:
        _, flip = state.reading
        return _best(state, [(decoder, flip) for decoder in state.fit.decoders])


@dataclass(frozen=True)
class Flip:
    """With a flip test or without it, whichever has the lower mean error."""

    name: ClassVar[str] = "flip"

    def __call__(self, state: State) -> State:
        decoder, _ = state.reading
        return _best(state, [(decoder, flip) for flip in (False, True)])


def _best(state: State, readings: Sequence[Reading]) -> State:
    """Equals stay with what the run has."""
    able = [state.reading, *(r for r in readings if r in state.fit.found and r in state.read.found)]
    best = min(able, key=lambda reading: mean_length(state.fit.errors(reading), state.fit))
    return start(state.frame, state.fit, state.read, best)
