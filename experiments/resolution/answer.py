"""Answers the question of runs.json, and once more with one decoder for both layouts.

python experiments/resolution/answer.py prints what is between the lines of README.md.
"""

import sys
from dataclasses import replace
from pathlib import Path

from heatmap_research.analysis.comparison.verdict import kept
from heatmap_research.jobs.question import answered, of_runs

HERE = Path(__file__).parent
DECODERS = ("argmax", "quarter_offset", "dark_blur")


def main() -> None:
    sys.path.insert(0, str(HERE.parent))
    from answers import listed, words

    runs = kept.kept(HERE)
    print(*words(answered(runs, None)), sep="\n")
    for decoder in DECODERS:
        answers = replace(of_runs(runs), decoder=decoder).answer(runs)
        print(*listed(f"Both read by `{decoder}`", answers), sep="\n")


if __name__ == "__main__":
    main()
