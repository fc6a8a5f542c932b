"""Answers the question of runs.json: of all joints, of visible and of covered ones.

python experiments/occlusion/answer.py prints what is between the lines of README.md.
"""

import sys
from pathlib import Path

from heatmap_research.analysis.comparison.verdict import kept
from heatmap_research.jobs.question import answered

HERE = Path(__file__).parent


def main() -> None:
    sys.path.insert(0, str(HERE.parent))
    from answers import words

    runs = kept.kept(HERE)
    print(*words(answered(runs, None)), sep="\n")
    with_cover = [run for run in runs if run.value("data.occlusion") or "trained" not in run.record]
    for which, some in (("visible", runs), ("covered", with_cover)):
        answers = answered(some, None, f"pixel_error_{which}")
        print(f"Of {which} joints alone:\n")
        for one in (answers.lead, *answers.family):
            print(f"- {one.name or 'the question'}: {one.words}")
        print()


if __name__ == "__main__":
    main()
