"""Prints the tables of README.md from cells.parquet alone: python experiments/readout/answer.py"""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

HERE = Path(__file__).parent
COLUMNS = (
    *("net", "size", "2-D read by", "published AP", "predicted AP, all rules", "nearest rule"),
    *("published gain", "gain by the nearest rule", "rules"),
)
LIMIT = 2.0  # AP by which every rule may not miss
Cells = list[dict[str, Any]]


def main() -> None:
    cells = pq.read_table(HERE / "cells.parquet").to_pylist()
    rows = defaultdict(list)
    for cell in cells:
        rows[cell["net"], cell["size"], cell["decoder"]].append(cell)
    print(*_shares(cells), sep="\n", end="\n\n")
    print(*_verdicts(rows), sep="\n", end="\n\n")
    print("All rules of errors, by row; AP of the 2-D map, and SimCC's gain over it:\n")
    print(f"| {' | '.join(COLUMNS)} |")
    print(f"|{'---|' * len(COLUMNS)}")
    for (net, size, decoder), each in rows.items():
        print("|", " | ".join([net, size, decoder, *_row(each)]), "|")


def _shares(cells: Cells) -> list[str]:
    """What part of SimCC's published gain the read-out gives, over all rules and nets."""
    lines = []
    for kind, refined in (("quarter", "the quarter step"), ("dark", "DARK")):
        nets = {cell["net"] for cell in cells if cell["decoder"] == kind}
        for size in dict.fromkeys(cell["size"] for cell in cells):
            parts = []
            for decoder, words in (("argmax", "the highest bin"), (kind, refined)):
                own = [c for c in cells if (c["size"], c["decoder"]) == (size, decoder)]
                own = [c for c in own if c["net"] in nets and c["width"] is not None]
                misses = [_miss(cell) for cell in own]
                known = sum(c["simcc_published"] - c["published"] for c in own)
                predicted = sum(c["simcc"] - c["predicted"] for c in own)
                low, high = _by_rule(own, len(nets))
                parts.append(
                    f"{predicted / known:.0%} of the gain over {words} ({known / len(own):.1f} AP;"
                    f" {low:.0%} to {high:.0%} by one rule alone; the 2-D AP is missed by "
                    f"{min(misses):+.1f} to {max(misses):+.1f})"
                )
            lines.append(f"- {', '.join(sorted(nets))} at {size}: {' and '.join(parts)}.")
    return lines


def _by_rule(cells: Cells, nets: int) -> tuple[float, float]:
    """The least and the most that one rule gives of the gain, of rules that fit every net."""
    rules = defaultdict(list)
    for cell in cells:
        rules[_rule(cell)].append(cell)
    shares = [
        sum(c["simcc"] - c["predicted"] for c in own)
        / sum(c["simcc_published"] - c["published"] for c in own)
        for own in rules.values()
        if len(own) == nets
    ]
    return min(shares), max(shares)


def _row(cells: Cells) -> list[str]:
    fitted = [cell for cell in cells if cell["width"] is not None]
    if not fitted:
        return ["", "no rule can give SimCC's AP", "", "", "", f"0 of {len(cells)}"]
    errors = [cell["predicted"] for cell in fitted]
    near = _nearest(fitted)
    gain = near["simcc_published"] - near["published"]
    low, high = np.quantile(near["gains"], [0.025, 0.975])
    return [
        f"{near['published']:.1f}",
        f"{min(errors):.1f} to {max(errors):.1f}",
        f"{near['predicted']:.1f}: {_rule(near)}",
        f"{gain:.1f}",
        f"{near['simcc'] - near['predicted']:.1f} [{low:.1f}, {high:.1f}]",
        f"{sum(abs(_miss(c)) <= LIMIT for c in fitted)} of {len(fitted)} within {LIMIT:g}",
    ]


def _verdicts(rows: dict[tuple[str, str, str], Cells]) -> list[str]:
    lines = []
    for net in dict.fromkeys(net for net, *_ in rows):
        missed = []
        for (whose, size, decoder), cells in rows.items():
            fitted = [cell for cell in cells if cell["width"] is not None]
            if whose == net and fitted and abs(_miss(_nearest(fitted))) > LIMIT:
                missed.append(f"{size} by {decoder} ({_miss(_nearest(fitted)):+.1f} AP)")
        said = f"refuted at {', '.join(missed)}" if missed else "not refuted at any size"
        lines.append(f"- {net}: {said}; {_together(net, rows)}")
    return lines


def _together(net: str, rows: dict[tuple[str, str, str], Cells]) -> str:
    """One rule for all sizes and read-outs of a net: the one that misses least in the mean."""
    misses = defaultdict(list)
    for (whose, *_), cells in rows.items():
        for cell in cells:
            if whose == net and cell["width"] is not None:
                misses[_rule(cell)].append(abs(_miss(cell)))
    most = max(map(len, misses.values()))
    means = {rule: np.mean(all_) for rule, all_ in misses.items() if len(all_) == most}
    best = min(means, key=lambda rule: means[rule])
    return f"one rule for all sizes misses by {means[best]:.1f} AP in the mean ({best})"


def _nearest(cells: Cells) -> dict[str, Any]:
    return min(cells, key=lambda cell: abs(_miss(cell)))


def _miss(cell: dict[str, Any]) -> float:
    return float(cell["predicted"] - cell["published"])


def _rule(cell: dict[str, Any]) -> str:
    gross = f", {cell['gross']:.0%} anywhere" if cell["gross"] else ""
    return f"{cell['model']}{gross}, ranked by {cell['scores']}"


if __name__ == "__main__":
    main()
