"""Answers the question of runs.json: of all joints, of visible and of covered ones.

python experiments/occlusion/answer.py prints what is between the lines of README.md.
"""

import sys
from pathlib import Path

from heatmap_research.analysis.comparison.verdict import kept
from heatmap_research.jobs.question import answered

HERE = Path(__file__).parent
UP_TO = 0.3  # where SimCC's distance from the map is largest, looked for after it was read


def main(folder: Path = HERE) -> None:
    sys.path.insert(0, str(HERE.parent))
    from answers import listed, words

    runs = kept.kept(folder)
    print(*words(answered(runs, None)), sep="\n")
    with_cover = [run for run in runs if run.value("data.occlusion") or "trained" not in run.record]
    for which, some in (("visible", runs), ("covered", with_cover)):
        answers = answered(some, None, f"pixel_error_{which}")
        print(*listed(f"Of {which} joints alone", answers), sep="\n")
    few = [r for r in runs if "trained" not in r.record or r.value("data.occlusion") <= UP_TO]
    print(*listed(f"Up to {UP_TO:g} of cover", answered(few, None)), sep="\n")


if __name__ == "__main__":
    main()
