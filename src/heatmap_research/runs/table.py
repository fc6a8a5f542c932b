"""Runs as the rows of a table: their columns by name, one by one or as means over seeds."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from statistics import mean, stdev
from typing import Any

from heatmap_research.runs import best
from heatmap_research.runs.find import Run, varied

OWN = (
    *("name", "folder", "status", "error", "study", "arm", "seed", "decoders", "stride"),
    *("seconds", "parameters", "macs", "peak_memory", "test_is_val", "config_hash", "source_hash"),
    "sweep_hash",
)
# Facts that only a run which came far enough has, and keys that tell least of runs.
LATER = ("steps", "skipped", "commit", "device", "boxes", "decoders_not_applicable")
LAST = ("monitor", "monitor_mode", "evaluate", "decoder", "metric", "callback")


@dataclass(frozen=True)
class MeanOfRuns:
    """A mean over runs, and their standard deviation where there are several."""

    mean: float
    deviation: float | None


def mean_of_runs(values: Sequence[float]) -> MeanOfRuns | None:
    if not values:
        return None
    return MeanOfRuns(mean(values), stdev(values) if len(values) > 1 else None)


Row = dict[str, Any]


def rows(runs: Sequence[Run], columns: Sequence[str]) -> list[Row]:
    read = ((run, chosen([run])) for run in runs)
    return [{name: cell(run, name, decoder) for name in columns} for run, decoder in read]


def means(runs: Sequence[Run], by: Sequence[str], columns: Sequence[str]) -> list[Row]:
    """A row for each combination of values of `by`, in order; n counts its runs."""
    return [_mean(group, by, columns) for group in _grouped(runs, by)]


def cell(run: Run, column: str, decoder: str | None) -> Any:
    """`decoder`, STAGE/METRIC of it, STAGE/DECODER/METRIC, a fact or a value of the config."""
    if column == "decoder":
        return decoder
    if column.count("/") in (1, 2):
        stage, *named, metric = column.split("/")
        by = named[0] if named else decoder
        return run.metric(stage, by, metric) if by else None
    return getattr(run, column) if column in OWN else run.value(column)


def chosen(runs: Sequence[Run]) -> str | None:
    """The decoder best on val, in the mean of these runs; test has no say in it."""
    figure, mode = best.watched_figure(runs[0].record["config"])
    values = {name: [run.metric("val", name, figure) for run in runs] for name in runs[0].decoders}
    # where one run has no value, the mean would be of other runs
    figures = {n: None if None in v else mean(v) for n, v in values.items()}  # type: ignore[type-var]
    return best.best(figures, mode)


def usual(
    runs: Sequence[Run], by: Sequence[str] = (), apart: Sequence[str] | None = None
) -> list[str]:
    """The columns that tell these runs apart, and those of what came of them."""
    figures = Counter(best.watched_figure(run.record["config"])[0] for run in runs)
    figure = figures.most_common(1)[0][0]
    asked = [] if by else ["name", "status", *(differing(runs) if apart is None else apart)]
    failed = ["error"] if not by and any(run.error for run in runs) else []
    return [*asked, "decoder", f"val/{figure}", f"test/{figure}", "seconds", *failed]


def differing(runs: Sequence[Run]) -> list[str]:
    """Keys of the config, those that tell most first; an arm stands for what goes with it."""
    keys = [key for key in varied(runs) if not key.rpartition(".")[2].startswith("_")]
    if "arm" in keys:
        brought = [key for key in ("head", "loss", "target", "stride") if _goes_with_arm(runs, key)]
        keys = [k for k in keys if k.partition(".")[0] not in brought]
    return sorted((k for k in keys if k != "decoder"), key=lambda k: k.partition(".")[0] in LAST)


def matching(runs: Sequence[Run], conditions: Mapping[str, Sequence[str]]) -> list[Run]:
    for key in conditions:
        refuse_unknown(runs, key)
    for key in conditions:
        runs = [r for r in runs if any(_equal(cell(r, key, None), w) for w in conditions[key])]
    return list(runs)


def refuse_unknown(runs: Sequence[Run], key: str) -> None:
    """A column no run has anything in is a slip of the keyboard."""
    if key in (*OWN, *LATER, "decoder"):
        return
    if key.count("/"):
        known = {name for run in runs for name in _metrics(run)}
        known |= {f"{name.split('/')[0]}/{name.split('/')[2]}" for name in known}
        fits = not known
    else:
        known = {*OWN, *(name for run in runs for name in _names(run.record["config"]))}
        known |= {str(name) for run in runs for name in run.record["choices"]}
        fits = any(run.value(key) is not None for run in runs)
    if fits or key in known:
        return
    close = get_close_matches(key, sorted(known), n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    raise ValueError(f"{key}: none of these runs has such a value.{hint}")


def mixed(runs: Sequence[Run], by: Sequence[str]) -> list[str]:
    """The keys, other than the seed, in which runs differ that are averaged together."""
    differing = [key for group in _grouped(runs, by) for key in varied(group) if key != "seed"]
    return [key for key in dict.fromkeys(differing) if key not in by]


def _grouped(runs: Sequence[Run], by: Sequence[str]) -> list[list[Run]]:
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(tuple(repr(cell(run, key, None)) for key in by), []).append(run)
    return list(groups.values())


def _mean(runs: Sequence[Run], by: Sequence[str], columns: Sequence[str]) -> Row:
    decoder = chosen(runs)
    row = {key: cell(runs[0], key, decoder) for key in by} | {"n": len(runs)}
    for name in columns:
        if name not in row:
            row[name] = _together([cell(run, name, decoder) for run in runs])
    return row


def _together(values: Sequence[Any]) -> Any:
    """The mean of numbers; what all share as it is; other words one behind the other."""
    if len({repr(value) for value in values}) == 1 and not isinstance(values[0], float):
        return values[0]
    numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if not numbers:
        return ", ".join(dict.fromkeys(str(value) for value in values if value is not None))
    return mean_of_runs(numbers)


def _goes_with_arm(runs: Sequence[Run], key: str) -> bool:
    runs = [run for run in runs if run.is_resolved] or runs
    pairs = {(run.arm, repr(run.value(key))) for run in runs}
    return len(pairs) == len({run.arm for run in runs})


def _equal(value: Any, word: str) -> bool:
    if str(value).lower() == word.lower() or (value is None and word == "null"):
        return True
    try:
        return float(value) == float(word)
    except (TypeError, ValueError):
        return str(value).replace(" ", "") == word.replace(" ", "")


def _metrics(run: Run) -> list[str]:
    metrics = run.record.get("metrics") or {}
    return [f"{s}/{d}/{m}" for s, each in metrics.items() for d, ms in each.items() for m in ms]


def _names(config: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in config.items():
        yield f"{above}{key}"
        if isinstance(value, Mapping):
            yield from _names(value, f"{above}{key}.")
