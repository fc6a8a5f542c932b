"""The people that a run misses most on one sheet, cut out of their source images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from heatmap_research.config.job import Job
from heatmap_research.data.protocols import source_of
from heatmap_research.drawing import missed_sheet, style
from heatmap_research.drawing.missed_sheet import Cell
from heatmap_research.jobs import sample
from heatmap_research.runs import record, table
from heatmap_research.runs.find import Run
from heatmap_research.runs.worst import Missed, worst_first
from heatmap_research.training.build import build_data
from heatmap_research.types import IncompatibleError, Sample

PRINTED = 10  # people that are listed


def show(cfg: DictConfig, job: Job, decoder: str | None) -> None:
    """`decoder` is the one asked for; where none was, the run's own best on val is read."""
    folder, names = Path(cfg.run), job.schema.names
    run = Run(folder, record.read(folder, "config", "choices", "decoders"))
    joints = sample.wanted(cfg.joints, names)
    decoder = read_by(run, decoder)
    found = worst_first(_rows(cfg, run, decoder), joints, cfg.worst)
    if not found:
        raise IncompatibleError(
            f"joints={list(cfg.joints)}: none of them is labelled in {cfg.stage}."
        )
    cells = cells_of(job, cfg.stage, found, names)
    asked = "all joints" if cfg.joints is None else ", ".join(cfg.joints)
    title = (
        f"run {folder}, {cfg.stage} by {decoder}: the {len(found)} largest mean errors of {asked}"
    )
    write(cells, f"{title}\n+ truth, dot found; errors in pixels of the crop", Path(cfg.output))
    lines = [cell.title.replace("\n", ": ") for cell in cells[:PRINTED]]
    print("\n".join([*lines, f"{cfg.output}: {len(cells)} people, worst first"]))


def cells_of(job: Job, stage: str, found: Sequence[Missed], names: Sequence[str]) -> list[Cell]:
    data = build_data(job).dataset(stage)
    return [_cell(data, number, each, names) for number, each in enumerate(found, 1)]


def write(cells: Sequence[Cell], title: str, output: Path) -> None:
    style.save(missed_sheet.sheet(cells, title), output)


def read_by(run: Run, asked: str | None) -> str:
    decoder = asked or table.chosen([run]) or run.decoders[0]
    if decoder not in run.decoders:
        raise IncompatibleError(
            f"decoder={decoder}: what this run has predicted is read by {', '.join(run.decoders)}; "
            f"heatmap-evaluate run={run.folder} decoder=[{decoder}] name=NAME reads it anew, for "
            f"run={run.folder}/evaluate/NAME."
        )
    return decoder


def _rows(cfg: DictConfig, run: Run, decoder: str) -> Any:
    rows = run.predictions(cfg.stage, decoder)
    if not len(rows):
        raise IncompatibleError(
            f"stage={cfg.stage}: {run.folder} has no predictions of it; choose val or test."
        )
    return rows


def _cell(data: Any, number: int, missed: Missed, names: Sequence[str]) -> Cell:
    person: Sample = data[missed.place]
    if int(person.instance_id) != missed.instance:
        raise IncompatibleError(
            f"instance {missed.instance} is not where it was when this run was evaluated: its data "
            "have changed. heatmap-evaluate reads the present ones."
        )
    image, in_source = source_of(data, missed.place, person)
    points = (missed.true_source, missed.found_source) if in_source else (missed.true, missed.found)
    height, width = image.shape[:2]
    box = person.box.double().numpy() if in_source else np.array([0.0, 0.0, width, height])
    worst = missed.worst
    title = (
        f"{number}. image {missed.image}, person {missed.instance}\n"
        f"{missed.mean_px:.1f} px, {names[worst]} {missed.errors[worst]:.1f}"
    )
    return Cell(title, image, *points, box)
