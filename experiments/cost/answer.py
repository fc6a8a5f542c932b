"""Answers the question of runs.json, and once more by single decoders.

python experiments/cost/answer.py prints what is between the lines of README.md.
"""

import sys
from pathlib import Path

from heatmap_research.analysis.comparison.verdict import kept
from heatmap_research.jobs.question import answered

HERE = Path(__file__).parent
DECODERS = ("argmax", "dark", "dark_blur", "soft_argmax")  # looked for after it was read


def main() -> None:
    sys.path.insert(0, str(HERE.parent))
    from answers import by_one, words

    runs = kept.kept(HERE)
    print(*words(answered(runs, None)), sep="\n")
    print(*by_one(runs, DECODERS, "By `{}` for all"), sep="\n")


if __name__ == "__main__":
    main()
