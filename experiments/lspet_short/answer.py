"""Answers the question of runs.json by the mean error, and by joints within 4 px.

python experiments/lspet_short/answer.py prints what is between the lines of README.md.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    sys.path.insert(0, str(HERE.parent))
    from photographs.within import print_answers

    print_answers(HERE)


if __name__ == "__main__":
    main()
