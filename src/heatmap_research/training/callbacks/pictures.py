"""Pictures of a validation, for loggers that can show them."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import TensorBoardLogger, WandbLogger
from pytorch_lightning.trainer.states import TrainerFn

from heatmap_research.types import Sample

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIRST_SECONDS = 1.0  # that the first pictures are guessed to take


class Pictures(Callback):
    """Shows the same few images each time, and errors by decoder; takes a small share of a fit."""

    def __init__(self, images: int, every: int, share: float, seed: int) -> None:
        if images < 1 or every < 1:
            raise ValueError("callback.pictures: images and every are numbers of at least 1.")
        self.images, self.every = images, every  # validations
        self.share, self.seed = share, seed
        self.validations, self.spent, self.last, self.due = 0, 0.0, FIRST_SECONDS, False
        self.errors: dict[str, list[torch.Tensor]] = {}  # by decoder

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.began = time.monotonic()

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.errors = {}
        self.due = bool(_loggers(trainer)) and trainer.strategy.broadcast(self._is_time(trainer))

    def on_validation_batch_end(
        self, trainer: Trainer, _: object, outputs: Any, batch: Sample, *rest: Any
    ) -> None:
        if self.due:
            for decoder, prediction in outputs.items():
                away = torch.linalg.vector_norm(prediction.keypoints - batch.keypoints, dim=-1)
                self.errors.setdefault(decoder, []).append(away[batch.visible > 0].float())

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws now, before averaged weights, where there are any, are put away again."""
        if not self.due:
            return
        began = time.monotonic()
        errors = _gathered(trainer, {n: torch.cat(parts) for n, parts in self.errors.items()})
        if trainer.is_global_zero:
            from heatmap_research.drawing import validation_figures  # and with it matplotlib

            title = f"validation after step {trainer.global_step}"
            self._show(trainer, "val/errors", validation_figures.errors(errors, title))
            self._show(trainer, "val/samples", self._samples(trainer, pl_module, title))
        if trainer.state.fn == TrainerFn.FITTING:
            self.last = time.monotonic() - began
            self.spent += self.last

    def _is_time(self, trainer: Trainer) -> bool:
        if trainer.state.fn != TrainerFn.FITTING:
            return True
        self.validations += 1
        allowed = self.share * (time.monotonic() - self.began)
        return self.validations % self.every == 0 and self.spent + self.last <= allowed

    def _samples(self, trainer: Trainer, task: Any, title: str) -> "Figure":
        from heatmap_research.drawing import of_codec, validation_figures

        batch = self._batch(trainer)
        with trainer.precision_plugin.forward_context(), torch.inference_mode():
            activated = task.activated(batch.image.to(task.device))
        everywhere = torch.ones_like(batch.keypoints[:1, :, 0])
        labels, predicted = [], []
        for i in range(len(batch.image)):
            one = Sample(*(value[i : i + 1] for value in batch))
            maps = tuple(each[i : i + 1].float().cpu() for each in activated)
            label = of_codec.labelled(task.codec, one)
            labels.append(of_codec.example(task.codec, one, *label, spread=False))
            predicted.append(of_codec.example(task.codec, one, maps, everywhere))
        names = [f"instance {number}" for number in batch.instance_id.tolist()]
        decoder = next(iter(task.codec.decoders))
        return validation_figures.samples(labels, predicted, names, f"{title}, {decoder}")

    def _batch(self, trainer: Trainer) -> Sample:
        module: Any = trainer.datamodule  # type: ignore[attr-defined]
        data = module.dataset("val")
        generator = torch.Generator().manual_seed(self.seed)
        chosen = torch.randperm(len(data), generator=generator)[: self.images]
        batch = module.collate([data[i] for i in chosen.tolist()])
        return Sample(*(value.cpu() for value in batch))

    def _show(self, trainer: Trainer, name: str, figure: "Figure") -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        canvas, step = FigureCanvasAgg(figure), trainer.global_step
        canvas.draw()
        picture = np.asarray(canvas.buffer_rgba())[..., :3].copy()  # (height, width, channel)
        for logger in _loggers(trainer):
            if isinstance(logger, WandbLogger):
                logger.log_image(name, [picture], step=step)
            else:
                logger.experiment.add_image(name, picture, step, dataformats="HWC")


def _loggers(trainer: Trainer) -> list[WandbLogger | TensorBoardLogger]:
    kinds = (WandbLogger, TensorBoardLogger)
    return [logger for logger in trainer.loggers if isinstance(logger, kinds)]


def _gathered(trainer: Trainer, own: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    parts: list[Any] = [{name: errors.cpu().numpy() for name, errors in own.items()}]
    if trainer.world_size > 1:
        mine, parts = parts[0], [None] * trainer.world_size
        torch.distributed.all_gather_object(parts, mine)
    names = list(dict.fromkeys(name for part in parts for name in part))
    return {n: np.concatenate([part[n] for part in parts if n in part]) for n in names}
