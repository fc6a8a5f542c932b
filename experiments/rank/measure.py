"""Ghost rates with intervals: python experiments/rank/measure.py [STUDY]

Reads the runs of `heatmap-train -m experiment=rank`; of the arm ce_2d, where its runs were read by
fewer decoders, what `heatmap-evaluate run=DIR name=ranks` has read. All is by argmax where no
decoder is named, and less ce_2d by argmax.
"""

import math
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from heatmap_research.analysis.comparison.statistics.two_way import two_way
from heatmap_research.analysis.comparison.verdict import tables
from heatmap_research.metrics import measures
from heatmap_research.runs.find import Run, find

FIGURES = ("ghosts", "at_other_figure", "pixel_error")
USUAL = {"head.reach": (None, "inf", math.inf), "head.em": (None, "soft")}
RANKS = ("rank_1", "rank_2", "rank_4")


def main() -> None:
    (folder,) = sys.argv[1:] or ["outputs/studies/rank"]
    arms = defaultdict(list)
    for run in find(Path(folder)):
        if run.status == "finished":
            arms[_name(run)].append(run)
    whole = arms["ce_2d"]
    read = [run if RANKS[0] in run.decoders else _evaluated(run) for run in whole]
    print("| of test | seeds |", " | ".join(FIGURES), "|")
    print("|---|---|---|---|---|")
    for decoder in RANKS:
        _print(f"ce_2d read by {decoder}", read, decoder, whole)
    for arm, runs in arms.items():
        _print(arm, runs, "argmax", whole)


def _name(run: Run) -> str:
    """The arm, and what was chosen otherwise of how its products are kept apart."""
    chosen = [f"{key}={run.value(key)}" for key in USUAL if run.value(key) not in USUAL[key]]
    return " ".join([run.arm, *chosen])


def _evaluated(run: Run) -> Run:
    return replace(run, folder=run.folder / "evaluate" / "ranks")


def _print(name: str, runs: Sequence[Run], decoder: str, whole: Sequence[Run]) -> None:
    shown, seeds = [], {run.seed for run in runs}
    paired = [run for run in whole if run.seed in seeds]
    for figure in FIGURES:
        ours, others = (_cells(r, d, figure) for r, d in ((runs, decoder), (paired, "argmax")))
        less = two_way(ours - others) if (ours != others).any() else None
        between = f", {less.estimate:+.4f} [{less.low:+.4f}, {less.high:+.4f}]" if less else ""
        shown.append(f"{ours.mean():.4f}{between}")
    print("|", " | ".join([name, str(len(runs)), *shown]), "|")


def _cells(runs: Sequence[Run], decoder: str, figure: str) -> np.ndarray:
    """A row for each seed, a column for each image."""
    measure = measures.named(figure)
    runs = sorted(runs, key=lambda run: run.seed)
    return tables.cells([tables.per_image(r, "test", decoder, measure) for r in runs])[0]


if __name__ == "__main__":
    main()
