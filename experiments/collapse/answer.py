"""Answers the question of runs.json, and says how many peaks are false, and how high maps rise.

python experiments/collapse/answer.py prints what is between the lines of README.md.
"""

import sys
from pathlib import Path

import pyarrow.parquet as pq

from heatmap_research.analysis.comparison.verdict import kept
from heatmap_research.jobs.question import answered

HERE = Path(__file__).parent


def main() -> None:
    sys.path[:0] = [str(HERE.parent), str(HERE)]
    import peaks
    from answers import words

    print(*words(answered(kept.kept(HERE), None)), sep="\n")
    print(*peaks.words(pq.read_table(peaks.FILE)), sep="\n")


if __name__ == "__main__":
    main()
