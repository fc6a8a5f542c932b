"""What it costs a trained network that its labels were rounded to whole bins or pixels."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import Float64

from heatmap_research.analysis.error_budget.law import PHASES_PER_BIN, ByPhase, biases, looked_up
from heatmap_research.analysis.error_budget.state import Frame, State
from heatmap_research.analysis.theory.posterior import is_entangled
from heatmap_research.analysis.theory.round_trip import Representation
from heatmap_research.codec.protocols import Target
from heatmap_research.codec.targets.rounded import Rounded
from heatmap_research.types import Schema

REACH_IN_BINS = 1.0  # about an answer, in which the mean of the network that gave it is sought
SHARP_IN_BINS = 1 / PHASES_PER_BIN  # how close a place's answer has to be to the one given
ANSWERS_AT_ONCE = 1 << 12

PerAxis = Float64[np.ndarray, "person joint 2"]


@dataclass(frozen=True, eq=False)
class ExactLabels:
    """Puts labels at the exact place where the run had them at whole bins or pixels.

    The truth and the answer are known, and so is how unsure the network is. One of the places where
    its mean may have been is drawn, each as likely as it explains both. The decoder's error there
    under rounded labels, less its error under exact ones, is taken off.
    """

    # each decoder's errors on learnt maps, by where in its bin the network's mean lies
    rounded: Mapping[str, ByPhase]  # if labels were rounded
    exact: Mapping[str, ByPhase]  # if they were not
    widths: tuple[float, ...]  # of the posterior, crop pixels a joint
    name: ClassVar[str] = "labels"

    def __call__(self, state: State) -> State:
        stages = ((state.fit, state.fitted), (state.read, state.errors))
        return state.less(*(self._cost(state, stage.truth.points, e) for stage, e in stages))

    def _cost(self, state: State, true: PerAxis, errors: PerAxis) -> PerAxis:
        frame, (decoder, _) = state.frame, state.readout
        rounded, exact = self.rounded[decoder], self.exact[decoder]
        draws = np.random.default_rng(0).random(true.shape)
        cost = np.zeros(true.shape)
        step = max(1, ANSWERS_AT_ONCE // (true.shape[1] * 2))
        for first in range(0, len(true), step):
            part = slice(first, first + step)
            means = self._means(rounded, frame, true[part], errors[part], draws[part])
            phase = frame.phase(means)
            cost[part] = looked_up(rounded, phase) - looked_up(exact, phase)
        return cost

    def _means(
        self, rounded: ByPhase, frame: Frame, true: PerAxis, errors: PerAxis, draws: PerAxis
    ) -> PerAxis:
        """Draws where the network's means may have been, in crop pixels."""
        spacing = np.array(frame.spacing)
        wide = np.maximum(np.array(self.widths)[:, None], 1e-3 * spacing)  # (joint, 2)
        answer = true + errors
        steps = round(2 * REACH_IN_BINS * PHASES_PER_BIN)
        moves = np.linspace(-REACH_IN_BINS, REACH_IN_BINS, steps + 1)
        places = answer + moves[:, None, None, None] * spacing  # (move, person, joint, 2)
        answers = looked_up(rounded, frame.phase(places)) + places
        far = ((places - true) / wide) ** 2 + ((answers - answer) / (SHARP_IN_BINS * spacing)) ** 2
        sums = np.exp(-0.5 * (far - far.min(0))).cumsum(0)
        chosen = (sums < draws * sums[-1]).sum(0)
        return np.take_along_axis(places, chosen[None], 0)[0]


def exact_labels(
    rounded: Representation | str,  # or why there is none
    schema: Schema,
    frame: Frame,
    widths: Float64[np.ndarray, " joint"],
) -> ExactLabels | str:
    """The replacement, or why this run cannot have it."""
    if isinstance(rounded, str):
        return rounded
    if is_entangled(rounded.codec):
        return "its 2-D labels are no products of a profile along each axis"
    if np.isnan(widths).any():
        return "no joint is near its truth, so how unsure it is cannot be measured"
    target = rounded.codec.target
    if not isinstance(target, Rounded) and not rounded.whole_pixels:
        return "its labels are exact, or have no exact form as one_hot"
    inner: Target = target.target if isinstance(target, Rounded) else target
    exact = replace(rounded, codec=replace(rounded.codec, target=inner), whole_pixels=False)
    known = tuple(widths.tolist())
    with_rounding, without = (biases(each, schema, frame, known) for each in (rounded, exact))
    return ExactLabels(with_rounding, without, known)
