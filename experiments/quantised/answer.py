"""Prints the tables of README.md from cells.parquet and graphs.parquet: python .../answer.py"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, median

import numpy as np
import pyarrow.parquet as pq

from heatmap_research.analysis.comparison.statistics.interval import Interval
from heatmap_research.analysis.comparison.statistics.two_way import two_way

HERE = Path(__file__).parent
PRECISIONS = ("fp16", "fp16_by_layer", "int8", "int8_float_head")
GRAPHS = ("float32", "fp16", "int8", "int8_float_head")
ARMS = {  # the first is what others are compared with
    "budget": ("ce_2d", "marginal", "simcc", "simcc_marginal"),
    "layout": ("conv1x1", "marginal", "dense_2d", "simcc"),
    "lspet": ("ce_2d", "mse_2d", "marginal", "simcc"),
    "lspet_pretrained": ("ce_2d", "mse_2d", "marginal", "simcc"),
}
FACTORS = {  # of `layout`: signs of conv1x1, marginal, dense_2d, simcc
    "dense less local": (-0.5, -0.5, 0.5, 0.5),
    "1-D less 2-D": (-0.5, 0.5, -0.5, 0.5),
    "interaction": (1, -1, -1, 1),
}
LEADS = {  # asked of each study: where, after how many steps, what does not matter, px
    "budget": ("", 4000, 0.01),
    "lspet": (" on photographs", 4000, 0.05),
    "lspet_pretrained": (" on photographs, from ImageNet's weights", 1000, 0.05),
}
Group = tuple[str, str, int]  # study, arm, steps
Costs = dict[str, np.ndarray]  # by precision: (seed, image), px; and the error itself in float32


def costs() -> dict[Group, Costs]:
    table = pq.read_table(HERE / "cells.parquet").sort_by(
        [(name, "ascending") for name in ("study", "arm", "steps", "seed", "image")]
    )
    keys = list(zip(*(table[name].to_pylist() for name in ("study", "arm", "steps")), strict=True))
    found = {}
    for key in dict.fromkeys(keys):
        rows = table.slice(keys.index(key), keys.count(key))
        seeds = len(set(rows["seed"].to_pylist()))
        cells = {n: rows[n].to_numpy().reshape(seeds, -1) for n in ("float32", *PRECISIONS)}
        exact = cells.pop("float32").astype(float)
        found[key] = {name: cell - exact for name, cell in cells.items()} | {"float32": exact}
    return found


def groups(found: dict[Group, Costs]) -> Iterator[tuple[Group, Group]]:
    """Each group in the order of its study's arms, with the one that it is compared with."""
    for study, steps in sorted({(study, -steps) for study, _, steps in found}):
        for arm in ARMS[study]:
            yield (study, arm, -steps), (study, ARMS[study][0], -steps)


def leads(found: dict[Group, Costs]) -> Iterator[str]:
    for study, (where, steps, margin) in LEADS.items():
        one, other = (found[study, arm, steps] for arm in ("simcc", "ce_2d"))
        whole, rest = (two_way(one[name] - other[name]) for name in ("int8", "int8_float_head"))
        if whole.low > margin:
            answer = "Yes"
        elif whole.high < margin:
            answer = "No"
        else:
            answer = "Not told"
        yield (
            f"Does INT8 cost SimCC more than a 2-D map{where}? {answer}: {told(whole)} px more at "
            f"{steps} steps (margin {margin:g} px); {told(rest)} px with the head in float32."
        )


def of_costs(found: dict[Group, Costs]) -> Iterator[str]:
    yield row(["study", "arm", "steps", "seeds", "float32", *PRECISIONS])
    yield row(["---"] * (5 + len(PRECISIONS)))
    for group, _ in groups(found):
        each = found[group]
        seeds, error = str(len(each["float32"])), f"{each['float32'].mean():.3f}"
        figures = [told(two_way(each[name])) for name in PRECISIONS]
        yield row([group[0], group[1], str(group[2]), seeds, error, *figures])


def of_differences(found: dict[Group, Costs]) -> Iterator[str]:
    names = ("int8", "int8_float_head")
    yield row(["study", "steps", "figure", *names, "p of int8"])
    yield row(["---"] * 6)
    for group, base in groups(found):
        if group != base:
            pairs = [two_way(found[group][name] - found[base][name]) for name in names]
            what = f"{group[1]} less {base[1]}"
            yield row([group[0], str(group[2]), what, *map(told, pairs), chance(pairs[0])])
    if any(study == "layout" for study, _, _ in found):
        for what, signs in FACTORS.items():
            pairs = [two_way(_weighted(found, name, signs)) for name in names]
            yield row(["layout", "1000", what, *map(told, pairs), chance(pairs[0])])


def _weighted(found: dict[Group, Costs], name: str, signs: Sequence[float]) -> np.ndarray:
    cells = [found["layout", arm, 1000][name] for arm in ARMS["layout"]]
    return sum(sign * cell for sign, cell in zip(signs, cells, strict=True))


def of_graphs() -> Iterator[str]:
    """The network alone, without a decoder."""
    rows = pq.read_table(HERE / "graphs.parquet").to_pylist()
    times: dict[tuple[str, str, int], dict[str, list[float]]] = {}
    sizes: dict[tuple[str, str, int], dict[str, list[float]]] = {}
    for each in rows:
        key = (each["study"], each["arm"], each["steps"])
        times.setdefault(key, {}).setdefault(each["precision"], []).append(each["milliseconds"])
        sizes.setdefault(key, {}).setdefault(each["precision"], []).append(each["bytes"] / 1e6)
    yield row(["study", "arm", *(f"MB, {n}" for n in GRAPHS), *(f"time, {n}" for n in GRAPHS[1:])])
    yield row(["---"] * (1 + 2 * len(GRAPHS)))
    for study, arms in ARMS.items():
        for arm in arms:
            keys = [key for key in times if key[:2] == (study, arm)]
            if keys:
                size = [f"{mean(sizes[keys[0]][name]):.2f}" for name in GRAPHS]
                time = [f"{median(_ratios(times, keys, name)):.2f}" for name in GRAPHS[1:]]
                yield row([study, arm, *size, *time])


def _ratios(times: dict, keys: Sequence[Group], name: str) -> Iterator[float]:
    for key in keys:
        yield from np.divide(times[key][name], times[key]["float32"])


def told(interval: Interval) -> str:
    numbers = (interval.estimate, interval.low, interval.high)
    places = 4 if max(map(abs, numbers)) < 0.00995 else 3
    mean_, low, high = (f"{round(number, places) + 0.0:.{places}f}" for number in numbers)
    return f"{mean_} ({low} to {high})"  # adding 0 turns -0 into 0


def chance(interval: Interval) -> str:
    return "< .001" if interval.p < 0.001 else f"{interval.p:.3f}".lstrip("0")


def row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    found = costs()
    print(*leads(found), sep="\n\n")
    print("\nError in float32 and what is added to it, px (95 % over seeds and images):\n")
    print(*of_costs(found), sep="\n")
    print("\nDifferences of costs, px; p not corrected:\n")
    print(*of_differences(found), sep="\n")
    print("\nThe network's graph, without a decoder; time for one crop as a share of float32's:\n")
    print(*of_graphs(), sep="\n")


if __name__ == "__main__":
    main()
