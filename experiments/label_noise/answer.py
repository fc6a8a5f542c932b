"""Answers the question of runs.json, and once more by single decoders.

python experiments/label_noise/answer.py prints what is between the lines of README.md.
"""

import sys
from pathlib import Path

from heatmap_research.analysis.comparison.verdict import kept
from heatmap_research.jobs.question import answered

HERE = Path(__file__).parent
DECODERS = ("dark", "dark_blur", "local_soft_argmax")  # looked for after it was read


def main() -> None:
    sys.path.insert(0, str(HERE.parent))
    from answers import by_one, words

    runs = kept.kept(HERE)
    print(*words(answered(runs, None)), sep="\n")
    maps = [run for run in runs if run.arm != "regression"]
    print(*by_one(maps, DECODERS, "By `{}` for all"), sep="\n")


if __name__ == "__main__":
    main()
