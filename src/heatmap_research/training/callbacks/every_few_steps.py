"""What every training is watched by; of a GPU only the steps that are logged wait for a figure."""

import math
import time
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

from heatmap_research.types import IncompatibleError

NAMED = 64  # images of a batch in a message


class Finite(Callback):
    """Ends a run at the step whose loss is not finite, and names the images of that step.

    No step waits for a GPU: its loss is copied while the next step is begun, and read after that.
    """

    def __init__(self) -> None:
        self.last: _Seen | None = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        before, self.last = self.last, _Seen(trainer.global_step, outputs["loss"], batch.image_id)
        for seen in (before, self.last if self.last.copied is None else None):
            if seen:
                seen.refuse_lost()

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, _: Any) -> None:
        """Keeps the last good checkpoint in its place."""
        self.on_train_end(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.last:
            self.last.refuse_lost()
        fine = [torch.isfinite(weight).all() for weight in pl_module.parameters()]
        if not bool(torch.stack(fine).all()):
            raise _lost("weights are not finite", trainer.global_step)


class _Seen:
    """The loss of a step, on its way here, and the images it is of."""

    def __init__(self, step: int, loss: Tensor, images: Tensor) -> None:
        self.step, self.images = step, images
        self.loss = loss.detach().to("cpu", non_blocking=True)
        self.copied = torch.cuda.Event() if loss.is_cuda else None
        if self.copied:
            self.copied.record()

    def refuse_lost(self) -> None:
        if self.copied:
            self.copied.synchronize()
        if not math.isfinite(loss := float(self.loss)):
            numbers = sorted(set(self.images.tolist()))
            some = ", ".join(map(str, numbers[:NAMED])) + ", ..." * (len(numbers) > NAMED)
            raise _lost(f"the loss is {loss}", self.step, f" (images {some})")


class NeckGradient(Callback):
    """Logs how hard a loss pulls at the features all heads share: arms differ in it silently."""

    def __init__(self, every: int) -> None:
        self.every = every  # steps
        self.due = False  # a compiler would make a graph for each number of a step
        self.squares: list[Tensor] = []

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        def watch(neck: nn.Module, inputs: object, features: list[Tensor]) -> None:
            if self.due:
                for feature in features:
                    if feature.requires_grad:
                        feature.register_hook(self._keep)

        self.hook = pl_module.get_submodule("net.neck").register_forward_hook(watch)

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        self.due = (trainer.global_step + 1) % self.every == 0

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.due = False

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.hook.remove()

    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.squares:
            norm = sum(self.squares[1:], self.squares[0]).sqrt()
            scaler = getattr(trainer.precision_plugin, "scaler", None)  # float16 only
            pl_module.log("train/neck_gradient", norm / scaler.get_scale() if scaler else norm)
            self.squares = []

    def _keep(self, gradient: Tensor) -> None:
        self.squares.append(gradient.detach().float().square().sum())


class Throughput(Callback):
    """Logs images a second on this device, over the steps since it was last logged."""

    def __init__(self, every: int) -> None:
        self.every = every  # steps

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.step = trainer.global_step
        self._begin()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin()  # its time is not training's

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        self.images += len(batch.image)
        if trainer.global_step % self.every == 0 and trainer.global_step > self.step:
            self.step = trainer.global_step  # which stays while gradients accumulate
            rate = self.images / (time.monotonic() - self.began)
            pl_module.log("train/images_per_second", rate)
            self._begin()

    def _begin(self) -> None:
        self.images, self.began = 0, time.monotonic()


def _lost(what: str, step: int, of: str = "") -> IncompatibleError:
    return IncompatibleError(
        f"{what} after step {step}{of}: choose a lower optimizer.lr, "
        "trainer.gradient_clip_val=1 or trainer.precision=32-true."
    )
