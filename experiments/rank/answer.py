"""Answers the question of runs.json, and sets ghosts beside their law.

python experiments/rank/answer.py prints what is between the lines of README.md.
"""

import sys
from pathlib import Path

import pyarrow.parquet as pq

from heatmap_research.analysis.comparison.verdict import kept
from heatmap_research.jobs.question import answered

HERE = Path(__file__).parent


def main() -> None:
    sys.path[:0] = [str(HERE.parent), str(HERE)]
    import law
    from answers import words

    print(*words(answered(kept.kept(HERE), None)), sep="\n")
    print(*law.words(pq.read_table(law.FILE)), sep="\n")


if __name__ == "__main__":
    main()
