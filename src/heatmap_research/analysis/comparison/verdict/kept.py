"""A study without its run folders: what its questions are answered from, small enough to be kept.

`cells.parquet` has the sums of each run, decoder and image; `runs.json` what was asked of each run
and what came of it. Both are read as runs, by all that compares runs by means over images.
"""

import copy
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from heatmap_research.analysis.comparison.verdict import tables, truth
from heatmap_research.metrics import measures
from heatmap_research.runs import bounded_table, curves
from heatmap_research.runs.find import Run, evaluations
from heatmap_research.runs.whole_file import together

CELLS, RUNS = "cells.parquet", "runs.json"
COLUMNS = pa.schema(
    [
        ("run", pa.dictionary(pa.int32(), pa.string())),
        ("decoder", pa.dictionary(pa.int32(), pa.string())),
        ("measure", pa.dictionary(pa.int32(), pa.string())),
        ("image", pa.int64()),
        ("sum", pa.float32()),  # over joints, of what was measured
        ("count", pa.float32()),  # joints that count
    ]
)
STAGE = "test"
# Where a run and its files were, and how it was watched; of files the name stays.
LEFT_OUT = (
    *("output_dir", "resume", "root", "cache", "callback", "logger"),
    *("started_in", "run", "checkpoint"),
)
FILES = ("annotations", "images", "detections", "file")


@dataclass(frozen=True, kw_only=True)
class KeptRun(Run):
    cells: pa.Table

    def sums(self, stage: str, decoder: str, figure: str) -> tables.PerImage:
        """What `tables.per_image` makes of a run's predictions."""
        rows = self.cells
        for name, value in (("decoder", decoder), ("measure", figure)):
            rows = rows.filter(pc.equal(rows[name].cast(pa.string()), value))
        if stage != STAGE or not len(rows):
            raise ValueError(f"{self.name}: no {figure} of {stage} is kept by decoder {decoder}.")
        sums = np.stack([rows[name].to_numpy() for name in ("sum", "count")], -1)
        true = truth.of_digest(self.record["truth"])
        return tables.PerImage(self, rows["image"].to_numpy(), sums.astype(np.float64), true)


def keep(runs: Sequence[Run], folder: Path, figures: Sequence[str]) -> None:
    """Writes both files of the finished runs among these, and of their evaluations.

    Other runs that the folder keeps already stay.
    """
    done = [run for run in (*runs, *evaluations(runs)) if run.status == "finished"]
    if not done:
        raise ValueError("no run has finished: there is nothing to keep.")
    earlier = others(runs, folder)
    parts = [run.cells for run in earlier]
    parts += [
        _cells(run, decoder, name) for run in done for decoder, name in _read(run, STAGE, figures)
    ]
    table = pa.concat_tables(parts).unify_dictionaries()
    records = {run.name: run.record for run in earlier}
    records |= {run.name: _record(run, figures) for run in done}
    shared = _shared(list(records.values()))
    own = [f"{json.dumps(n)}: {json.dumps(_less(known, shared))}" for n, known in records.items()]
    text = ",\n".join(own)
    with together(folder / CELLS, folder / RUNS) as (cells, asked):
        pq.write_table(table, cells, compression="zstd")
        asked.write_text(f'{{"all": {json.dumps(shared)},\n"runs": {{\n{text}\n}}}}\n')


def others(runs: Sequence[Run], folder: Path) -> list[KeptRun]:
    """The runs that a folder keeps, but for these and their evaluations."""
    if not (folder / RUNS).exists():
        return []
    names = {run.name for run in (*runs, *evaluations(runs))}
    return [run for run in kept(folder) if run.name not in names]


def kept(folder: Path) -> list[KeptRun]:
    """The runs of a folder that `keep` has written."""
    content = json.loads((folder / RUNS).read_text())
    records = {name: _merged(content["all"], own) for name, own in content["runs"].items()}
    table = bounded_table.read(folder / CELLS)
    names = table["run"].cast(pa.string())
    return [
        KeptRun(folder / name, record, folder, cells=table.filter(pc.equal(names, name)))
        for name, record in records.items()
    ]


def _shared(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What all of these records say, at any depth."""
    one, *others = records
    shared = {}
    for key, value in one.items():
        if all(key in other and other[key] == value for other in others):
            shared[key] = value
        elif all(isinstance(record.get(key), dict) for record in records):
            shared[key] = _shared([record[key] for record in records])
    return shared


def _less(record: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    own = {}
    for key, value in record.items():
        if key not in shared:
            own[key] = value
        elif value != shared[key]:
            own[key] = _less(value, shared[key])
    return own


def _merged(shared: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    both = {key: _merged(shared[key], own[key]) for key in shared.keys() & own.keys()}
    return shared | own | both


def _read(run: Run, stage: str, figures: Sequence[str]) -> Iterable[tuple[str, str]]:
    known = run.predictions(stage, columns=["decoder"])["decoder"].cast(pa.string())
    return product(known.unique().to_pylist(), figures)


def _cells(run: Run, decoder: str, figure: str) -> pa.Table:
    read = tables.per_image(run, STAGE, decoder, measures.named(figure))
    words = (np.full(len(read.images), word) for word in (run.name, decoder, figure))
    columns = [pa.array(each).dictionary_encode() for each in words]
    columns += [pa.array(each) for each in (read.images, *read.sums.T)]
    return pa.table(columns, names=COLUMNS.names).cast(COLUMNS)


def _record(run: Run, figures: Sequence[str]) -> dict[str, Any]:
    known = _without_places(run.record)
    usual = measures.named("pixel_error")
    known["truth"] = _digest(tables.per_image(run, STAGE, run.decoders[0], usual).truth)
    known["courses"] = dict(_courses(run))
    known["metrics"] = _with_val(run, figures)
    return known


def _without_places(node: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in node.items() if name not in LEFT_OUT}
    for name, value in kept.items():
        if isinstance(value, dict):
            kept[name] = _without_places(value)
        elif name in FILES and isinstance(value, str):
            kept[name] = Path(value).name
    return kept


def _with_val(run: Run, figures: Sequence[str]) -> dict[str, Any]:
    """The metrics of a record, and those by which decoders are chosen that it was not read by."""
    known = copy.deepcopy(run.record.get("metrics", {}))
    for decoder, name in _read(run, "val", figures):
        of_decoder = known.setdefault("val", {}).setdefault(decoder, {})
        if of_decoder.get(name) is None:
            whole, count = tables.per_image(run, "val", decoder, measures.named(name)).total
            of_decoder[name] = whole / count if count else None
    return known


def _courses(run: Run) -> Iterator[tuple[str, list[list[float]]]]:
    """How the monitored figure fell on val."""
    for decoder in run.decoders:
        column = f"val/{decoder}/{run.value('monitor')}"
        with suppress(ValueError, OSError):
            course = curves.read(run, column)
            yield column, [course.step.tolist(), course.value.tolist()]


def _digest(joints: truth.TrueJoints) -> str:
    """The same for the same people, joints and places to a hundredth of a pixel."""
    parts = [joints.who, joints.visible, np.rint(100 * joints.source[joints.visible > 0])]
    return hashlib.sha256(b"".join(np.ascontiguousarray(p).tobytes() for p in parts)).hexdigest()
