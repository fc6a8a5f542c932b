"""Answers the question of runs.json, and once more by single decoders.

python experiments/cost/answer.py prints what is between the lines of README.md.
"""

import sys
from dataclasses import replace
from pathlib import Path

from heatmap_research.analysis.comparison.verdict import kept
from heatmap_research.jobs.question import of_runs

HERE = Path(__file__).parent
DECODERS = ("argmax", "dark", "dark_blur", "soft_argmax")  # looked for after it was read


def main() -> None:
    sys.path.insert(0, str(HERE.parent))
    from answers import listed, words

    runs = kept.kept(HERE)
    question = of_runs(runs)
    print(*words(question.answer(runs)), sep="\n")
    for decoder in DECODERS:
        by_one = replace(question, decoder=decoder)
        print(*listed(f"By `{decoder}` for all", by_one.answer(runs)), sep="\n")


if __name__ == "__main__":
    main()
