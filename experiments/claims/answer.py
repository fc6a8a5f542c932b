"""Prints the tables of README.md from cells.parquet alone: python experiments/claims/answer.py"""

from itertools import groupby
from pathlib import Path

import pyarrow.parquet as pq

HERE = Path(__file__).parent


def main() -> None:
    cells = pq.read_table(HERE / "cells.parquet").to_pylist()
    print("| claim | figure | value | lowest round | unit |\n|---|---|---|---|---|")
    for claim, rows in groupby(cells, key=lambda row: row["claim"]):
        for place, row in enumerate(rows):
            low = "" if row["low"] != row["low"] else f"{row['low']:.3g}"
            name = "" if place else claim
            print(f"| {name} | {row['what']} | {row['value']:.4g} | {low} | {row['unit']} |")


if __name__ == "__main__":
    main()
