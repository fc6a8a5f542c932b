"""Answers the question of runs.json, and once more without the narrowest labels.

python experiments/sigma/answer.py prints what is between the lines of README.md.
"""

import sys
from pathlib import Path

from heatmap_research.analysis.comparison.verdict import kept
from heatmap_research.jobs.question import answered

HERE = Path(__file__).parent
FROM_PX = 2.0  # looked for after it was read


def main() -> None:
    sys.path.insert(0, str(HERE.parent))
    from answers import listed, words

    runs = kept.kept(HERE)
    print(*words(answered(runs, None)), sep="\n")
    wide = [run for run in runs if run.value("sigma") >= FROM_PX]
    print(*listed(f"From {FROM_PX:g} px on", answered(wide, None)), sep="\n")


if __name__ == "__main__":
    main()
