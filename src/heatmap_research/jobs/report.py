"""From folders of runs to a page, with what only their networks and command lines tell."""

import argparse
import logging
import re
import shlex
import subprocess
import sys
import textwrap
import time
import timeit
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from heatmap_research.analysis.comparison.verdict import kept
from heatmap_research.analysis.page import page
from heatmap_research.analysis.page.making import study
from heatmap_research.analysis.page.parts import Section
from heatmap_research.analysis.page.sections import arms, budgets, one_run, verdicts
from heatmap_research.analysis.page.study import Seen, Study, first
from heatmap_research.analysis.theory.round_trip import floors
from heatmap_research.codec.codec import Codec
from heatmap_research.config import yaml_file
from heatmap_research.config.job import Job, prepare
from heatmap_research.config.of_run import of_record
from heatmap_research.drawing.example import Example
from heatmap_research.jobs import sample, worst
from heatmap_research.jobs.question import answered, asked_of
from heatmap_research.metrics import measures
from heatmap_research.runs import formats, whole_file
from heatmap_research.runs.find import Run, find
from heatmap_research.runs.latex import as_latex
from heatmap_research.runs.record import refuse_to_replace
from heatmap_research.runs.store import RunStore
from heatmap_research.runs.worst import worst_first
from heatmap_research.training.build import build, build_data, load_weights, wire, without_weights
from heatmap_research.training.task import KeypointTask
from heatmap_research.types import in_a_line

log = logging.getLogger(__name__)

VERDICTS_PRINTED = 3
MISSED = 12  # people on the page of one run
IMAGES = 3  # of test, drawn of each arm
PASSES = 20  # of which the fastest is the latency: others were interrupted
ADDED = ("hydra.mode=", "hydra.job.config.")  # by the command itself, as choice() around values
PIXELS = ((0.0, 1.0), (0.0, 1.0))  # coordinates have no bins
BYTES = 4  # of a number in single precision


def report(flags: argparse.Namespace) -> None:
    """Prints the first verdicts, and writes the page and the tables that were asked for."""
    began = time.monotonic()
    _refuse(flags)
    asked = {name: getattr(flags, name) for name in ("by", "metric", "margin", "baseline")}
    study = make(flags.folders, flags.budget, flags.question, decoder=flags.decoder, **asked)
    earlier = kept.others(study.runs, flags.keep) if flags.keep else []
    if flags.keep is not None:
        figures = _asked_figures(study, flags.question, flags.keep_metric or ())
        kept.keep(study.runs, flags.keep, figures)
    if earlier:
        whole = answered(kept.kept(flags.keep), flags.question, flags.metric)
        study = replace(study, answers=whole)
    made = f"Made {time.strftime('%Y-%m-%d %H:%M')} of {', '.join(map(str, flags.folders))}."
    size = write(study, flags.out, flags.csv, flags.latex, made)
    if earlier:
        print(
            f"{flags.keep} keeps {len(earlier)} runs that are not in these folders: the question "
            "is answered from all, the rest of the page shows the folders' own."
        )
    if study.answers is not None:
        print(study.answers.words)
    shown = VERDICTS_PRINTED if study.answers is None else 0
    main = verdicts.averages(study.verdicts)[:shown]
    for verdict in main:
        print(verdict.words)
    if more := len(study.verdicts) - len(main):
        print(f"{more} more comparison{'s' * (more > 1)} on the page.")
    if study.silent:
        print(study.silent)
    lost = sum(run.status != "finished" for run in study.runs)
    print(
        f"{flags.out}: {len(study.runs) - lost} runs{f', {lost} not finished' * bool(lost)}, "
        f"{size / 1e6:.1f} MB, made in {time.monotonic() - began:.0f} s"
    )


def report_of_run(folder: Path, flags: argparse.Namespace) -> None:
    """Writes the page of one run."""
    began = time.monotonic()
    _refuse(flags)
    if len(runs := find(folder)) > 1:
        raise ValueError(f"run={folder}: {len(runs)} runs are below it; give one, or no run=.")
    alone = study(runs, metric=flags.metric, decoder=flags.decoder)
    found = _looked_at(alone, [folder], flags.budget)
    made = f"Made {time.strftime('%Y-%m-%d %H:%M')} of {folder}."
    whole_file.write(flags.out, page.html_of_run(found, made, _missed(found)))
    size, took = flags.out.stat().st_size / 1e6, time.monotonic() - began
    print(f"{flags.out}: run {folder}, {size:.1f} MB, made in {took:.0f} s")


def _missed(study: Study) -> Section:
    """What cannot be drawn, because the data are gone, is said."""
    run, decoder = study.runs[0], study.decoder(study.groups[0])
    try:
        job = prepare(of_record(run.record), run.record["choices"])
        names = job.schema.names
        people = worst_first(run.predictions("test", decoder), range(len(names)), MISSED)
        return one_run.missed(worst.cells_of(job, "test", people, names), None)
    except Exception as error:
        return one_run.missed((), _shortly(error).rstrip("."))


def _asked_figures(study: Study, name: str | None, more: Sequence[str]) -> list[str]:
    """Metrics that answers are read by, as far as they are means over joints, and more."""
    asked = ["pixel_error", study.reading.metric, *more]
    question = asked_of(study.runs, name)
    asked += [question.metric] if question else []
    return [name for name in dict.fromkeys(asked) if name != "AP"]


def _refuse(flags: argparse.Namespace) -> None:
    """Refuses places that cannot be written, before anything is read."""
    for name in ("out", "csv", "latex"):
        place = getattr(flags, name)
        if place is None:
            continue
        if place.is_dir():
            raise ValueError(f"--{name} {place}: that is a folder; give a file.")
        if not place.absolute().parent.is_dir():
            raise ValueError(f"--{name} {place}: there is no folder {place.parent}.")
        if name != "out":
            refuse_to_replace(place)
    if flags.keep is not None and flags.keep.is_file():
        raise ValueError(f"--keep {flags.keep}: that is a file; give a folder.")
    for name in flags.keep_metric or ():
        if flags.keep is None:
            raise ValueError(f"--keep-metric {name}: add --keep DIR, into which it is put.")
        measures.named(name)
    if flags.out.exists() and not page.is_ours(flags.out):
        raise ValueError(f"--out {flags.out}: that is no page of heatmap-report; it is kept.")
    if flags.margin is not None and not flags.margin > 0:
        raise ValueError(f"--margin {flags.margin:g}: it must be greater than 0.")


def make(folders: Sequence[Path], budget: bool, question: str | None = None, **asked: Any) -> Study:
    runs = find(*folders)
    found = study(runs, **asked, answers=answered(runs, question, asked["metric"]))
    return _looked_at(found, folders, budget)


def _looked_at(found: Study, folders: Sequence[Path], budget: bool) -> Study:
    """The study with what networks, budgets and command lines tell."""
    if budget:
        _take_apart(found)
    shown = {id(group) for group in found.shown()}
    looks = {
        first(group).folder: look(first(group), found.decoder(group), id(group) in shown)
        for group in found.groups
    }
    return replace(found, seen=looks, commands=commands(found.runs, folders))


def write(study: Study, out: Path, csv: Path | None, latex: Path | None, made: str) -> int:
    """The page's size in bytes."""
    whole_file.write(out, page.html(study, made))
    if csv is not None:
        whole_file.write(csv, formats.as_csv(arms.rows(study)))
    if latex is not None:
        tables = filter(None, [arms.rows(study), verdicts.rows(study)])
        whole_file.write(latex, "\n".join(map(as_latex, tables)))
    return out.stat().st_size


def look(run: Run, decoder: str, pictures: bool) -> Seen:
    """What a run's network is like. What cannot be had is said, and the page does without it."""
    try:
        job = prepare(of_record(run.record), run.record["choices"])
        task = build(wire(job), **without_weights(job.config)).eval()
        known = _measured(task, job.config, job.schema.joints)
    except Exception as error:
        return Seen(missing=f"its network cannot be built anew ({_shortly(error)})")
    if not pictures:
        return known
    try:
        load_weights(task, RunStore(run.folder).checkpoints / "last.ckpt")
        return replace(known, examples=_examples(task, job, decoder))
    except Exception as error:
        return replace(known, missing=f"no samples are drawn ({_shortly(error)})")


def commands(runs: Sequence[Run], folders: Sequence[Path]) -> dict[Path, str]:
    places = dict.fromkeys([*folders, *(run.folder.parent for run in runs)])
    known = {folder: _sweep(folder) for folder in places}
    known |= {run.folder: _single(run.folder) for run in runs}
    return {folder: line for folder, line in known.items() if line}


def _take_apart(study: Study) -> None:
    for run in map(first, study.shown()):
        if budgets.file_of(run.folder) is not None:
            continue
        command = [sys.executable, "-m", "heatmap_research.commands.budget", f"run={run.folder}"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["it did not say why"])[-1]
            log.warning(f"{run.name} has no budget: {said}")


def _measured(task: KeypointTask, cfg: DictConfig, joints: int) -> Seen:
    image = torch.zeros(1, int(cfg.backbone.in_chans), *cfg.image_size)
    with torch.inference_mode():
        numbers = sum(each.numel() for each in task.activated(image))
        seconds = min(timeit.repeat(lambda: task.activated(image), repeat=PASSES, number=1))
    own, grid = task.codec, task.codec.grid
    known = Seen(grid.lines if grid.ndim else PIXELS, grid.ndim, BYTES * numbers, seconds)
    return replace(known, floors=floors(own, joints)) if isinstance(own, Codec) else known


def _examples(task: KeypointTask, job: Job, decoder: str) -> tuple[Example, ...]:
    module = build_data(job)
    data: Any = module.dataset("test")
    batches = [module.collate([data[index]]) for index in range(min(IMAGES, len(data)))]
    return tuple(sample.answered(task, batch, decoder)[0] for batch in batches)


def _sweep(folder: Path) -> str | None:
    if (asked := _stored(folder / "multirun.yaml")) is None:
        return None
    given = asked["hydra"]["overrides"]
    own = [word for word in given["hydra"] if not word.startswith(ADDED)]
    task = [re.sub(r"=choice\((.*)\)$", r"=\1", word) for word in given["task"]]
    return shlex.join(["heatmap-train", "-m", *task, *own])


def _single(folder: Path) -> str | None:
    asked = _stored(folder / ".hydra" / "overrides.yaml")
    return None if asked is None else shlex.join(["heatmap-train", *asked])


def _stored(file: Path) -> Any:
    return OmegaConf.to_container(yaml_file.load(file)) if file.exists() else None


def _shortly(error: Exception) -> str:
    return textwrap.shorten(in_a_line(error), 200, placeholder=" ...")
