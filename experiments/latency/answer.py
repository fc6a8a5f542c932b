"""Prints the tables of README.md from its two files: python experiments/latency/answer.py"""

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow.parquet as pq

HERE = Path(__file__).parent
BASE, OTHERS = "ce_2d", ("simcc", "marginal")
PARTS = ("head", "pass", "decoding", "step")


def row(*words: str) -> str:
    return f"| {' | '.join(words)} |"


def timings(rows: list[dict[str, Any]]) -> Iterator[str]:
    found = {(r["size"], r["batch"], r["part"], r["arm"]): r for r in rows}
    yield row("size", "batch", "part", f"{BASE}, ms an image", *(f"{a}, times" for a in OTHERS))
    yield row(*["---"] * (4 + len(OTHERS)))
    for size, batch in dict.fromkeys((r["size"], r["batch"]) for r in rows):
        for part in PARTS:
            own = median(found[size, batch, part, BASE]["microseconds"]) / 1000
            ratios = [found[size, batch, part, arm]["ratios"] for arm in OTHERS]
            words = (f"{median(r):.3g} ({min(r):.3g} to {max(r):.3g})" for r in ratios)
            yield row(size, str(batch), part, f"{own:.3g}", *words)


def shares(rows: list[dict[str, Any]]) -> Iterator[str]:
    """What is not trunk and neck."""
    found = {(r["size"], r["batch"], r["part"], r["arm"]): r["microseconds"] for r in rows}
    yield row("size", "batch", *(f"{arm}: {p}" for arm in (BASE, *OTHERS) for p in PARTS[::2]))
    yield row(*["---"] * 8)
    for size, batch in dict.fromkeys((r["size"], r["batch"]) for r in rows):
        words = []
        for arm in (BASE, *OTHERS):
            whole = median(found[size, batch, "pass", arm])
            words += [f"{median(found[size, batch, p, arm]) / whole:.2%}" for p in PARTS[::2]]
        yield row(size, str(batch), *words)


def memory(rows: list[dict[str, Any]]) -> Iterator[str]:
    names = ("bins a joint", "parameters of the head", "of all, 10^6", "multiply-adds, 10^9")
    yield row("size", "arm", *names, "kept of an image, MiB")
    yield row(*["---"] * 7)
    for r in rows:
        words = (f"{r['bins']}", f"{r['head']}", f"{r['parameters'] / 1e6:.3f}")
        yield row(r["size"], r["arm"], *words, f"{r['macs'] / 1e9:.3f}", f"{r['kept'] / 2**20:.3f}")


def main() -> None:
    cells, counted = (pq.read_table(HERE / f"{n}.parquet").to_pylist() for n in ("cells", "memory"))
    print("Median of rounds, with the lowest and the highest:", "", *timings(cells), "", sep="\n")
    print("As shares of a pass:", "", *shares(cells), "", *memory(counted), sep="\n")


if __name__ == "__main__":
    main()
