"""A run's folder on disk: run.json says what was run, predictions.parquet what came of it."""

import csv
import io
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from heatmap_research.runs import bounded_table
from heatmap_research.runs.record import EARLIER, NAME, VERSION, read, write_json
from heatmap_research.runs.whole_file import write, written

KEYS = ("stage", "image", "instance", "joint", "decoder", "flip_test")
PLACES = ("x", "y", "x_true", "y_true", "x_source", "y_source", "x_true_source", "y_true_source")
PREDICTIONS = pa.schema(
    [
        ("stage", pa.dictionary(pa.int8(), pa.string())),
        ("image", pa.int64()),
        ("instance", pa.int64()),
        ("joint", pa.int16()),
        ("decoder", pa.dictionary(pa.int8(), pa.string())),
        ("flip_test", pa.bool_()),
        *((place, pa.float32()) for place in PLACES),  # x, y in crop pixels, then in source pixels
        ("score", pa.float32()),
        ("visible", pa.int8()),  # 0 not labelled, 1 covered, 2 visible
        ("scale", pa.float32()),  # square root of the instance's area in source pixels
        ("x_other", pa.float32()),  # the same joint of a second figure, crop pixels; or null
        ("y_other", pa.float32()),
    ]
)


@dataclass(frozen=True)
class RunStore:
    folder: Path

    @property
    def record(self) -> Path:
        return self.folder / NAME

    @property
    def predictions(self) -> Path:
        return self.folder / "predictions.parquet"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def weights(self) -> Path:
        """What a finished run has learnt and nothing else; last.ckpt has what goes on besides."""
        return self.checkpoints / "weights.safetensors"

    def read(self, *needed: str) -> dict[str, Any]:
        return read(self.folder, *needed)

    def clear(self) -> None:
        """Deletes what an earlier run in the same folder left."""
        others = (self.folder / name for name in ("traceback.txt", EARLIER))
        files = (self.record, self.predictions, self.weights, *others)
        for file in (*files, *self.folder.glob("results/*.json"), *self.checkpoints.glob("*.ckpt")):
            file.unlink(missing_ok=True)
        shutil.rmtree(self.folder / "evaluate", ignore_errors=True)  # of weights that are gone

    def update(self, **facts: Any) -> None:
        """Adds facts to run.json, or puts them in the place of those of the same name."""
        known = self.read() if self.record.exists() else {"version": VERSION}
        write_json(self.record, known | facts)

    def write_predictions(self, rows: pa.Table) -> None:
        """Puts rows in the place of those that are stored of the same stages."""
        rows = _first_of_each(rows)
        if self.predictions.exists():
            stored = pq.read_table(self.predictions)
            stages = set(rows["stage"].to_pylist())
            kept = stored.filter(pa.array(s not in stages for s in stored["stage"].to_pylist()))
            rows = pa.concat_tables([kept, rows]).unify_dictionaries()
        with written(self.predictions) as partial:
            pq.write_table(rows, partial)

    def write_results(self, stage: str, decoder: str, results: Sequence[dict[str, Any]]) -> None:
        """Writes people as COCO has them, each a dict."""
        write(self.folder / "results" / f"{stage}_{decoder}.json", json.dumps(results))

    @contextmanager
    def continued_metrics(self) -> Iterator[None]:
        """Keeps the rows of metrics.csv, which a logger starting anew deletes, on the disk.

        There they also outlast a process that is killed, and a disk that fills meanwhile.
        """
        file, kept = self.folder / "metrics.csv", self.folder / EARLIER
        earlier = _gone_on(_csv(kept), _csv(file))
        write(kept, _as_csv(earlier))
        try:
            yield
        finally:
            write(file, _as_csv(_gone_on(earlier, _csv(file))))
            kept.unlink(missing_ok=True)

    def read_predictions(self) -> pa.Table:
        return bounded_table.read(self.predictions)


def _csv(file: Path) -> list[dict[str, str]]:
    """The whole rows: the last may have been cut off."""
    whole = file.read_text().rpartition("\n")[0] if file.exists() else ""
    return list(csv.DictReader(whole.splitlines()))


def _as_csv(rows: Sequence[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _gone_on(earlier: list[dict[str, str]], rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Rows behind those of before the step that they begin at."""
    first = min((int(row["step"]) for row in rows), default=sys.maxsize)
    return [row for row in earlier if int(row["step"]) < first] + rows


def _first_of_each(rows: pa.Table) -> pa.Table:
    """One row an instance, joint and decoder, whatever padding or gathering repeated."""
    numbered = rows.select(list(KEYS)).append_column("row", pa.array(range(len(rows))))
    first = numbered.group_by(list(KEYS)).aggregate([("row", "min")])["row_min"]
    return rows if len(first) == len(rows) else rows.take(first.combine_chunks().sort())
