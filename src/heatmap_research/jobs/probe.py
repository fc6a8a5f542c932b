"""The table of heatmap-probe: what share of the skill on a data set needs no more than a patch."""

import argparse
import sys
from collections.abc import Sequence
from itertools import islice
from statistics import mean

import torch
from rich.console import Console
from rich.table import Table

from heatmap_research.analysis.comparison import locality
from heatmap_research.analysis.comparison.locality import Locality
from heatmap_research.config.job import prepare
from heatmap_research.config.of_run import of_record
from heatmap_research.data.datamodule import DataModule
from heatmap_research.metrics.pixel_error import PixelError
from heatmap_research.runs.find import find
from heatmap_research.runs.source import source_version, versions
from heatmap_research.training.build import build_data
from heatmap_research.types import Keypoints, Prediction

TRAINING_BATCHES = 400  # whose joints the constant answer is made of


def run(flags: argparse.Namespace) -> None:
    runs = [run for run in find(*flags.folders) if run.status == "finished"]
    if not runs:
        raise ValueError(f"{', '.join(map(str, flags.folders))}: no run in it has finished.")
    locality.by_field(runs)  # before images are drawn
    of_first = runs[0].record
    job = prepare(of_record(of_first), of_first["choices"])
    measured = locality.measure(runs, constant_error(build_data(job)))
    Console().print(_shown(measured))
    if flags.keep:
        command = " ".join(["heatmap-probe", *sys.argv[1:]])
        trained_by = sorted({str(run.record.get("commit")) for run in runs})
        made_by = {"command": command, "trained_by": trained_by, "versions": versions()}
        locality.keep(measured, made_by | source_version(), flags.keep)


def constant_error(module: DataModule) -> float:
    """The mean error in pixels on test of one place a joint, the same in every image."""
    place, error = _middle(module), PixelError("labelled")
    for batch in module.test_dataloader():
        answer = place.expand_as(batch.keypoints)
        error.update(Prediction(answer, torch.ones_like(answer[..., 0])), batch)
    return error.compute().item()


def _middle(module: DataModule) -> Keypoints:
    """The median of x and of y of every joint, where it is labelled in training."""
    batches = list(islice(module.train_dataloader(), TRAINING_BATCHES))
    labelled = torch.cat([batch.visible for batch in batches]) > 0
    places = torch.cat([batch.keypoints for batch in batches])
    return places.where(labelled[..., None], torch.nan).nanmedian(0, keepdim=True).values


def _shown(measured: Locality) -> Table:
    result = Table(title=f"data={measured.data}: {measured.arm}, {measured.steps} steps")
    for name in ("field, px", "error, px", "lowest", "highest", "share of skill", "from", "to"):
        result.add_column(name, justify="right")
    result.add_row("constant", f"{measured.constant:.3f}", *[""] * 2, "0.0 %")
    for field, errors in measured.fields.items():
        shares = measured.shares(field)
        ends = (f"{share:.1%}" for share in (mean(shares), min(shares), max(shares)))
        result.add_row(str(field), *_errors(errors), *ends)
    result.add_row("whole", *_errors(measured.whole), "100.0%")
    return result


def _errors(errors: Sequence[float]) -> list[str]:
    return [f"{error:.3f}" for error in (mean(errors), min(errors), max(errors))]
