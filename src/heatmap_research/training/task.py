"""Training and evaluation of one network under one codec."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, cast

import torch
from jaxtyping import UInt8
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import Metric

from heatmap_research.codec import covariance
from heatmap_research.codec.codec import Cost
from heatmap_research.codec.coordinate_codec import AnyCodec
from heatmap_research.network.depth import layer_rates
from heatmap_research.network.net import KeypointNet
from heatmap_research.types import Heatmaps, Prediction, Sample, Schema

Images = UInt8[Tensor, "batch channel height width"]
Predictions = dict[str, Prediction]  # by decoder


class KeypointTask(LightningModule):
    def __init__(
        self,
        net: nn.Module,
        codec: AnyCodec,
        schema: Schema,
        metric: Mapping[str, Metric],
        optimizer: Callable[..., Optimizer],
        schedule: Callable[[Optimizer, int], LRScheduler],
        flip_test: bool,
        seed: int,
        every: int,  # steps between those that are logged
        photometric: Callable[[Images], Images],  # jitter of colours, in training
        layer_decay: float,  # rate of each layer of the backbone, in rates of the next
        compile_as: bool | str,  # or a mode of torch.compile
    ) -> None:
        super().__init__()
        self.net, self.codec, self.schema = net, codec, schema
        self.cost = codec.training_loss
        self.loss = codec.loss if isinstance(codec.loss, nn.Module) else None  # it may learn too
        self.optimizer, self.schedule = optimizer, schedule
        self.flip_test, self.seed, self.every = flip_test, seed, every
        self.photometric, self.layer_decay, self.compile_as = photometric, layer_decay, compile_as
        of_a_decoder = nn.ModuleDict(metric)
        self.metrics = nn.ModuleDict({name: deepcopy(of_a_decoder) for name in codec.decoders})

    def forward(self, image: Images) -> Predictions:
        if self.flip_test:
            return self.codec.decode(self.activated(image))
        return self.codec.read(self.net(image))

    def activated(self, image: Images) -> Heatmaps:
        """The maps as they are read; in a flip test the mean with those of the mirror image."""
        heatmaps = self.codec.activate(self.net(image))
        if not self.flip_test:
            return heatmaps
        mirrored = self.codec.activate(self.net(image.flip(-1)))
        turned = self.codec.mirror(mirrored, self.schema.flip)
        return tuple((a + b) / 2 for a, b in zip(heatmaps, turned, strict=True))

    def on_fit_start(self) -> None:
        """Compiles what a step computes: the network, and labels with their loss as one graph."""
        if self.compile_as:
            mode = self.compile_as if isinstance(self.compile_as, str) else None
            self.net.compile(mode=mode)
            self.cost = torch.compile(self.codec.training_loss, mode=mode)

    def on_train_batch_start(self, batch: Sample, batch_idx: int) -> None:
        """Seeds each step by its number, so that a resumed run draws what it would have drawn."""
        position = self.trainer.fit_loop.epoch_loop.batch_progress.total.ready
        seed = ((self.seed * 1_000_003 + position) * 1_009 + self.global_rank) % 2**63
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def training_step(self, batch: Sample, batch_idx: int) -> Tensor:
        logged = (self.global_step + 1) % self.every == 0  # a call costs a part of a small step
        cost = self.cost_of(batch, logged or bool(self.compile_as))  # it would compile both kinds
        if logged:
            self.log("train/loss", cost.loss)
            self.log("train/excess", cast(Tensor, cost.excess))
            self.log("lr", self.optimizers().param_groups[0]["lr"])  # type: ignore[union-attr]
        return cost.loss

    def cost_of(self, batch: Sample, excess: bool = False) -> Cost:
        scores = self.net(self.photometric(batch.image))
        others = batch.others, batch.others_visible
        return self.cost(scores, batch.keypoints, batch.visible, others, excess)

    def validation_step(self, batch: Sample, batch_idx: int) -> Predictions:
        predictions = self._with_spread(batch.image) if self._of_covariance else self(batch.image)
        for decoder, prediction in predictions.items():
            for metric in self._metrics_of(decoder).values():
                metric.update(prediction, batch)
        return predictions

    def _with_spread(self, image: Images) -> Predictions:
        """The predictions with the covariance of the maps that they are read from."""
        maps = self.activated(image)
        spread = covariance.of_answer(self.codec.grid, maps)
        found = self.codec.decode(maps)
        return {name: each._replace(covariance=spread) for name, each in found.items()}

    test_step = validation_step

    def on_validation_epoch_start(self) -> None:
        """Tells metrics what no sample shows, such as people that nobody looked for."""
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        metrics: Any = self.metrics.modules()
        for metric in metrics:
            if hasattr(metric, "truth"):
                metric.truth = data.truth(self._stage)
            if hasattr(metric, "stage"):
                metric.stage = self._stage

    def on_validation_epoch_end(self) -> None:
        for decoder in self.codec.decoders:
            for name, metric in self._metrics_of(decoder).items():
                computed = metric.compute()
                figures = computed if isinstance(computed, Mapping) else {name: computed}
                for figure, value in figures.items():
                    self.log(f"{self._stage}/{decoder}/{figure}", torch.as_tensor(value).float())
                metric.reset()

    on_test_epoch_start = on_validation_epoch_start
    on_test_epoch_end = on_validation_epoch_end

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.groups())
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = {"scheduler": self.schedule(optimizer, steps), "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def groups(self) -> list[dict[str, Any]]:
        """What learns, with its own weight decay and, in a backbone of layers, learning rate."""
        learnt = nn.ModuleList(filter(None, (self.net, self.loss)))
        given = getattr(self.optimizer, "keywords", {})
        decay = given.get("weight_decay", 0.0)
        groups = _by_decay(learnt, decay)  # not of norms and biases
        if self.layer_decay == 1:
            return groups
        rates = layer_rates(cast(KeypointNet, self.net), self.layer_decay)
        return [
            {"params": parameters, "weight_decay": group["weight_decay"], "lr": given["lr"] * rate}
            for group in groups
            for rate, parameters in _by_rate(group["params"], rates).items()
        ]

    @property
    def _stage(self) -> str:
        return "test" if self.trainer.testing else "val"

    @property
    def first_figures(self) -> list[str]:
        """The name of one figure of each metric, such as AP of COCO's ten, or of those it shows."""
        of_any: Any = next(iter(self.metrics.values()))
        figures = {
            name: getattr(metric, "figures", (name,))
            for name, metric in of_any.items()
            if name not in self.beyond_reach
        }
        shown = (getattr(of_any[name], "shown", each[:1]) for name, each in figures.items())
        return [figure for each in shown for figure in each]

    @property
    def beyond_reach(self) -> list[str]:
        """The metrics that read a covariance, where the answers have none."""
        return [] if self.codec.has_covariance else self._of_covariance

    @property
    def _of_covariance(self) -> list[str]:
        of_any: Any = next(iter(self.metrics.values()))
        return [name for name, metric in of_any.items() if hasattr(metric, "reads_covariance")]

    def _metrics_of(self, decoder: str) -> dict[str, Metric]:
        return dict(cast(nn.ModuleDict, self.metrics[decoder]).items())  # type: ignore[arg-type]


def _by_decay(learnt: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Norms and biases, which are not decayed, and then the rest.

    timm has the same, in a package whose import takes a second, as it brings torch's compiler.
    """
    grouped: dict[float, list[nn.Parameter]] = {0.0: []}
    for name, parameter in learnt.named_parameters():
        if parameter.requires_grad:
            kept = parameter.ndim < 2 or name.endswith(".bias")
            grouped.setdefault(0.0 if kept else decay, []).append(parameter)
    return [{"params": each, "weight_decay": of} for of, each in grouped.items() if each]


def _by_rate(
    parameters: Sequence[nn.Parameter], rates: Mapping[int, float]
) -> dict[float, list[nn.Parameter]]:
    grouped: dict[float, list[nn.Parameter]] = {}
    for parameter in parameters:
        grouped.setdefault(rates.get(id(parameter), 1.0), []).append(parameter)
    return grouped
