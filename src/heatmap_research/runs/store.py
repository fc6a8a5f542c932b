"""A run's folder on disk: run.json says what was run, predictions.parquet what came of it."""

import csv
import hashlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from heatmap_research.types import IncompatibleError

VERSION = 1
PACKAGES = ("heatmap-research", "torch", "pytorch-lightning", "timm", "hydra-core", "numpy")
# Keys, at any depth, in which two runs of the same experiment may differ.
INCIDENTAL = {"output_dir", "dirpath", "save_dir", "root", "cache", "logger", "launcher", "hydra"}
INCIDENTAL |= {
    "study",
    "pictures",
    "resume",
    "workers",
    "accelerator",
    "devices",
    "device",
    "num_nodes",
    "strategy",
}

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
    ]
)


@runtime_checkable
class Results(Protocol):
    """People that were found; points and scores as they are to be evaluated."""

    @property
    def image(self) -> np.ndarray: ...
    @property
    def keypoints(self) -> np.ndarray: ...  # (person, joint, 2), source pixels
    @property
    def scores(self) -> np.ndarray: ...


@dataclass(frozen=True)
class RunStore:
    folder: Path

    @property
    def record(self) -> Path:
        return self.folder / "run.json"

    @property
    def predictions(self) -> Path:
        return self.folder / "predictions.parquet"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    def read(self, *needed: str) -> dict[str, Any]:
        """Refuses a record that is damaged, or that lacks what is needed of it."""
        try:
            record = json.loads(self.record.read_text())
        except FileNotFoundError as error:
            raise IncompatibleError(f"run={self.folder}: there is no run.json in it.") from error
        except (OSError, ValueError) as error:
            raise self._unreadable(str(error)) from error
        if not isinstance(record, dict):
            raise self._unreadable("it is no record of a run")
        if lacking := [name for name in needed if name not in record]:
            raise self._unreadable(f"it lacks {', '.join(lacking)}")
        return record

    def _unreadable(self, why: str) -> IncompatibleError:
        return IncompatibleError(f"run={self.folder}: its run.json cannot be read ({why}).")

    def clear(self) -> None:
        """Of an earlier run in the same folder."""
        files = (self.record, self.predictions, self.folder / "traceback.txt")
        results = self.folder.glob("results/*.json")
        for file in (*files, *results, *self.checkpoints.glob("*.ckpt")):
            file.unlink(missing_ok=True)

    def update(self, **facts: Any) -> None:
        """Adds facts to run.json, which is never seen half written."""
        known = self.read() if self.record.exists() else {"version": VERSION}
        write_json(self.record, known | facts)

    def write_predictions(self, rows: pa.Table) -> None:
        """Replaces what is stored of the same stages."""
        rows = _first_of_each(rows)
        if self.predictions.exists():
            stored = pq.read_table(self.predictions)
            stages = set(rows["stage"].to_pylist())
            kept = stored.filter(pa.array(s not in stages for s in stored["stage"].to_pylist()))
            rows = pa.concat_tables([kept, rows]).unify_dictionaries()
        partial = self.predictions.with_suffix(".partial")
        pq.write_table(rows, partial)
        os.replace(partial, self.predictions)

    def write_results(self, stage: str, decoder: str, category: int, people: Results) -> None:
        """In COCO's result format, for any tool that scores it."""
        file = self.folder / "results" / f"{stage}_{decoder}.json"
        file.parent.mkdir(exist_ok=True)
        marked = np.pad(people.keypoints, ((0, 0), (0, 0), (0, 1)), constant_values=1)
        columns = (people.image, marked.reshape(len(marked), -1), people.scores)
        found = [
            {"image_id": image, "category_id": category, "keypoints": points, "score": score}
            for image, points, score in zip(*(c.tolist() for c in columns), strict=True)
        ]
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(found))
        os.replace(partial, file)

    @contextmanager
    def continued_metrics(self) -> Iterator[None]:
        """Keeps the rows of metrics.csv that a logger starting anew would delete."""
        file = self.folder / "metrics.csv"
        earlier = _csv(file)
        try:
            yield
        finally:
            rows = _csv(file)
            first = min((int(row["step"]) for row in rows), default=sys.maxsize)
            rows = [row for row in earlier if int(row["step"]) < first] + rows
            names = list(dict.fromkeys(name for row in rows for name in row))
            with file.open("w", newline="") as stream:
                writer = csv.DictWriter(stream, names)
                writer.writeheader()
                writer.writerows(rows)

    def read_predictions(self) -> pa.Table:
        return pq.read_table(self.predictions)


def config_hash(config: Mapping[str, Any]) -> str:
    """Names an experiment: what was asked for, without where, how logged and on which device."""
    kept = json.dumps(_essential(config), sort_keys=True)
    return hashlib.sha256(kept.encode()).hexdigest()[:16]


def _essential(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _essential(item) for key, item in value.items() if key not in INCIDENTAL}
    return value


def source_version() -> dict[str, str | None]:
    """The commit of a checkout, and a hash of the source that also tells uncommitted changes."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(str(file.relative_to(package)).encode() + file.read_bytes())
    return {"commit": _commit(package), "source_hash": digest.hexdigest()[:16]}


def _commit(package: Path) -> str | None:
    """Of the checkout that holds this package, not of whatever repository surrounds it."""
    root = package.parents[1]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str | None]:
    return {name: _version(name) for name in packages}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _csv(file: Path) -> list[dict[str, str]]:
    if not file.exists():
        return []
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def _first_of_each(rows: pa.Table) -> pa.Table:
    """One row per instance, joint and decoder, whatever padding or gathering repeated."""
    numbered = rows.select(list(KEYS)).append_column("row", pa.array(range(len(rows))))
    first = numbered.group_by(list(KEYS)).aggregate([("row", "min")])["row_min"]
    return rows if len(first) == len(rows) else rows.take(first.combine_chunks().sort())


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Never seen half written."""
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(_plain(content), indent=1, allow_nan=False) + "\n")
    os.replace(partial, file)


def _plain(value: Any) -> Any:
    """JSON has no nan: what there was nothing to count of is null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
