"""Makes rows and figures of ceilings for codecs that a config names by the options of conf/."""

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import track
from rich.table import Table

from heatmap_research.analysis.error_budget import per_joint, stages
from heatmap_research.analysis.theory import (
    ceiling_figures,
    ceiling_table,
    ceiling_words,
    posterior,
    true_poses,
)
from heatmap_research.analysis.theory.annotators import annotators
from heatmap_research.analysis.theory.round_trip import Representation
from heatmap_research.config import additions, of_run
from heatmap_research.config.instantiate import instantiate, is_number, refusing
from heatmap_research.config.job import prepare
from heatmap_research.config.values import ROOT
from heatmap_research.data import threads
from heatmap_research.data.annotations import Annotations, read
from heatmap_research.data.annotations.schemas import schema
from heatmap_research.jobs import budget_steps, ceiling_grid
from heatmap_research.runs.source import source_version
from heatmap_research.runs.store import RunStore
from heatmap_research.types import IncompatibleError, Schema

PAIRED = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
COCO = ("nose", *(f"{side}_{part}" for part in PAIRED for side in ("left", "right")))
ROWS = 10  # that are printed; the file has all
PRECISE = ("mean_px", "median_px", "p95_px", "bias_x", "bias_y", "mean_source_px", "mean_oks", "ap")


def run(cfg: DictConfig) -> None:
    additions.refuse(cfg)
    _check_values(cfg)
    truth = _truth(cfg)
    facts: dict[str, Any] = {}
    said: list[str] = []
    if cfg.run is not None:
        joints, jobs, measured = _trained(cfg, truth)
        facts = {"run": cfg.run, **_listed(measured, joints.names)}
        first, *more = per_joint.sentences(measured, joints.names)
        said = [f"Uncertainty is the run's, by joint (shown: the mean), {first}", *more]
    else:
        joints = schema({"keypoints": list(COCO)}, None) if truth is None else truth.schema
        jobs = list(ceiling_grid.representations(cfg, joints))
    out = Path(cfg.out)
    _make(out)
    started = time.monotonic()
    table = _rows(cfg, jobs, truth, joints)
    seconds = time.monotonic() - started
    facts["points"] = "uniform" if truth is None else truth.file.name
    facts |= {name: cfg[name] for name in ("noise", "seed", "padding")} | source_version()
    ceiling_table.write(table, out / "ceiling.parquet", **{k: str(v) for k, v in facts.items()})
    console = Console(width=None if Console().is_terminal else 190)
    for part in ceiling_table.split(table, "height", "width").values():
        console.print(_shown(ceiling_words.least(part, ROWS), len(part)))
        ceiling_figures.write(part, out)
    people = cfg.uniform.people if truth is None else int(truth.learnable.sum())
    said += [*_human(cfg, jobs, truth), *ceiling_words.conclusion(table)]
    said.append(f"{len(table)} codecs, {people} people, {seconds:.0f} s: {out}/ceiling.parquet")
    console.print(*said, sep="\n", highlight=False)


def _human(
    cfg: DictConfig, jobs: Sequence[Representation], truth: Annotations | None
) -> Iterator[str]:
    """How exactly people have marked a file's joints, in pixels of each size of crop."""
    if truth is None or not truth.schema.tolerances_known:
        return
    poses = true_poses.annotated(truth, cfg.padding)
    labelled = poses.people.keypoints[..., 2] > 0
    for height, width in dict.fromkeys(job.codec.grid.image_size for job in jobs):
        per_pixel = (poses.crops[:, 2:] / [width, height]).max(1, keepdims=True)
        tolerances, scale = np.array(truth.schema.sigmas), np.sqrt(poses.people.areas)
        known = annotators(tolerances, scale, per_pixel.repeat(2, 1), labelled)
        if known:
            yield f"{height} x {width}: {known}"


def _make(out: Path) -> None:
    """Makes the folder and tries to write there, before minutes are spent."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise IncompatibleError(f"out={out}: {error.strerror}; choose another folder.") from error


def _trained(
    cfg: DictConfig, truth: Annotations | None
) -> tuple[Schema, list[Representation], per_joint.Uncertainty]:
    """A run's own codec for a network that is sure, and for one as unsure as it was on val."""
    store = _finished(cfg)
    record = store.read("config", "choices", "flip_test")
    job = prepare(of_run.of_record(record), record["choices"])
    joints, codec = job.schema, job.codec_of(instantiate(job.config.head, "head"))
    if truth is not None and truth.schema.names != joints.names:
        raise IncompatibleError(f"annotations={truth.file}: its joints are not those of the run.")
    good = (1 + cfg.near) / 2  # nothing here asks what is good
    frame = budget_steps.framed(codec, joints, good, cfg.near)
    flip = bool(record["flip_test"])
    with refusing(f"run={cfg.run}"):
        stage = stages.from_tables("val", [store.read_predictions()])
        measured = per_joint.uncertainty(frame, stage, flip)
        if not measured.share:
            raise ValueError("no joint is found near its truth: there is no spread to measure.")
    sure = budget_steps.represented(job, codec, flip)
    if isinstance(sure, str):
        raise IncompatibleError(f"run={cfg.run}: {sure}: there is no codec to have a ceiling.")
    jobs = [sure]
    if not posterior.is_entangled(sure.codec):
        jobs.append(replace(sure, uncertainty=tuple(measured.widths.tolist())))
    return joints, jobs, measured


def _listed(measured: per_joint.Uncertainty, names: Sequence[str]) -> dict[str, str]:
    widths = {name: round(w, 4) for name, w in zip(names, measured.widths.tolist(), strict=True)}
    pooled = [name for name, few in zip(names, measured.pooled, strict=True) if few]
    return {
        "uncertainties": json.dumps(widths),
        "uncertainty_pooled": json.dumps(pooled),
        "uncertainty_share": str(measured.share),
    }


def _finished(cfg: DictConfig) -> RunStore:
    for name, values in cfg.every.items():
        if values is not None:
            raise IncompatibleError(f"{name}={values}: run=DIR brings its own; leave one out.")
    store = RunStore(Path(cfg.run))
    for file in (store.record, store.predictions):
        if not file.is_file():
            raise IncompatibleError(f"run={cfg.run}: there is no {file.name} in it.")
    return store


def _check_values(cfg: DictConfig) -> None:
    for key, sensible, words in (
        ("padding", lambda value: value > 0, "a number above 0"),
        ("noise", lambda value: value >= 0, "a number above 0"),
        ("uniform.area", lambda value: value > 0, "a number above 0"),
        ("uniform.margin", lambda value: 0 <= value < 0.5, "a share, 0 to 0.5"),
        ("uniform.people", lambda value: isinstance(value, int) and value >= 1, "1 or more"),
        ("seed", *ROOT["seed"]),
        ("near", lambda value: 0 < value < 1, "a similarity above 0 and below 1"),
    ):
        value = OmegaConf.select(cfg, key)
        if not is_number(value) or not sensible(value):
            raise IncompatibleError(f"{key}={value}: give {words}.")
    if not cfg.grids:
        raise IncompatibleError("grids: leave at least one.")


def _shown(table: Sequence[ceiling_table.Row], of: int) -> Table:
    size = "{height} x {width}".format(**table[0])
    which = "" if len(table) == of else f", the {len(table)} least of {of}"
    result = Table(title=f"Ceilings at {size}: errors in pixels of the crop{which}")
    for name in (
        *("layout", "target", "sigma", "stride", "decoder", "geometry", "flip", "uncertainty"),
        *("mean", "median", "p95", "bias x", "bias y", "source px", "OKS", "AP"),
    ):
        words = name in ("layout", "target", "decoder", "geometry", "flip")
        result.add_column(name, justify="left" if words else "right")
    for row in table:
        result.add_row(
            *(row["layout"], row["target"], "" if row["sigma"] is None else f"{row['sigma']:g}"),
            *(f"{row['stride']:.3g}", row["decoder"], row["geometry"]),
            *("yes" if row["flip_test"] else "", f"{row['uncertainty']:g}"),
            *(f"{row[name]:.4f}" for name in PRECISE),
        )
    return result


def _rows(
    cfg: DictConfig, jobs: Sequence[Representation], truth: Annotations | None, joints: Schema
) -> list[ceiling_table.Row]:
    def poses(size: tuple[int, int]) -> true_poses.TruePoses:
        if truth is not None:
            return true_poses.annotated(truth, cfg.padding)
        number, margin, area = (cfg.uniform[name] for name in ("people", "margin", "area"))
        return true_poses.uniform(joints, size, number, margin, area, cfg.seed)

    by_size = {size: poses(size) for size in {job.codec.grid.image_size for job in jobs}}

    def of_a_codec(job: Representation) -> list[ceiling_table.Row]:
        people = by_size[job.codec.grid.image_size]
        return list(ceiling_table.rows(job, people, cfg.noise, cfg.seed))

    with threads.one_each() as side_by_side, ThreadPoolExecutor(side_by_side) as pool:
        rows = pool.map(of_a_codec, jobs)
        console = Console(stderr=True)
        tracked = track(rows, "ceilings", total=len(jobs), console=console, transient=True)
        return list(chain.from_iterable(tracked))


def _truth(cfg: DictConfig) -> Annotations | None:
    if cfg.annotations is None:
        return None
    with refusing("annotations"):
        truth = read(cfg.annotations, cfg.sigmas, cfg.category)
        if not truth.learnable.any():
            raise ValueError(f"{truth.file}: nobody in it has a box and a labelled joint.")
        return truth
