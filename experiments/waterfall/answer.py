"""Answers the question of runs.json, and once more without the networks that did not learn.

python experiments/waterfall/answer.py prints what is between the lines of README.md.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from heatmap_research.analysis.comparison.verdict import kept
from heatmap_research.jobs.question import answered
from heatmap_research.runs.find import Run

HERE = Path(__file__).parent
NOT_LEARNT_PX = (5.0, 10.0)  # error on val by the best decoder; the middle of all figures has 10.9


def runs() -> Sequence[Run]:
    return kept.kept(HERE)


def network(run: Run) -> str:
    return ", ".join(run.record["choices"][name] for name in ("head", "loss", "target"))


def learnt(runs: Sequence[Run], limit: float = NOT_LEARNT_PX[0]) -> list[Run]:
    """Those of networks whose seeds together err by less than a limit, in px."""
    errors: dict[str, list[float]] = {}
    for run in runs:
        figures = run.record["metrics"]["val"].values()
        errors.setdefault(network(run), []).append(min(each["pixel_error"] for each in figures))
    left = {name for name, each in errors.items() if mean(each) < limit}
    return [run for run in runs if network(run) in left]


def main() -> None:
    sys.path.insert(0, str(HERE.parent))
    from answers import words

    every = runs()
    print(*words(answered(every, None)), sep="\n")
    for limit in NOT_LEARNT_PX:
        able = learnt(every, limit)
        lost = sorted({network(run) for run in every} - {network(run) for run in able})
        print(f"**Without networks that err by {limit:g} px or more** ({'; '.join(lost)}).\n")
        print(*words(answered(able, None)), sep="\n")


if __name__ == "__main__":
    main()
