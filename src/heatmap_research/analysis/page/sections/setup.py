"""What was done, in five lines: data, network, arms, training, seeds."""

from collections.abc import Sequence
from typing import Any

from heatmap_research.analysis.comparison import locality
from heatmap_research.analysis.comparison.verdict.settings import Group
from heatmap_research.analysis.error_budget import stages
from heatmap_research.analysis.page.parts import Listing, Section, Words
from heatmap_research.analysis.page.study import Study, first, label, words
from heatmap_research.runs import record
from heatmap_research.runs.find import Run
from heatmap_research.runs.store import RunStore

NAME = 10  # letters of a line's name, with spaces behind it
MIN_BINS = 1.0  # narrower labels lie in one bin, or in none


def section(study: Study) -> Section:
    runs = [first(group) for group in study.groups]
    lines = [
        f"{'Data':{NAME}}{_each(runs, _data)}",
        f"{'Network':{NAME}}{_each(runs, _network)}",
        *(f"{'' if n else 'Arms':{NAME}}{_arm(study, g)}" for n, g in enumerate(study.shown())),
        f"{'Training':{NAME}}{_each(runs, _training)}",
        f"{'Seeds':{NAME}}{words(sorted({seed for g in study.groups for seed in g.runs}))}: of "
        "initialisation and order, on one set of images",
    ]
    data = [run.record["config"].get("data") or {} for run in runs]
    said = [Words(each, "note") for each in dict.fromkeys(map(locality.words, data)) if each]
    alike = {(_data(run), _size(run)): run for run in runs}
    said += [Words(each, "note") for each in map(_people, alike.values()) if each]
    narrow = [label(group) for group in study.groups if (bins(first(group)) or MIN_BINS) < MIN_BINS]
    warned = f"Labels narrower than a bin: {'; '.join(narrow)}. Scores and sub-bin decoders suffer."
    box = Listing(lines, measured=False, hanging=NAME)
    return Section("Set-up", [box, *said, *[Words(warned, "warning")] * bool(narrow)])


def bins(run: Run) -> float | None:
    """The width of a run's labels in bins; None where it has no bins."""
    sigma = run.value("sigma")
    if run.value("loss") in ("l1", "l2", "rle") or not isinstance(sigma, (int, float)):
        return None
    return float(sigma) / run.stride


def _each(runs: Sequence[Run], said: Any) -> str:
    return "; ".join(dict.fromkeys(said(run) for run in runs))


def _data(run: Run) -> str:
    same = " (test is val)" if record.reads_val_twice(run.record["config"]) else ""
    return f"{run.record['choices'].get('data', 'data unknown')}{same}, crops of {_size(run)}"


def _size(run: Run) -> str:
    size = run.value("image_size")
    return " x ".join(map(str, size)) if isinstance(size, list) else "unknown size"


def _network(run: Run) -> str:
    choices = run.record["choices"]
    return f"{choices.get('backbone', 'unknown trunk')}, neck {choices.get('neck', 'unknown')}"


def _arm(study: Study, group: Group) -> str:
    run = first(group)
    parts = [f"{key} {run.record['choices'].get(key)}" for key in ("head", "target", "loss")]
    wide = bins(run)
    width = f"sigma {run.value('sigma')} px" + (f" = {wide:g} bins" if wide else "")
    return f"{label(group)}: {', '.join(parts)}, stride {run.stride:g} px, {width}, read by " + (
        study.decoder(group)
    )


def _people(run: Run) -> str | None:
    """How far the people differ who marked the joints of test, where people did."""
    config = run.record["config"]
    if "annotations" not in ((config.get("data") or {}).get("test") or {}):
        return None
    if config["tolerances"] is None:  # which nobody has measured
        return None
    try:
        read = stages.from_tables("test", [RunStore(run.folder).read_predictions()])
    except (ValueError, OSError):
        return None
    found = read.truth.annotators(config["tolerances"])
    return found and f"{_size(run)}: {found}"


def _training(run: Run) -> str:
    steps, batch = run.value("trainer.max_steps"), run.value("data.batch_size")
    seen = f", {steps * batch:,} images seen" if steps and batch else ""
    tuned = "tuned" if run.value("tuned") else "not tuned arm by arm"
    rate = run.value("optimizer.lr")
    return f"{steps} steps of {batch}{seen}, {run.value('optimizer')} at {rate}, {tuned}"
