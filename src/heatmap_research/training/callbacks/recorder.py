"""Records what an evaluation predicted, in the run's folder."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.trainer.states import TrainerFn

from heatmap_research.codec import geometry
from heatmap_research.metrics.average_precision import Found
from heatmap_research.runs.store import PREDICTIONS, RunStore
from heatmap_research.types import Prediction, Sample

# Predictions made while fitting are not final.
STAGES: dict[str | None, str] = {TrainerFn.VALIDATING: "val", TrainerFn.TESTING: "test"}


class Recorder(Callback):
    """Keeps the predictions of `validate` and `test`."""

    def __init__(self, store: RunStore, flip_test: bool) -> None:
        self.store, self.flip_test = store, flip_test
        self.tables: list[pa.Table] = []
        self.people: dict[str, Found] = {}  # by decoder

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: object, outputs: Any, batch: Sample, *_: Any
    ) -> None:
        if stage := STAGES.get(trainer.state.fn):
            self.tables += [
                rows(stage, decoder, self.flip_test, prediction, batch)
                for decoder, prediction in outputs.items()
            ]

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: object) -> None:
        if trainer.state.fn in STAGES:
            self._write(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Writes the people as a metric has scored them; without one, each by its mean joint."""
        stage = STAGES.get(trainer.state.fn)
        if stage is None or not trainer.is_global_zero:
            return
        truth = trainer.datamodule.truth(stage)  # type: ignore[attr-defined]
        category = 1 if truth is None else truth.category
        for decoder in pl_module.codec.decoders:
            metrics = pl_module.metrics[decoder].values()
            scored = [m.scored for m in metrics if getattr(m, "scored", None) is not None]
            people = scored[0] if scored else self.people[decoder]
            self.store.write_results(stage, decoder, people.results(category))

    on_test_batch_end = on_validation_batch_end  # type: ignore[assignment]
    on_test_epoch_end = on_validation_epoch_end
    on_test_end = on_validation_end

    def _write(self, trainer: Trainer) -> None:
        none = [PREDICTIONS.empty_table()]  # of a process that was given no sample
        table = pa.concat_tables(none + self.tables).unify_dictionaries()
        self.tables = []
        if trainer.world_size > 1:
            parts: list[pa.Table | None] = [None] * trainer.world_size
            torch.distributed.all_gather_object(parts, table)
            table = pa.concat_tables(parts).unify_dictionaries()
        if trainer.is_global_zero:
            self.store.write_predictions(table)
            self.people = people_of(table)


def people_of(table: pa.Table) -> dict[str, Found]:
    """The people of each decoder, with each instance once."""
    people = {}
    for decoder in table["decoder"].unique().to_pylist():
        own = table.filter(pc.equal(table["decoder"].cast(pa.string()), decoder))
        columns = {name: own[name].to_numpy() for name in ("instance", "image", "joint", "score")}
        order = np.lexsort((columns["joint"], columns["instance"]))
        _, first = np.unique(columns["instance"][order], return_index=True)
        joints = int(columns["joint"].max()) + 1
        each = order[first[:, None] + np.arange(joints)]  # (person, joint)
        points = np.stack([own[axis].to_numpy()[each] for axis in ("x_source", "y_source")], -1)
        images, scores = columns["image"][each[:, 0]], columns["score"][each].mean(1)
        people[decoder] = Found(images, points.astype(float), scores.astype(float))
    return people


def rows(
    stage: str, decoder: str, flip_test: bool, prediction: Prediction, batch: Sample
) -> pa.Table:
    batch = Sample(*(value.cpu() for value in batch))
    points, truth = prediction.keypoints.float().cpu(), batch.keypoints
    instances, joints = batch.visible.shape
    crop = torch.cat([points, truth], dim=-1)
    to_source = batch.to_source.float()
    source = torch.cat([geometry.apply(to_source, p) for p in (points, truth)], dim=-1)
    columns = [
        pa.array([stage] * instances * joints).dictionary_encode(),
        batch.image_id.repeat_interleave(joints).numpy(),
        batch.instance_id.repeat_interleave(joints).numpy(),
        np.tile(np.arange(joints), instances),
        pa.array([decoder] * instances * joints).dictionary_encode(),
        np.full(instances * joints, flip_test),
        *torch.cat([crop, source], dim=-1).flatten(0, 1).unbind(-1),
        prediction.score.float().cpu().flatten().numpy(),
        batch.visible.flatten().numpy(),
        batch.scale.repeat_interleave(joints).numpy(),
    ]
    arrays = [pa.array(np.asarray(c)) if not isinstance(c, pa.Array) else c for c in columns]
    return pa.table(arrays, names=PREDICTIONS.names).cast(PREDICTIONS)
