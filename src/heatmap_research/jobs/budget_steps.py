"""Evaluates a run twice, and makes an account of its error from what it predicted."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from rich.console import Console

from heatmap_research.analysis.error_budget import account, figures, stages
from heatmap_research.analysis.error_budget.report import conclusion, sentences, table
from heatmap_research.analysis.error_budget.state import Frame
from heatmap_research.analysis.theory.round_trip import Representation
from heatmap_research.codec.codec import Codec
from heatmap_research.codec.coordinate_codec import AnyCodec
from heatmap_research.config.instantiate import instantiate, refusing
from heatmap_research.config.job import Job, prepare
from heatmap_research.config.of_run import make_new, of_record
from heatmap_research.drawing import style
from heatmap_research.runs import whole_file
from heatmap_research.runs.record import write_json
from heatmap_research.runs.store import RunStore
from heatmap_research.types import IncompatibleError, Schema

PIXELS = ((0.0, 1.0), (0.0, 1.0))  # the grid of a run that answers with coordinates
DOTS_PER_INCH = 100
ROWS, WIDTH = 10, 110  # of the table that is printed, and of the text
EVALUATIONS = {"plain": False, "flip": True}  # folder -> flip test
LAYOUTS = {1: "1d", 2: "2d"}


def evaluate(job: Job, trained: Path, out: Path, checkpoint: Path) -> None:
    """Evaluates both stages, without and with a flip test, into folders of their own."""
    from heatmap_research.training import fit  # Lightning: not for reading what is there

    for name, flip in EVALUATIONS.items():
        folder = out / name
        folder.mkdir()
        both = job.but(flip_test=flip, evaluate=["val", "test"])
        fit.evaluate(both, RunStore(trained), RunStore(folder), checkpoint)


@contextmanager
def made(folder: Path) -> Iterator[None]:
    """Makes a new folder, and takes it away again if something goes wrong."""
    make_new(folder)
    try:
        yield
    except BaseException:
        shutil.rmtree(folder)
        raise


def load(
    folder: Path,
    stage: str,
    decoder: str | None,
    flip_test: bool | None,
    good: float,
    near: float,
    oks: float,
) -> tuple[account.Account, Schema]:
    """Accounts for the error in a folder that `evaluate` has filled, read by argmax by default."""
    record = RunStore(folder / "plain").read()
    tables = [pq.read_table(folder / name / "predictions.parquet") for name in EVALUATIONS]
    job = prepare(of_record(record), record["choices"])
    schema, codec = job.schema, job.codec_of(instantiate(job.config.head, "head"))
    frame = framed(codec, schema, good, near)
    by_stage = {name: stages.from_tables(name, tables) for name in ("val", "test")}
    usual = "argmax" if "argmax" in record["decoders"] else record["decoders"][0]
    readout = (decoder or usual, bool(flip_test))
    if readout not in by_stage[stage].answers:
        raise IncompatibleError(
            f"decoder={decoder}: this run's answers are read by {', '.join(record['decoders'])}."
        )
    apart = stage == "test" and not _same(by_stage["val"].truth, by_stage["test"].truth)
    fit = by_stage["val"] if apart else None
    known = represented(job, codec, readout[1])
    with refusing(f"run={folder.parent.parent}, stage={stage}"):
        marked = "annotations" in job.config.data[stage] and schema.tolerances_known
        read = by_stage[stage]
        taken = account.of_run(frame, schema, fit, read, readout, known, oks, marked)
        return taken, schema


def framed(codec: AnyCodec, schema: Schema, good: float, near: float) -> Frame:
    lines, cell = (codec.grid.lines, "bin") if isinstance(codec, Codec) else (PIXELS, "pixel")
    return Frame(codec.grid.image_size, lines, schema.sigmas, schema.flip, good, near, cell)


def represented(job: Job, codec: AnyCodec, flip_test: bool) -> Representation | str:
    """A run's codec in the form that ceilings are computed of, or why it has none."""
    if not isinstance(codec, Codec):
        return "it answers with coordinates, which have no bins"
    return Representation(
        codec=codec,
        layout=LAYOUTS[codec.grid.ndim],
        target=str(job.choices.get("target")),
        geometry=str(job.choices.get("geometry")),
        sigmas=dict.fromkeys(codec.decoders, float(job.config.sigma)),
        flip_test=flip_test,
        uncertainty=0.0,
        whole_pixels=bool(job.config.data.get("round_labels")),
    )


def write(
    taken: account.Account, names: tuple[str, ...], folder: Path, stage: str, **facts: Any
) -> None:
    content = {"version": 1, "stage": stage, "joints": list(names), **facts, **taken.as_json()}
    write_json(folder / "budget.json", content)
    decoder, flip = taken.readout
    how = f"{stage}, decoder {decoder}{', flip test' if flip else ''}"
    cell = taken.cell
    within = f"Error within a {cell}, gross errors left out: {how}"
    drawn = {
        "budget": figures.bars((taken.forwards, taken.backwards), f"Error budget: {how}", cell),
        "phase": figures.phases(taken.phases, taken.laws, within, cell),
        "border": figures.border(taken.border, f"Error and the border: {how}"),
        "scores": figures.scores(taken.scores, taken.risk, f"What scores are worth: {how}"),
    }
    for name, figure in drawn.items():
        style.save(figure, folder / f"{name}.png", DOTS_PER_INCH)
    with whole_file.written(folder / "budget.txt") as partial, partial.open("w") as file:
        whole = Console(width=WIDTH, file=file)
        whole.print(table(taken, stage), *sentences(taken, names), sep="\n", highlight=False)


def report(taken: account.Account, names: tuple[str, ...], stage: str, folder: Path) -> None:
    """Prints the conclusion; all else that can be said is in budget.txt."""
    console = Console(width=None if Console().is_terminal else WIDTH)
    console.print(table(taken, stage, ROWS))
    files = f"{folder}/budget.txt, budget.json, budget.png, phase.png, border.png, scores.png"
    console.print(*conclusion(taken, names), files, sep="\n", highlight=False)


def _same(one: stages.StageTruth, other: stages.StageTruth) -> bool:
    """Whether both are of the same people: a data set without a test stage reads val twice."""
    return np.array_equal(one.images, other.images) and np.array_equal(one.points, other.points)
