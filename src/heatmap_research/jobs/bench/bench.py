"""Runs the groups that were asked for, prints their figures and keeps them as JSON."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import torch
from rich.console import Console

from heatmap_research.jobs.bench import codec, data, evaluation, peers, start, step
from heatmap_research.jobs.bench.printed import table
from heatmap_research.jobs.bench.timing import Figure, Row, clock_of, timed
from heatmap_research.runs import whole_file
from heatmap_research.runs.source import source_version, versions

SHORT_ROUNDS = 9
LEAST_SHARE = 0.01  # of the people of the group eval
FEW_ROUNDS = 5  # of the groups whose rounds take long
SLACK = 1.5  # a ratio that is above its bound by half fails the short form


def run(flags: argparse.Namespace) -> int:
    refuse(flags)
    torch.set_num_threads(flags.threads)
    cv2.setNumThreads(1)
    before = read(flags.against) if flags.against else None
    figures = list(measured(flags))
    made = {**machine(flags), "figures": [asdict(figure) for figure in figures]}
    if flags.out:
        whole_file.write(flags.out, json.dumps(made, indent=1) + "\n")
    for group in dict.fromkeys(figure.group for figure in figures):
        Console().print(table(group, [each for each in figures if each.group == group]))
    print(in_words(made))
    late = over_bound(figures) if flags.short else []
    late += slower(figures, before) if before is not None else []
    if late:
        print("\n".join(late), file=sys.stderr)
    return int(bool(late))


def refuse(flags: argparse.Namespace) -> None:
    for name in ("threads", "batch", "joints", "rounds", "steps", "pictures"):
        if getattr(flags, name) < 1:
            raise ValueError(f"--{name} {getattr(flags, name)}: give at least 1.")
    if not LEAST_SHARE <= flags.share <= 1:
        raise ValueError(f"--share {flags.share:g}: give {LEAST_SHARE:g} to 1.")
    if flags.device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"--device {flags.device}: torch finds no such device here; choose cpu.")
    if flags.out and not flags.out.absolute().parent.is_dir():
        raise ValueError(f"--out {flags.out}: there is no folder {flags.out.parent}.")


def measured(flags: argparse.Namespace) -> Iterator[Figure]:
    """The figures of each group in turn; the short form has the codec's alone."""
    asked = ("codec",) if flags.short else flags.groups
    rounds = SHORT_ROUNDS if flags.short else flags.rounds
    clock = clock_of(flags.device, flags.threads)
    if _has(asked, "codec"):
        yield from timed("codec", of_codec(flags), rounds, clock)
    own = clock_of("cpu", flags.threads)  # data and evaluation are the CPU's work
    groups = {
        "step": (lambda: step.rows(flags.steps, clock, device=flags.device), clock),
        "data": (lambda: data.rows(flags.pictures), own),
        "eval": (lambda: evaluation.rows(flags.share), own),
        "start": (start.rows, time.perf_counter),  # of other processes, so by the wall
    }
    for name, (rows, by) in groups.items():
        if _has(asked, name):
            with rows() as made:
                yield from timed(name, made, min(rounds, FEW_ROUNDS), by)


def _has(asked: Sequence[str], group: str) -> bool:
    return group in asked or "all" in asked


def of_codec(flags: argparse.Namespace) -> list[Row]:
    cases = codec.cases(tuple(flags.size), flags.batch, flags.joints, flags.device)
    ours = [row for case in cases for row in codec.rows(case)]
    if flags.short:
        return [row for row in ours if row.bound is not None or row.name == row.floor]
    return ours + [row for case in cases for row in peers.rows(case)]


def machine(flags: argparse.Namespace) -> dict[str, Any]:
    asked = {n: getattr(flags, n) for n in ("device", "threads", "batch", "size", "joints")}
    cuda = torch.cuda.get_device_name() if flags.device.startswith("cuda") else None
    facts = {"processor": platform.machine(), "cores": os.cpu_count(), "gpu": cuda}
    load = os.getloadavg()[0]
    return {"asked": asked, "machine": facts, "load": load} | versions() | source_version()


def in_words(made: dict[str, Any]) -> str:
    asked, height_width = made["asked"], "x".join(map(str, made["asked"]["size"]))
    return (
        f"{asked['batch']} instances, {asked['joints']} joints, {height_width}; {asked['device']}, "
        f"{asked['threads']} thread(s) of {made['machine']['cores']} cores, load {made['load']:.1f}"
        f"; torch {made['torch']}, commit {made['commit']}"
    )


def read(file: Path) -> dict[str, Figure]:
    try:
        found = [Figure(**fields) for fields in json.loads(file.read_text())["figures"]]
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"--against {file}: heatmap-bench --out wrote no such file.") from error
    return {figure.name: figure for figure in found}


def over_bound(figures: Sequence[Figure]) -> list[str]:
    """The best round is judged, since a neighbour on the machine can only make one slower."""
    return [
        f"{each.name}: {min(each.ratios):.2f} times its floor, and {each.bound:g} is its bound"
        for each in figures
        if each.bound is not None and min(each.ratios) > SLACK * each.bound
    ]


def slower(figures: Sequence[Figure], before: dict[str, Figure]) -> list[str]:
    """Rows three quarters of whose rounds are above three quarters of the rounds before."""
    return [
        f"{each.name}: {before[each.name].ratio:.2f} before, now {each.ratio:.2f}"
        for each in figures
        if each.name in before and each.quarters[0] > before[each.name].quarters[1]
    ]
