"""Makes a study from runs and from what the command asks about them."""

from collections.abc import Callable, Sequence
from functools import partial

from heatmap_research.analysis.comparison.verdict.judge import judge
from heatmap_research.analysis.comparison.verdict.reading import Reading
from heatmap_research.analysis.comparison.verdict.settings import Group, grouped
from heatmap_research.analysis.comparison.verdict.verdict import Verdict
from heatmap_research.analysis.page.study import Study, first
from heatmap_research.runs.find import Run, varied
from heatmap_research.runs.table import refuse_unknown

ASKED = ("baseline=", "decoder=", "metric=", "margin=")  # errors in the command, not in the runs


def study(
    runs: Sequence[Run],
    by: str | None = None,
    metric: str = "pixel_error",
    margin: float | None = None,
    baseline: str | None = None,
    decoder: str | None = None,
) -> Study:
    done = [run for run in runs if run.status == "finished"]
    if not done:
        how = ", ".join(f"{run.name} {run.status}" for run in list(runs)[:3])
        raise ValueError(f"nothing to report: none of {len(runs)} runs has finished ({how}).")
    if by is not None:
        refuse_unknown(done, by)
    by = by or usual(done)
    reading = Reading(metric, decoder, "test", 1000)
    groups = grouped(done, by)
    ask = partial(judge, runs, by, metric, margin, baseline, decoder)
    verdicts, silent = _judged(groups, by, ask)
    for group in groups:
        _refuse_unread(reading, group)
    return Study(runs, by, groups, reading, margin, verdicts, silent)


def usual(runs: Sequence[Run]) -> str:
    """The arm if there are several; else the first choice, or value, that was varied."""
    keys = [key for key in varied(runs) if key != "seed"]
    return "arm" if "arm" in keys or not keys else keys[0]


def _judged(
    groups: Sequence[Group], by: str, ask: Callable[[], Sequence[Verdict]]
) -> tuple[Sequence[Verdict], str | None]:
    if len({group.arm for group in groups}) < 2:
        return (), f"There is nothing to compare: all that has finished has {by}={groups[0].arm}."
    try:
        return ask(), None
    except ValueError as error:
        if str(error).startswith(ASKED):
            raise
        return (), str(error)[0].upper() + str(error)[1:]


def _refuse_unread(reading: Reading, group: Group) -> None:
    try:
        reading.decoder(group)
    except ValueError as error:
        if "val predictions" not in str(error):
            raise
        raise ValueError(
            f"{first(group).name} was not evaluated on val, where its decoder would be chosen: "
            "give --decoder NAME."
        ) from error
