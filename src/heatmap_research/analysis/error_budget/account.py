"""All that a run's predictions say of where its error comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from heatmap_research.analysis.error_budget import gross, law, parts, per_joint, profiles, rounding
from heatmap_research.analysis.error_budget.calibration import Reliability, Risk, reliability, risk
from heatmap_research.analysis.error_budget.replacements import Decoding, Flip
from heatmap_research.analysis.error_budget.stages import Readout, Stage
from heatmap_research.analysis.error_budget.state import Frame, Replacement, State, start
from heatmap_research.analysis.theory.annotators import Annotators
from heatmap_research.analysis.theory.round_trip import Representation
from heatmap_research.types import Schema


@dataclass(frozen=True, eq=False)
class Account:
    """One stage of a run, read by one decoder."""

    readout: Readout
    fitted_to: str  # what was chosen and fitted on
    forwards: parts.Budget
    backwards: parts.Budget
    absent: Mapping[str, str]  # parts that this run cannot have, and why
    best: tuple[Readout, ...]  # what decoding and flip together chose, a half each if crossed
    flip_px: float | None  # what a flip test takes off this decoder's mean error, below 0: adds
    kinds: Mapping[str, int]  # labelled joints by kind of error, as the run has them
    kinds_left: Mapping[str, int]  # and after decoder, flip test and biases
    joints: per_joint.Joints
    uncertainty: per_joint.Uncertainty  # of the stage that was fitted to, read best
    cell: str  # what a phase is within: a bin; a pixel where there are no bins
    phases: Mapping[str, profiles.Profile]
    laws: Mapping[str, law.Law]  # of this decoder: sure of the truth, and as unsure as the run
    border: Mapping[str, profiles.Profile]
    scores: Mapping[str, Reliability]
    risk: Risk
    people: Annotators | None  # who marked the joints; None: truth is exact
    stand_in: float | None = None  # an OKS tolerance of every joint, where none was measured

    def as_json(self) -> dict[str, Any]:
        decoder, flip = self.readout
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
            "kinds_left": dict(self.kinds_left),
            "by_joint": _listed(self.joints),
            "uncertainty_share": self.uncertainty.share,
            "phase_in": self.cell,
            "phases": {axis: _listed(profile) for axis, profile in self.phases.items()},
            "laws": {name: each.as_json() for name, each in self.laws.items()},
            "border": {name: _listed(profile) for name, profile in self.border.items()},
            "scores": {n: {"ece": curve.ece} | _listed(curve) for n, curve in self.scores.items()},
            "aurc_px": self.risk.aurc,
            "aurc_excess_px": self.risk.excess,
            "annotators_px": self.people and self.people._asdict(),
            "stand_in_tolerance": self.stand_in,
        }


def _listed(columns: profiles.Profile | per_joint.Joints | Reliability) -> dict[str, Any]:
    return {name: values.tolist() for name, values in asdict(columns).items()}


def of_run(
    frame: Frame,
    schema: Schema,
    val: Stage | None,  # None: halves of the stage that is read
    read: Stage,
    readout: Readout,
    codec: Representation | str,  # or why there is none
    person: float,  # OKS from which on a person counts as right when scores are judged
    marked: bool = False,  # joints are marked by people, and not known exactly
) -> Account:
    starts = _starts(frame, val, read, readout)
    unsure = per_joint.uncertainty(frame, read if val is None else val, readout[1])
    labels = rounding.exact_labels(codec, schema, frame, unsure.widths)
    able, absent = _replacements(frame, read, labels)
    forwards, backwards = parts.both_orders(starts, able)
    best = [Flip()(Decoding()(state)) for state in starts]
    scores, cost = _scores(frame, starts, person)
    return Account(
        readout=readout,
        fitted_to="the other half of the images" if val is None else "val",
        forwards=forwards,
        backwards=backwards,
        absent=absent,
        best=tuple(dict.fromkeys(state.readout for state in best)),
        flip_px=_saved_by_flip(read, readout[0]),
        kinds=gross.counts(starts),
        kinds_left=gross.counts([parts.replaced(s, able, parts.SYSTEMATIC) for s in starts]),
        joints=per_joint.joints(starts, unsure),
        uncertainty=unsure,
        cell=frame.cell,
        phases=profiles.by_phase(starts),
        laws=law.of_run(codec, schema, frame, unsure.widths, readout[0]),
        border={"as it is": profiles.by_border(starts), "read best": profiles.by_border(best)},
        scores=scores,
        risk=cost,
        people=read.truth.annotators(frame.tolerances) if marked else None,
        stand_in=None if schema.tolerances_known else schema.sigmas[0],
    )


def _starts(frame: Frame, val: Stage | None, read: Stage, readout: Readout) -> list[State]:
    """One state fitted to val, or two halves of the stage that are fitted to each other."""
    if not read.truth.counted.any():
        raise ValueError("no joint here is labelled: there is no error to account for.")
    one, other = read.halves()
    pairs = [(val, read)] if val is not None else [(one, other), (other, one)]
    if not all(stage.truth.counted.any() for pair in pairs for stage in pair):
        raise ValueError("there are too few images to fit to some and read the others.")
    return [start(frame, *pair, readout) for pair in pairs]


def _replacements(
    frame: Frame, read: Stage, labels: rounding.ExactLabels | str
) -> tuple[tuple[Replacement, ...], dict[str, str]]:
    """What this run can have put right, and the parts that it cannot, with the reasons."""
    absent = {"labels": labels} if isinstance(labels, str) else {}
    if len(read.decoders) < 2:
        absent["decoding"] = "no other decoder reads what this run answers with"
    if {flip for _, flip in read.answers} != {False, True}:
        absent["flip"] = "there are no predictions of both"
    if list(frame.flip) == list(range(len(frame.flip))):
        absent["inversion"] = "no joint has a mirror joint"
    if not len(read.truth.neighbours()[0]):
        absent["swap"] = "no image holds two people that were looked for"
    every = parts.replacements(None if isinstance(labels, str) else labels)
    return tuple(each for each in every if each.name not in absent), absent


def _saved_by_flip(read: Stage, decoder: str) -> float | None:
    both = [(decoder, flip) for flip in (False, True) if (decoder, flip) in read.answers]
    return read.mean_px(both[0]) - read.mean_px(both[1]) if len(both) == 2 else None


def _scores(
    frame: Frame, states: Sequence[State], person: float
) -> tuple[dict[str, Reliability], Risk]:
    """Reliability by joint and by person, whose score is their joints' mean; risk by joint."""
    counted = np.concatenate([s.read.truth.counted for s in states])
    scores = np.concatenate([s.read.scores[s.readout] for s in states])
    similarity = np.concatenate([frame.similarity(s.read.truth, s.errors) for s in states])
    errors = np.concatenate([s.errors for s in states])[counted]
    right = similarity[counted] >= frame.good
    known = counted.any(-1)
    whole, oks = (
        np.where(counted, values, 0).sum(-1)[known] / counted.sum(-1)[known]
        for values in (scores, similarity)
    )
    curves = {
        f"joints, OKS at least {frame.good:g}": reliability(scores[counted].clip(0, 1), right),
        f"people, OKS at least {person:g}": reliability(whole.clip(0, 1), oks >= person),
    }
    return curves, risk(scores[counted], np.hypot(*errors.T))
