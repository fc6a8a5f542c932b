"""Answers the question of runs.json by the mean error, and by joints within 4 px.

python experiments/lspet/answer.py prints what is between the lines of README.md.
"""

import sys
from dataclasses import replace
from pathlib import Path

from heatmap_research.analysis.comparison.verdict import kept
from heatmap_research.jobs.question import answered, of_runs

HERE = Path(__file__).parent
BY = {"metric": "PCK@4px", "decoder": "dark_blur", "margin": 0.02, "yes_if": "below"}


def main() -> None:
    sys.path.insert(0, str(HERE.parent))
    from answers import words

    runs = kept.kept(HERE)
    print(*words(answered(runs, None)), sep="\n")
    within = replace(of_runs(runs), **BY).answer(runs)
    print(f"Joints within 4 px of the crop, all read by `{BY['decoder']}`:\n")
    for one in (within.lead, *within.family):
        print(f"- {one.name or 'the question'}: {one.words}")
    print()


if __name__ == "__main__":
    main()
