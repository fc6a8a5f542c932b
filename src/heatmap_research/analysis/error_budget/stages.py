"""What a run answered in one stage beside the truth, as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float64, Int64

from heatmap_research.analysis.theory.annotators import Annotators, annotators

Points = Float64[np.ndarray, "person joint 2"]  # x, y in crop pixels
Rows = Bool[np.ndarray, " all"] | Int64[np.ndarray, " place"]
Readout = tuple[str, bool]  # a decoder, and whether it read the maps of a flip test


@dataclass(frozen=True, eq=False)
class StageTruth:
    """The truth of everyone who was looked for; people of one image can be mistaken for another."""

    images: Int64[np.ndarray, " person"]
    points: Points
    visible: Int64[np.ndarray, "person joint"]  # 0 not labelled
    scale: Float64[np.ndarray, " person"]  # square root of the person's area, source pixels
    first: Float64[np.ndarray, "person 2"]  # source pixel that crop pixel (0, 0) lies on
    unit: Float64[np.ndarray, "person 2"]  # source pixels per crop pixel along x and y

    @property
    def counted(self) -> Bool[np.ndarray, "person joint"]:
        return self.visible > 0

    def annotators(self, tolerances: Sequence[float]) -> Annotators | None:
        """How far people who mark these joints differ, given their OKS sigmas."""
        return annotators(np.array(tolerances), self.scale, self.unit, self.counted)

    def select(self, people: Rows) -> "StageTruth":
        return StageTruth(*(getattr(self, field.name)[people] for field in fields(self)))

    def neighbours(self) -> tuple[Int64[np.ndarray, " pair"], Int64[np.ndarray, " pair"]]:
        """Pairs of people in the same image, each pair in both orders."""
        order = np.argsort(self.images, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(self.images[order])) + 1)
        none = np.zeros((0, 2), dtype=np.int64)
        pairs = [np.stack(np.meshgrid(part, part), -1).reshape(-1, 2) for part in parts]
        one, other = np.concatenate([none, *(pair for pair in pairs if len(pair) > 1)]).T
        return one[one != other], other[one != other]


@dataclass(frozen=True, eq=False)
class Stage:
    truth: StageTruth
    answers: Mapping[Readout, Points]
    scores: Mapping[Readout, Float64[np.ndarray, "person joint"]]

    def errors(self, readout: Readout) -> Points:
        return self.answers[readout] - self.truth.points

    def mean_px(self, readout: Readout) -> float:
        """The mean error of labelled joints, in crop pixels."""
        return float(np.hypot(*self.errors(readout)[self.truth.counted].T).mean())

    @property
    def decoders(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(decoder for decoder, _ in self.answers))

    def halves(self) -> tuple["Stage", "Stage"]:
        """Deals images out to two halves in turn: what is fitted to one is read on the other."""
        _, place = np.unique(self.truth.images, return_inverse=True)
        return self.select(place % 2 == 0), self.select(place % 2 == 1)

    def select(self, people: Rows) -> "Stage":
        answers = {readout: points[people] for readout, points in self.answers.items()}
        scores = {readout: each[people] for readout, each in self.scores.items()}
        return Stage(self.truth.select(people), answers, scores)


def from_tables(stage: str, tables: Sequence[pa.Table]) -> Stage:
    """Reads a stage from prediction tables: one evaluated without a flip test, one with it."""
    answers: dict[Readout, Points] = {}
    scores: dict[Readout, Float64[np.ndarray, "person joint"]] = {}
    kept = [t.filter(pc.equal(t["stage"].cast(pa.string()), stage)) for t in tables]
    if not any(map(len, kept)):
        raise ValueError(f"stage={stage}: nothing is recorded of it.")
    for table in kept:
        read = table.group_by(["decoder", "flip_test"]).aggregate([]).to_pylist()
        for decoder, flip in (row.values() for row in read):
            named = pc.equal(table["decoder"].cast(pa.string()), decoder)
            columns = _columns(table.filter(pc.and_(named, pc.equal(table["flip_test"], flip))))
            answers[decoder, flip] = np.stack([columns["x"], columns["y"]], -1)
            scores[decoder, flip] = columns["score"]
    return Stage(_truth(columns), answers, scores)


def _columns(rows: pa.Table) -> dict[str, np.ndarray]:
    """Columns as arrays (person, joint), people in the order of their ids."""
    rows = rows.drop_columns(["stage", "decoder", "flip_test"])
    rows = rows.sort_by([("instance", "ascending"), ("joint", "ascending")])
    shape = -1, pc.max(rows["joint"]).as_py() + 1
    arrays = {name: rows[name].to_numpy().reshape(shape) for name in rows.column_names}
    whole = ("image", "visible")
    return {n: array.astype(np.int64 if n in whole else np.float64) for n, array in arrays.items()}


def _truth(columns: Mapping[str, np.ndarray]) -> StageTruth:
    """A crop's place in the source is, along each axis, a line through the points in both."""
    lines = []
    for axis in ("x", "y"):
        crop = np.concatenate([columns[axis], columns[f"{axis}_true"]], -1)
        source = np.concatenate([columns[f"{axis}_source"], columns[f"{axis}_true_source"]], -1)
        from_middle = crop - crop.mean(-1, keepdims=True)
        unit = (from_middle * source).sum(-1) / (from_middle**2).sum(-1).clip(1e-12)
        lines.append((source.mean(-1) - unit * crop.mean(-1), unit))
    first, unit = np.stack(lines, -1)
    points = np.stack([columns["x_true"], columns["y_true"]], -1)
    images, scale = columns["image"][:, 0], columns["scale"][:, 0]
    return StageTruth(images, points, columns["visible"], scale, first, unit)
