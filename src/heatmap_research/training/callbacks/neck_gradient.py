from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn


class NeckGradient(Callback):
    """Logs how hard a loss pulls at the features all heads share: arms differ in it silently."""

    def __init__(self, every: int) -> None:
        self.every = every  # steps
        self.squares: list[Tensor] = []

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        def watch(neck: nn.Module, inputs: object, features: list[Tensor]) -> None:
            if pl_module.training and self._due(trainer):
                for feature in features:
                    if feature.requires_grad:
                        feature.register_hook(self._keep)

        neck = pl_module.get_submodule("net.neck")
        self.hook = neck.register_forward_hook(watch)

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

    def _due(self, trainer: Trainer) -> bool:
        return (trainer.global_step + 1) % self.every == 0
