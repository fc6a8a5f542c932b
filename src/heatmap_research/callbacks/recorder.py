"""What an evaluation predicted, as rows of the run store."""

from typing import Any

import numpy as np
import pyarrow as pa
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn

from heatmap_research import geometry
from heatmap_research.run_store import PREDICTIONS, RunStore
from heatmap_research.types import Prediction, Sample


class Recorder(Callback):
    """Keeps the predictions of `validate` and `test`; those made while fitting are not final."""

    def __init__(self, store: RunStore, flip_test: bool) -> None:
        self.store, self.flip_test = store, flip_test
        self.tables: list[pa.Table] = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Sample,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if trainer.state.fn != TrainerFn.FITTING:
            self._keep("val", outputs, batch)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Sample,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self._keep("test", outputs, batch)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != TrainerFn.FITTING:
            self._write(trainer)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._write(trainer)

    def _keep(self, stage: str, outputs: dict[str, Prediction], batch: Sample) -> None:
        self.tables += [
            rows(stage, decoder, self.flip_test, prediction, batch)
            for decoder, prediction in outputs.items()
        ]

    def _write(self, trainer: Trainer) -> None:
        table = pa.concat_tables(self.tables).unify_dictionaries()
        self.tables = []
        if trainer.world_size > 1:
            parts: list[pa.Table | None] = [None] * trainer.world_size
            torch.distributed.all_gather_object(parts, table)
            table = pa.concat_tables(parts).unify_dictionaries()
        if trainer.is_global_zero:
            self.store.write_predictions(table)


def rows(
    stage: str, decoder: str, flip_test: bool, prediction: Prediction, batch: Sample
) -> pa.Table:
    """One row per instance and joint."""
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
