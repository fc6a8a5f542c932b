"""Runs found on disk: what was asked of each, and what came of it."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from heatmap_research.runs import bounded_table, record
from heatmap_research.types import first_line

LEAVES = (str, int, float, list, type(None))  # seen at once, where a mapping takes longer
log = logging.getLogger(__name__)

FROM_DATA = ("tolerances", "names")  # filled in as the data and `joints` have it


def _fact(name: str) -> Any:
    """A property for a fact of the record; None where a run did not come so far."""
    return property(lambda run: run.record.get(name))


@dataclass(frozen=True)
class Run:
    folder: Path
    record: dict[str, Any]  # run.json
    root: Path | None = None  # the folder that was searched

    status = _fact("status")
    study = _fact("study")
    seed = _fact("seed")
    config_hash = _fact("config_hash")
    source_hash = _fact("source_hash")
    seconds = _fact("seconds")
    parameters = _fact("parameters")
    macs = _fact("macs")
    peak_memory = _fact("peak_memory")  # bytes
    error = _fact("error")

    @property
    def name(self) -> str:
        """The run's folder, relative to the folder that was searched."""
        inside = self.folder.relative_to(self.root).as_posix() if self.root else "."
        return self.folder.name if inside == "." else inside

    @property
    def arm(self) -> str:
        return self.record["choices"].get("arm") or "custom"

    @property
    def sweep_hash(self) -> str:
        """A hash shared by runs that differ in their seed only."""
        config = self.record["config"]
        return record.config_hash({key: config[key] for key in config if key != "seed"})

    @property
    def test_is_val(self) -> bool:
        return record.reads_val_twice(self.record["config"])

    @property
    def decoders(self) -> list[str]:
        return list(self.record["decoders"])

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The values of its config by dotted key."""
        return dict(leaves(self.record["config"]))

    @property
    def is_resolved(self) -> bool:
        plain = (int, float, type(None))  # which refer to nothing
        values = (value for value in self.settings.values() if not isinstance(value, plain))
        return not any("${" in str(value) for value in values)

    @property
    def stride(self) -> float:
        return float(Fraction(str(self.record["config"]["stride"])))

    def value(self, key: str) -> Any:
        """A group's choice by the group's name, else a dotted key of the config or the record."""
        if key in self.record["choices"]:
            return self.record["choices"][key]
        value = _select(self.record["config"], key)
        return _select(self.record, key) if value is None else value

    def metric(self, stage: str, decoder: str, metric: str) -> float | None:
        return _select(self.record, f"metrics/{stage}/{decoder}/{metric}", "/")

    def predictions(
        self, stage: str, decoder: str | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Filtered while it is read: a study's rows need not fit into memory together."""
        kept = ds.field("stage") == stage
        if decoder is not None:
            kept &= ds.field("decoder") == decoder
        names = None if columns is None else list(columns)
        try:
            file = self.folder / "predictions.parquet"
            return bounded_table.read(file, columns=names, filters=kept)
        except (OSError, pa.ArrowException) as error:
            missing = isinstance(error, FileNotFoundError)
            state = "missing" if missing else f"damaged: {first_line(error).rstrip('.')}"
            raise ValueError(
                f"{self.name}: its predictions.parquet is {state} (heatmap-evaluate "
                f"run={self.folder} makes another, in its folder evaluate)."
            ) from error


def evaluations(runs: Iterable[Run]) -> list[Run]:
    """Evaluations on other data, as runs; `trained.KEY` is a value of the run they are of."""
    runs = list(runs)
    kept = [run for run in runs if "trained" in run.record]
    return kept + [
        Run(file.parent, known | {"trained": run.record["config"]}, run.root)
        for run in runs
        for file in sorted(run.folder.glob(f"evaluate/*/{record.NAME}"))
        if (known := _known(file))
    ]


def find(*folders: Path) -> list[Run]:
    """Every run at or below these folders, once, without evaluations and hidden folders."""
    runs: dict[Path, Run] = {}
    for folder in folders:
        root = folder if len(folders) == 1 else folder.parent
        for file in sorted(folder.rglob(record.NAME), key=_by_number):
            inside = file.relative_to(folder).parts
            hidden = any(part.startswith(".") for part in inside)  # what older code has done
            if "evaluate" not in inside and not hidden and (known := _known(file)):
                runs.setdefault(file.parent.resolve(), Run(file.parent, known, root))
    if not runs:
        places = ", ".join(map(str, folders)) or "no folder"
        raise ValueError(f"{places}: there is no run here (a folder with run.json in it).")
    return list(runs.values())


def varied(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """The keys in which runs differ, group choices first, each with its different values in order.

    Left out: values that only repeat another key's (`target.sigma` is `sigma`) or go with their
    group's option; and jobs refused before their config was resolved, if there are others.
    """
    runs = [run for run in runs if run.is_resolved] or runs
    groups = _differing([dict(leaves(run.record["choices"])) for run in runs])
    keys = _differing([run.settings for run in runs])
    kept = dict(groups)
    for key, column in sorted(keys.items(), key=lambda item: item[0].count(".")):
        choice = groups.get(key.partition(".")[0])
        above = [kept[name] for name in kept if name not in groups and _may_repeat(key, name)]
        if not (
            key in (*groups, *FROM_DATA)
            or _goes_with(column, choice)
            or any(_repeats(column, other, choice) for other in above)
        ):
            kept[key] = column
    return {key: _distinct(kept[key]) for key in (*groups, *keys) if key in kept}


def leaves(node: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """The values of a config by dotted key, but those in which runs of an experiment may differ."""
    found: list[tuple[str, Any]] = []
    for key, value in node.items():
        if key in record.INCIDENTAL:
            continue
        if not isinstance(value, LEAVES) and isinstance(value, Mapping) and value:
            found += leaves(value, f"{above}{key}.")
        else:
            found.append((f"{above}{key}", value))
    return found


def _known(file: Path) -> dict[str, Any]:
    """What a record says; empty, with a warning, if it is damaged or another program's."""
    try:
        return record.read(file.parent, *sorted(record.ALWAYS))
    except record.DamagedRecordError as error:
        log.warning(f"{file} is left out: {error}")
        return {}


def _by_number(file: Path) -> list[tuple[int, str]]:
    """Folder 10 comes after folder 9."""
    words = re.split(r"(\d+)", str(file))
    return [(int(word), "") if word.isdigit() else (-1, word) for word in words]


def _select(node: Any, path: str, separator: str = ".") -> Any:
    for key in path.split(separator):
        node = node.get(key) if isinstance(node, Mapping) else None
    return node


def _differing(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Columns with more than one value; where a row has none it is None."""
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    return {
        name: column
        for name, column in columns.items()
        if not _all_alike(column) and len(_distinct(column)) > 1
    }


def _all_alike(column: Sequence[Any]) -> bool:
    """A look at what most columns are; where it says no, words tell (nan, 2 and 2.0)."""
    first = column[0]
    plain = isinstance(first, (str, int, float)) or first is None
    return plain and all(type(value) is type(first) and value == first for value in column)


def _distinct(column: Sequence[Any]) -> list[Any]:
    values: dict[str, Any] = {}
    for value in column:
        values.setdefault(_told_by(value), value)
    return list(values.values())


def _told_by(value: Any) -> str:
    """Words that are equal for equal values: 2 and 2.0 are one value, 1 and true are two."""
    whole = isinstance(value, float) and value.is_integer()
    return repr(int(value) if whole else value)


def _may_repeat(key: str, name: str) -> bool:
    """Only a key further down can repeat another: one of the root, or of its own group."""
    above = name.partition(".")[0]
    return key.count(".") > name.count(".") and above in (name, key.partition(".")[0])


def _repeats(column: Sequence[Any], other: Sequence[Any], choice: Sequence[Any] | None) -> bool:
    """Whether a column says what another says, wherever it has a value at all."""
    pairs = list(zip(column, other, strict=True))
    alike = all(value is None or _told_by(value) == _told_by(above) for value, above in pairs)
    absent = [value is None and above is not None for value, above in pairs]
    return alike and (not any(absent) or _goes_with(absent, choice))


def _goes_with(column: Sequence[Any], choice: Sequence[Any] | None) -> bool:
    if choice is None:
        return False
    pairs = {(repr(a), _told_by(b)) for a, b in zip(choice, column, strict=True)}
    return len(pairs) == len(_distinct(choice))
