"""All that a run's predictions say of where its error comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from heatmap_research.analysis.error_budget import law, parts, profiles, rounding
from heatmap_research.analysis.error_budget.calibration import Reliability, Risk, reliability, risk
from heatmap_research.analysis.error_budget.frame import Frame
from heatmap_research.analysis.error_budget.gross import mistakes
from heatmap_research.analysis.error_budget.law import Law
from heatmap_research.analysis.error_budget.parts import ORDER, Budget
from heatmap_research.analysis.error_budget.per_joint import Joints, per_joint
from heatmap_research.analysis.error_budget.profiles import Profile
from heatmap_research.analysis.error_budget.readings import Decoding, Flip
from heatmap_research.analysis.error_budget.spread import Spread, uncertainty, unknown
from heatmap_research.analysis.error_budget.stages import Reading, Stage
from heatmap_research.analysis.error_budget.state import Replacement, State, mean_length, start
from heatmap_research.analysis.theory.posterior import is_entangled
from heatmap_research.analysis.theory.round_trip import Representation
from heatmap_research.types import Schema


@dataclass(frozen=True, eq=False)
class Account:
    """Of one reading of one stage."""

    reading: Reading
    fitted_to: str  # what was chosen and fitted on
    forwards: Budget
    backwards: Budget
    absent: Mapping[str, str]  # parts that this run cannot have, and why
    best: tuple[Reading, ...]  # what decoding and flip together chose, a half each if crossed
    flip_px: float | None  # what a flip test takes off this decoder's mean error, below 0: adds
    kinds: Mapping[str, int]  # of labelled joints, as the run has them
    left: Mapping[str, int]  # and after decoder, flip test and biases
    joints: Joints
    spread: Spread  # of what was fitted to, read best
    cell: str  # that a phase is within: a bin; a pixel where there are no bins
    phases: Mapping[str, Profile]
    laws: Mapping[str, Law]  # of this decoder: sure of the truth, and as unsure as the run
    border: Mapping[str, Profile]
    scores: Mapping[str, Reliability]
    risk: Risk

    def as_json(self) -> dict[str, Any]:
        decoder, flip = self.reading
        return {
            "decoder": decoder,
            "flip_test": flip,
            "fitted_to": self.fitted_to,
            "forwards": self.forwards.as_json(),
            "backwards": self.backwards.as_json(),
            "absent": dict(self.absent),
            "best": [{"decoder": name, "flip_test": flipped} for name, flipped in self.best],
            "flip_px": self.flip_px,
            "kinds": dict(self.kinds),
            "kinds_left": dict(self.left),
            "by_joint": self.joints.as_json(),
            "uncertainty_share": self.spread.share,
            "phase_in": self.cell,
            "phases": {axis: profile.as_json() for axis, profile in self.phases.items()},
            "laws": {name: each.as_json() for name, each in self.laws.items()},
            "border": {name: profile.as_json() for name, profile in self.border.items()},
            "scores": {name: curve.as_json() for name, curve in self.scores.items()},
            "aurc_px": self.risk.aurc,
            "aurc_excess_px": self.risk.excess,
        }


@dataclass(frozen=True)
class Limits:
    """From where on a joint, and a person, counts as right when scores are judged."""

    joint: float  # similarity
    person: float  # OKS


def take(
    frame: Frame,
    schema: Schema,
    val: Stage | None,  # None: halves of the stage that is read
    read: Stage,
    reading: Reading,
    codec: Representation | str,  # or why there is none
    limits: Limits,
) -> Account:
    if not read.truth.counted.any():
        raise ValueError("no joint here is labelled: there is no error to account for.")
    one, other = read.halves()
    pairs = [(val, read)] if val is not None else [(one, other), (other, one)]
    if not all(stage.truth.counted.any() for pair in pairs for stage in pair):
        raise ValueError("there are too few images to fit to some and read the others.")
    starts = [start(frame, *pair, reading) for pair in pairs]
    spread = _uncertainty(frame, read if val is None else val, reading[1])
    able, absent = _able(frame, schema, read, codec, spread.widths)
    forwards, backwards = parts.both_orders(starts, able)
    best = [Flip()(Decoding()(state)) for state in starts]
    sound = [parts.replaced(state, able, ORDER[:5]) for state in starts]
    scores, cost = _scores(frame, starts, limits)
    return Account(
        reading=reading,
        fitted_to="the other half of the images" if val is None else "val",
        forwards=forwards,
        backwards=backwards,
        absent=absent,
        best=tuple(dict.fromkeys(state.reading for state in best)),
        flip_px=_flip_saves(read, reading[0]),
        kinds=_kinds(starts),
        left=_kinds(sound),
        joints=per_joint(starts, spread),
        spread=spread,
        cell=frame.cell,
        phases=profiles.by_phase(starts),
        laws=_laws(codec, schema, frame, spread.widths, reading[0]),
        border={"as it is": profiles.by_border(starts), "read best": profiles.by_border(best)},
        scores=scores,
        risk=cost,
    )


def _able(
    frame: Frame,
    schema: Schema,
    read: Stage,
    codec: Representation | str,
    widths: Float64[np.ndarray, " joint"],
) -> tuple[tuple[Replacement, ...], dict[str, str]]:
    absent: dict[str, str] = {}
    labels = None
    if isinstance(codec, str):
        absent["labels"] = codec
    elif is_entangled(codec.codec):
        absent["labels"] = "its 2-D labels are no products of a profile along each axis"
    elif np.isnan(widths).any():
        absent["labels"] = "no joint is near its truth, so how unsure it is cannot be measured"
    else:
        labels = rounding.exact_labels(codec, schema, frame, tuple(widths.tolist()))
    if labels is None:
        absent.setdefault("labels", "its labels are exact, or have no exact form as one_hot")
    if len(read.decoders) < 2:
        absent["decoding"] = "no other decoder reads what this run answers with"
    if {flip for _, flip in read.found} != {False, True}:
        absent["flip"] = "there are no predictions of both"
    if list(frame.flip) == list(range(len(frame.flip))):
        absent["inversion"] = "no joint has a mirror joint"
    if not len(read.truth.neighbours()[0]):
        absent["swap"] = "no image holds two people that were looked for"
    able = tuple(each for each in parts.replacements(labels) if each.name not in absent)
    return able, absent


def _uncertainty(frame: Frame, stage: Stage, flip: bool) -> Spread:
    try:
        return uncertainty(frame, stage, flip)
    except ValueError:
        return unknown(len(frame.flip))


def _laws(
    codec: Representation | str,
    schema: Schema,
    frame: Frame,
    widths: Float64[np.ndarray, " joint"],
    decoder: str,
) -> dict[str, Law]:
    """Of the joints of middling uncertainty, which a figure of all joints can be compared with."""
    if isinstance(codec, str) or decoder not in codec.codec.decoders:
        return {}
    middling = float(np.median(widths))
    known = {"a network that is sure": 0.0}
    if not is_entangled(codec.codec) and not np.isnan(middling):
        known[f"one as unsure as this ({middling:.2f} px)"] = middling
    return {
        name: law.laws(codec, schema, frame, (width,) * schema.joints)[decoder]
        for name, width in known.items()
    }


def _kinds(states: list[State]) -> dict[str, int]:
    counts = [mistakes(s.frame, s.read.truth, s.errors).counts() for s in states]
    return {name: sum(count[name] for count in counts) for name in counts[0]}


def _flip_saves(read: Stage, decoder: str) -> float | None:
    readings = [(decoder, False), (decoder, True)]
    if not all(reading in read.found for reading in readings):
        return None
    plain, flipped = (mean_length(read.errors(reading), read) for reading in readings)
    return plain - flipped


def _scores(
    frame: Frame, states: list[State], limits: Limits
) -> tuple[dict[str, Reliability], Risk]:
    """By joint, and by person: the mean of labelled joints' scores against OKS."""
    joint: list[tuple[np.ndarray, ...]] = []
    person: list[tuple[np.ndarray, ...]] = []
    for state in states:
        truth, scores = state.read.truth, state.read.scores[state.reading]
        counted, alike = truth.counted, frame.similarity(truth, state.errors)
        lengths = np.hypot(*state.errors[counted].T)
        joint.append((scores[counted], alike[counted] >= limits.joint, lengths))
        known = counted.any(-1)
        means = [_mean_of(v[known], counted[known]) for v in (scores, alike)]
        person.append((means[0], means[1] >= limits.person))
    score, right, lengths = (np.concatenate(column) for column in zip(*joint, strict=True))
    whole, alright = (np.concatenate(column) for column in zip(*person, strict=True))
    curves = {
        f"joints, OKS at least {limits.joint:g}": reliability(score.clip(0, 1), right),
        f"people, OKS at least {limits.person:g}": reliability(whole.clip(0, 1), alright),
    }
    return curves, risk(score, lengths)


def _mean_of(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    return np.where(counted, values, 0).sum(-1) / counted.sum(-1)
