"""How often intervals cover the truth, and tests err, on differences whose true mean is known."""

import argparse
import csv
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import resampling
from simulation import World

from heatmap_research.analysis.comparison.statistics import student
from heatmap_research.analysis.comparison.statistics.families import holm
from heatmap_research.analysis.comparison.statistics.interval import BOTH, IMAGES, SEEDS
from heatmap_research.analysis.comparison.statistics.two_way import (
    MeanSquares,
    linear,
    mean_squares,
)

WORLDS = {
    "seeds dominate": World(seed=0.11),
    "images dominate": World(seed=0.01),
    "alike": World(seed=0.05),
    "no seed effect": World(seed=0.0),
    "their interaction dominates": World(seed=0.01, image=0.05, person=0.05, crossed=0.4),
}
SEED_COUNTS = (2, 3, 5, 10)
IMAGE_COUNT = 200
BLOCK = 100  # tables
ARMS = 4  # all alike, in pairs
RESULTS = Path(__file__).parent / "results"

Row = dict[str, str | int | float]


def tables(
    world: World, seeds: int, count: int, rng: np.random.Generator, images: int = IMAGE_COUNT
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for _ in range(count // BLOCK):
        yield world.draw(rng, BLOCK, seeds, images)


def coverage(world: World, seeds: int, count: int, rng: np.random.Generator) -> dict[str, float]:
    """Of 95 % intervals; `images only` is what leaves seeds out, as most comparisons do."""
    covered: dict[str, list[np.ndarray]] = {}
    for totals, counts in tables(world, seeds, count, rng):
        squares = mean_squares(linear(totals, counts))
        for name, population in (("two-way", BOTH), ("seeds only", SEEDS), ("images only", IMAGES)):
            error, freedom = squares.error(population)
            reach = student.quantile(0.975, freedom) * error
            covered.setdefault(name, []).append(np.abs(squares.mean - world.mean) <= reach)
    return {name: float(np.mean(parts)) for name, parts in covered.items()}


def bootstrap_coverage(
    world: World, seeds: int, count: int, resamples: int, rng: np.random.Generator
) -> dict[str, float]:
    covered = []
    for many_totals, many_counts in tables(world, seeds, count, rng):
        for totals, counts in zip(many_totals, many_counts, strict=True):
            own = totals.sum(1) / counts.sum(1)
            drawn = resampling.means(totals, counts, resamples, rng)
            crossed = resampling.crossed(own, drawn, IMAGE_COUNT, rng)
            mixed = resampling.mixed(own, drawn, IMAGE_COUNT)
            ends = [resampling.percentiles(drawn, rng)]
            ends += [(found.low, found.high) for found in (crossed, mixed)]
            covered.append([low <= world.mean <= high for low, high in ends])
    names = ("crossed bootstrap, percentiles", "crossed bootstrap, t", "two-way, images resampled")
    return dict(zip(names, np.mean(covered, axis=0).tolist(), strict=True))


def p_values(squares: MeanSquares, away: float = 0.0) -> np.ndarray:
    return 2 * squares.chance(np.abs(squares.mean - away))


def family_error(
    world: World, seeds: int, count: int, rng: np.random.Generator
) -> dict[str, float]:
    """Chance of any difference found among arms that are all alike, read on the same images."""
    found = []
    for _ in range(count // BLOCK):
        shape = (ARMS, BLOCK, seeds, IMAGE_COUNT)
        counts = rng.integers(1, 5, (BLOCK, 1, IMAGE_COUNT)) + np.zeros(shape[1:])
        values = rng.normal(0, world.seed, (*shape[:3], 1))
        values = values + rng.normal(0, world.image, (ARMS, BLOCK, 1, IMAGE_COUNT))
        values = values + rng.normal(0, world.crossed, shape)
        cells = [linear(arm * counts, counts) for arm in values]
        pairs = [cells[one] - cells[other] for one in range(ARMS) for other in range(one)]
        found.append(np.array([p_values(mean_squares(pair)) for pair in pairs]).T)
    p = np.concatenate(found)
    adjusted = np.array([holm(row) for row in p.tolist()])
    return {
        "any of six differences, unadjusted": float((p < 0.05).any(1).mean()),
        "any of six differences, Holm": float((adjusted < 0.05).any(1).mean()),
    }


def equivalence_error(
    world: World, seeds: int, count: int, rng: np.random.Generator
) -> dict[str, float]:
    """Chance of equivalence told of arms that differ by just the margin, 0.5 px."""
    margin, told = 0.5, []
    for totals, counts in tables(world, seeds, count, rng):
        squares = mean_squares(linear(totals + margin * counts, counts))
        told.append(squares.chance(margin - np.abs(squares.mean)) < 0.05)
    return {"equivalence at its margin": float(np.mean(told))}


def seconds() -> dict[str, float]:
    """Of this process: 10,000 resamples of 5 seeds, 2 arms and 5000 images of one person."""
    totals = np.random.default_rng(0).normal(size=(10, 5000))
    began, clock = time.process_time(), time.perf_counter()
    rng = np.random.default_rng(1)
    drawn = resampling.means(totals, np.ones_like(totals), 10_000, rng)
    differences = drawn[:, :5] - drawn[:, 5:]
    resampling.crossed(totals[:5].mean(1) - totals[5:].mean(1), differences, 5000, rng)
    return {"process": time.process_time() - began, "clock": time.perf_counter() - clock}


def write(name: str, rows: list[Row]) -> None:
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / name).open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def shown(what: str, world: str, seeds: int, tables: int, found: dict[str, float]) -> list[Row]:
    rows: list[Row] = [
        {"what": what, "world": world, "seeds": seeds, "tables": tables, "of": name, "share": share}
        for name, share in found.items()
    ]
    for row in rows:
        print(*row.values(), sep="  ", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=6000, help="to cover with intervals")
    parser.add_argument("--test-tables", type=int, default=2000, help="of each of the tests")
    parser.add_argument("--boot-tables", type=int, default=400, help="to cover with bootstraps")
    parser.add_argument("--resamples", type=int, default=400)
    parser.add_argument("--worlds", nargs="+", default=list(WORLDS), choices=WORLDS)
    asked = parser.parse_args()
    for name in asked.worlds:
        world, rows = WORLDS[name], []
        for seeds in SEED_COUNTS:
            rng = np.random.default_rng([list(WORLDS).index(name), seeds])
            direct = coverage(world, seeds, asked.tables, rng)
            rows += shown("coverage", name, seeds, asked.tables, direct)
            errors = family_error(world, seeds, asked.test_tables, rng)
            errors |= equivalence_error(world, seeds, asked.test_tables, rng)
            rows += shown("false findings", name, seeds, asked.test_tables, errors)
            drawn = bootstrap_coverage(world, seeds, asked.boot_tables, asked.resamples, rng)
            rows += shown("coverage", name, seeds, asked.boot_tables, drawn)
        write(f"{name.replace(' ', '_')}.csv", rows)
    print("seconds of 10,000 resamples:", seconds())


if __name__ == "__main__":
    main()
