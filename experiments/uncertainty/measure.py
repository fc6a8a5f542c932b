"""What maps say of their joints, and the errors: python experiments/uncertainty/measure.py DIR ...

Reads finished runs of the studies in ASKED. Writes cells.parquet, a row for each labelled joint of
each test image and each of DECODERS: the error of its answer and the deviation that its map has,
both in crop pixels, the distance of the truth in such deviations, and the score; and the run's
factor for all deviations, as `metric=ellipses` fits it to val. answer.py prints what it says.
"""

import argparse
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from heatmap_research.codec import covariance
from heatmap_research.config import of_run
from heatmap_research.jobs import export_steps as steps
from heatmap_research.metrics.ellipses import Ellipses, square_distance
from heatmap_research.runs.find import Run, find
from heatmap_research.runs.store import RunStore
from heatmap_research.training import build
from heatmap_research.training.task import KeypointTask
from heatmap_research.types import Prediction, Sample

FILE = Path(__file__).with_name("cells.parquet")
ASKED = {"occlusion_hard": "evaluate/covered_30", "lspet_short": "."}  # the evaluation that is read
DECODERS = ("dark_blur", "soft_argmax")  # each is the best on val of some arm
TRAINED_WITH = (None, 0.2)  # covered; of photographs nothing
MAX_OFF = 1e-3  # px by which a run's error may differ from the one that it has stored
SHARE, PIXEL, TIMES = 65535, 500, 100  # scores, pixels, distances are whole numbers of so many
log = logging.getLogger(__name__)


def chosen(studies: Sequence[Path]) -> list[Run]:
    """Their evaluations, each with the weights of its run."""
    runs = [run for run in find(*studies) if run.status == "finished" and run.study in ASKED]
    asked = [run for run in runs if run.value("data.occlusion") in TRAINED_WITH]
    found = find(*(run.folder / ASKED[str(run.study)] for run in asked))
    return sorted(found, key=lambda run: (str(run.study), run.arm, run.seed))


def answers(task: KeypointTask, batches: Sequence[Sample]) -> Iterator[tuple[Sample, Prediction]]:
    with torch.inference_mode():
        for batch in batches:
            activated = task.codec.activate(task.net(batch.image))
            (read,) = task.codec.decode(activated).values()
            spread = covariance.of_answer(task.codec.grid, activated)
            yield batch, Prediction(read.keypoints, read.score, covariance=spread)


def measured(run: Run, decoder: str) -> pa.Table:
    job = of_run.read_by_one(run.folder, decoder, False)
    task = steps.task(job, weights_of(run))
    data = build.build_data(job)
    ellipses = Ellipses()
    for batch, prediction in answers(task, list(data.val_dataloader())):
        ellipses.update(prediction, batch)
    ellipses.compute()
    parts = [_rows(*each) for each in answers(task, list(data.test_dataloader()))]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    _refuse_other(run, decoder, columns["error"].mean())
    units = {"error": PIXEL, "deviation": PIXEL, "distance": TIMES, "score": SHARE}
    for name, unit in units.items():
        columns[name] = np.minimum(np.rint(columns[name] * unit), 65535).astype(np.uint16)
    named = {"study": run.study, "arm": run.arm, "seed": run.seed, "decoder": decoder}
    shared = named | {"widening": ellipses.widening}
    count = len(columns["error"])
    return pa.table({name: [value] * count for name, value in shared.items()} | columns)


def weights_of(run: Run) -> Path:
    """Those of the run that was evaluated, which may have moved since, with its evaluations."""
    folders = [run.folder, *run.folder.parents]
    files = (RunStore(folder).weights for folder in folders)
    return next(file for file in files if file.is_file())


def _rows(batch: Sample, read: Prediction) -> dict[str, np.ndarray]:
    assert read.covariance is not None
    away = read.keypoints - batch.keypoints
    joints = torch.arange(away.shape[1]).expand(away.shape[:2])
    found = {
        "image": batch.image_id[:, None].expand(away.shape[:2]).int(),
        "joint": joints.to(torch.int8),
        "error": away.norm(dim=-1),
        "deviation": read.covariance.diagonal(dim1=-2, dim2=-1).sum(-1).sqrt(),
        "distance": square_distance(away, read.covariance).sqrt(),
        "score": read.score,
    }
    return {name: each[batch.visible > 0].numpy() for name, each in found.items()}


def _refuse_other(run: Run, decoder: str, error: float) -> None:
    """The network that was opened has to answer as it did after its training."""
    stored = run.metric("test", decoder, "pixel_error")
    if stored is None or abs(stored - error) > MAX_OFF:
        raise ValueError(f"{run.name}: {decoder} errs by {error:g} px, not by {stored} px.")
    log.warning(f"{run.study}/{run.name}: {decoder}, {stored:.4f} px as stored")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("studies", type=Path, nargs="+")
    runs = chosen(asked.parse_args().studies)
    torch.set_num_threads(1)
    read_by = [(run, name) for name in DECODERS for run in runs if name in run.decoders]
    tables = [measured(run, decoder) for run, decoder in read_by]
    pq.write_table(pa.concat_tables(tables), FILE, compression="zstd")


if __name__ == "__main__":
    main()
