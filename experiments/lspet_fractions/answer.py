"""Answers the question of runs.json by the mean error, and by joints within 4 px.

python experiments/lspet_fractions/answer.py prints what is between the lines of README.md. What
heatmap-budget said of the networks of all people is in budgets.json.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    sys.path.insert(0, str(HERE.parent))
    from photographs.within import print_answers

    print_answers(HERE)
    print_budgets(json.loads((HERE / "budgets.json").read_text()))


def print_budgets(budgets: list[dict]) -> None:
    """By arm, the lowest and the highest of its seeds."""
    print("Shares of the mean error, put right from the last cause to the first:\n")
    print("| arm | error, px | jitter | left for right | missed | left, px | by a flip test, px |")
    print("|---|---|---|---|---|---|---|")
    for arm in sorted({each["arm"] for each in budgets}):
        own = [each for each in budgets if each["arm"] == arm]
        shares = [
            between([100 * each["shares"][name] for each in own], 0)
            for name in ("jitter", "inversion", "miss")
        ]
        pixels = [
            between([each[name] for each in own], 2)
            for name in ("total_px", "remainder_px", "flip_px")
        ]
        cells = [pixels[0], *(f"{share} %" for share in shares), *pixels[1:]]
        print(f"| {arm} | {' | '.join(cells)} |")
    print()
    for arm in sorted({each["arm"] for each in budgets}):
        kinds = [each["kinds"] for each in budgets if each["arm"] == arm]
        joints = sum(kinds[0].values())
        missed = between([100 * each["miss"] / joints for each in kinds], 1)
        good = between([each["good"] for each in kinds], 0)
        print(f"- {arm}: of {joints} joints {good} are read well, {missed} % are missed")
    print()


def between(values: list[float], digits: int) -> str:
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"


if __name__ == "__main__":
    main()
