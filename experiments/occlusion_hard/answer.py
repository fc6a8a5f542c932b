"""Answers the question of runs.json as experiments/occlusion does: of all joints, visible, covered.

python experiments/occlusion_hard/answer.py prints what is between the lines of README.md.
"""

import runpy
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    runpy.run_path(str(HERE.with_name("occlusion") / "answer.py"))["main"](HERE)


if __name__ == "__main__":
    main()
