"""What rounding of labels costs a trained network."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import Float64

from heatmap_research.analysis.error_budget.frame import Frame
from heatmap_research.analysis.error_budget.law import PHASES, Curve, biases, looked_up
from heatmap_research.analysis.error_budget.state import State
from heatmap_research.analysis.theory.round_trip import Representation
from heatmap_research.codec.protocols import Target
from heatmap_research.codec.targets.rounded import Rounded
from heatmap_research.types import Schema

REACH = 1.0  # bins about an answer, in which the mean of a network that gave it is looked for
SHARP = 1 / PHASES  # bins within which it is to have given this answer
AT_ONCE = 1 << 12  # answers

PerAxis = Float64[np.ndarray, "person joint 2"]


@dataclass(frozen=True, eq=False)
class Biases:
    """Of a decoder on learnt maps, by where in its bin the network's mean lies."""

    rounded: Curve
    exact: Curve


@dataclass(frozen=True, eq=False)
class ExactLabels:
    """Labels at the exact place in place of those at whole bins or pixels.

    A network as unsure as this one, of which truth and answer are known, has its mean somewhere
    that explains both; one such place is drawn. There what the decoder is off by under rounded
    labels, less what it is off by under exact ones, is taken from the error.
    """

    biases: Mapping[str, Biases]  # by decoder
    widths: tuple[float, ...]  # of the posterior, crop pixels a joint
    seed: int = 0
    name: ClassVar[str] = "labels"

    def __call__(self, state: State) -> State:
        stages = ((state.fit, state.fitted), (state.read, state.errors))
        decoder, _ = state.reading
        of = self.biases[decoder]
        return state.less(*(self._cost(of, state.frame, s.truth.points, e) for s, e in stages))

    def _cost(self, of: Biases, frame: Frame, true: PerAxis, errors: PerAxis) -> PerAxis:
        draws = np.random.default_rng(self.seed).random(true.shape)
        cost = np.zeros(true.shape)
        step = max(1, AT_ONCE // (true.shape[1] * 2))
        for first in range(0, len(true), step):
            part = slice(first, first + step)
            means = self._means(of, frame, true[part], errors[part], draws[part])
            phase = frame.phase(means)
            cost[part] = looked_up(of.rounded, phase) - looked_up(of.exact, phase)
        return cost

    def _means(
        self, of: Biases, frame: Frame, true: PerAxis, errors: PerAxis, draws: PerAxis
    ) -> PerAxis:
        """Crop pixels: places near an answer are as likely as they explain it and the truth."""
        spacing = np.array(frame.spacing)
        wide = np.maximum(np.array(self.widths)[:, None], 1e-3 * spacing)  # (joint, 2)
        answer = true + errors
        moves = np.linspace(-REACH, REACH, round(2 * REACH * PHASES) + 1)
        places = answer + moves[:, None, None, None] * spacing  # (move, person, joint, 2)
        answers = looked_up(of.rounded, frame.phase(places)) + places
        far = ((places - true) / wide) ** 2 + ((answers - answer) / (SHARP * spacing)) ** 2
        sums = np.exp(-0.5 * (far - far.min(0))).cumsum(0)
        chosen = (sums < draws * sums[-1]).sum(0)
        return np.take_along_axis(places, chosen[None], 0)[0]


def exact_labels(
    rounded: Representation, schema: Schema, frame: Frame, widths: tuple[float, ...]
) -> ExactLabels | None:
    """None where no label is rounded, or a target has no exact form, as one_hot."""
    target = rounded.codec.target
    if not isinstance(target, Rounded) and not rounded.whole_pixels:
        return None
    inner: Target = target.target if isinstance(target, Rounded) else target
    exact = replace(rounded, codec=replace(rounded.codec, target=inner), whole_pixels=False)
    with_rounding, without = (biases(r, schema, frame, widths) for r in (rounded, exact))
    both = {name: Biases(bias, without[name]) for name, bias in with_rounding.items()}
    return ExactLabels(both, widths)
