"""From a checked job to network, data and trainer: the only place where things are wired."""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback, EMAWeightAveraging
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch.utils.flop_counter import FlopCounterMode

from heatmap_research.codec.coordinate_codec import AnyCodec
from heatmap_research.config import garbage
from heatmap_research.config.instantiate import make, maker, making, refuse_strays, refusing
from heatmap_research.config.job import Job
from heatmap_research.data.datamodule import DataModule
from heatmap_research.network.depth import freeze
from heatmap_research.network.net import KeypointNet
from heatmap_research.runs.store import RunStore
from heatmap_research.training.callbacks.every_few_steps import Finite, NeckGradient, Throughput
from heatmap_research.training.callbacks.interruption import Interruption
from heatmap_research.training.callbacks.recorder import Recorder
from heatmap_research.training.checkpoints import WholeFiles
from heatmap_research.training.devices import refuse_absent
from heatmap_research.training.task import KeypointTask
from heatmap_research.training.tensors import tensors_of
from heatmap_research.types import IncompatibleError

STAGES = ("train", "val", "test")
PARTS = (  # of a config, each made by itself
    *("backbone", "trainer", "callback", "logger", "augment", "head", "neck"),
    *("optimizer", "schedule", "photometric"),
)
OF_TASK = ("optimizer", "schedule", "photometric")  # parts that a task takes, with the metrics
OF_STEPS = ("train/loss", "train/excess", "train/neck_gradient", "lr")  # logged in training
WITHOUT_WEIGHTS = {"pretrained": False, "checkpoint": None}
NAMED = 6  # figures in a message
PRECISIONS = ("32-true", "32", "bf16-mixed", "bf16", "16-mixed", "16")
Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Parts:
    """What a job's config names, made, or ready to be made for one network after another."""

    job: Job
    codec: AnyCodec
    backbone: Callable[..., Any]
    neck: Callable[..., Any]
    head: Callable[..., Any]
    of_task: Mapping[str, Any]


def wire(job: Job) -> Parts:
    """Goes through every part of the config once, and refuses keys that nothing takes."""
    cfg = job.config
    for part in PARTS:
        refuse_strays(cfg[part], part)
    for name, node in cfg.data.items():
        if name != "schema" and isinstance(node, DictConfig):
            refuse_strays(node, f"data.{name}")
            if name not in STAGES:  # which read or render
                make(node, f"data.{name}")
    if make(cfg.augment, "augment").active and "augment" not in cfg.data.train:
        raise IncompatibleError(
            "augment turns, scales and mirrors crops of images in files, and this data set draws "
            "its own variety: choose augment=none, or data=coco or custom."
        )
    if str(cfg.trainer.precision) not in PRECISIONS:
        raise IncompatibleError(
            f"trainer.precision={cfg.trainer.precision}: choose 32-true, bf16-mixed or 16-mixed; "
            "labels, losses and decoders stay in float32."
        )
    if cfg.trainer.accelerator == "cpu" and str(cfg.trainer.precision).startswith("16"):
        raise IncompatibleError(
            f"trainer.precision={cfg.trainer.precision} is for GPUs: choose bf16-mixed or 32-true."
        )
    head = make(cfg.head, "head")  # partial: dataclasses do not survive instantiate
    codec = job.codec_of(head)
    backbone, neck = maker(cfg.backbone, "backbone"), make(cfg.neck, "neck")
    of_task = {part: make(cfg[part], part) for part in OF_TASK}
    of_task["metric"] = job.metrics
    return Parts(job, codec, backbone, neck, head, of_task)


def build(parts: Parts, **of_backbone: Any) -> KeypointTask:
    """A network with its weights, and all that trains and reads it."""
    cfg, schema = parts.job.config, parts.job.schema
    with making("loss"):
        codec = replace(parts.codec, loss=parts.job.loss())
    with making("backbone"):
        backbone = parts.backbone(**of_backbone)
    with refusing("neck"):
        neck = parts.neck(levels=backbone.levels)
    with refusing("head"):
        head = parts.head(levels=neck.levels, grid=codec.grid, joints=schema.joints)
    net = KeypointNet(backbone, neck, head)
    freeze(net, cfg.freeze)
    if cfg.channels_last:
        net = net.to(memory_format=torch.channels_last)
    own = {"flip_test": cfg.flip_test, "seed": cfg.seed, "every": cfg.trainer.log_every_n_steps}
    own |= {"layer_decay": cfg.layer_decay, "compile_as": cfg.compile}
    return KeypointTask(net, codec, schema, **parts.of_task, **own)


def dry_run(parts: Parts) -> tuple[KeypointTask, dict[str, int]]:
    """Builds a network on the meta device and runs it there: no memory, no weights, no data.

    Refuses what cannot work together; counts parameters, and multiply-accumulates of one image.
    """
    cfg = parts.job.config
    with torch.device("meta"):
        task = build(parts, **without_weights(cfg))
        with FlopCounterMode(display=False) as counter:  # which looks into each operation
            shapes = tuple(tuple(scores.shape[2:]) for scores in _forward(task, cfg))
    with refusing("optimizer"):  # which, like a schedule, says what it takes when it is called
        optimizer = task.optimizer([torch.nn.Parameter(torch.zeros(1))])
    with refusing("schedule"):
        task.schedule(optimizer, 100)
    _refuse_other_shapes(shapes, task.codec, cfg)
    parameters = sum(parameter.numel() for parameter in task.net.parameters())
    return task, {"parameters": parameters, "macs": counter.get_total_flops() // 2}


def without_weights(cfg: DictConfig) -> dict[str, Any]:
    """What keeps a backbone from loading weights, as far as it loads any."""
    return {key: value for key, value in WITHOUT_WEIGHTS.items() if key in cfg.backbone}


def build_data(job: Job) -> DataModule:
    data = job.config.data
    stages = {stage: partial(make, data[stage], f"data.{stage}") for stage in STAGES}
    batches = (data.batch_size, data.workers, job.config.seed, job.config.overfit)
    return DataModule(stages, *batches, job.joints, job.names)


def build_trainer(job: Job, store: RunStore, progress: Callback) -> Trainer:
    garbage.now()
    cfg = job.but(monitor=job.watched).config
    every = cfg.trainer.log_every_n_steps
    watching = [NeckGradient(every), Finite(), Throughput(every)]
    given = _given(cfg.callback, "callback")
    _refuse_unlogged(given, job)
    callbacks = [progress, Recorder(store, cfg.flip_test), *watching, *given]
    if cfg.ema:  # puts the average away after a validation, when others have looked
        callbacks.append(EMAWeightAveraging(decay=cfg.ema))
    callbacks.append(Interruption(store.checkpoints / "last.ckpt"))  # after the average is taken
    loggers = _given(cfg.logger, "logger")
    if loggers and not any(isinstance(logger, CSVLogger) for logger in loggers):
        loggers.insert(0, CSVLogger(store.folder, name="", version=""))
    refuse_absent(cfg.trainer.accelerator)
    with refusing("trainer", MisconfigurationException):
        trainer = maker(cfg.trainer, "trainer")(
            callbacks=callbacks,
            logger=loggers,
            default_root_dir=store.folder,
            use_distributed_sampler=False,  # it pads; ours counts each instance once
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
    trainer.strategy.checkpoint_io = WholeFiles()
    return trainer


def _refuse_unlogged(callbacks: Sequence[Callback], job: Job) -> None:
    """Refuses a callback that goes by a figure which no step and no validation logs."""
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        if monitor in (None, *OF_STEPS):
            continue
        figures = [f for name, metric in job.metrics.items() for f in _figures(name, metric)]
        if monitor not in [f"val/{name}/{f}" for name in job.codec.decoders for f in figures]:
            raise IncompatibleError(
                f"{type(callback).__name__} goes by {monitor}, which is not logged: choose "
                f"monitor={' or '.join(figures[:NAMED])}."
            )


def _figures(name: str, metric: Any) -> Sequence[str]:
    """The names that a metric answers by, read off an answer to nothing where it lists none."""
    if listed := getattr(metric, "figures", None):
        return tuple(listed)
    with warnings.catch_warnings(action="ignore"):  # of torchmetrics: there was no update
        computed = metric.clone().compute()
    return tuple(computed) if isinstance(computed, Mapping) else (name,)


def load_weights(task: KeypointTask, checkpoint: Path) -> None:
    try:
        task.load_state_dict(tensors_of(checkpoint))
    except RuntimeError as error:
        sizes = r"size mismatch for (\S+): .*?Size\((.*?)\).*?Size\((.*?)\)"
        first = re.search(sizes, str(error))
        what = f"{first[1]} has {first[2]} numbers for {first[3]}" if first else "one is missing"
        raise IncompatibleError(
            f"{checkpoint}: its weights do not fit this config ({what}). Joints, head and, of a "
            "dense one such as simcc, image_size and stride: choose those it was trained with."
        ) from error


def _given(group: DictConfig, name: str) -> list[Any]:
    """The members of a group; NAME=null leaves one out."""
    return [each for each in make(group, name).values() if each is not None]


def _forward(task: KeypointTask, cfg: DictConfig) -> Any:
    image = torch.empty(1, cfg.backbone.in_chans, *cfg.image_size, dtype=torch.uint8)
    try:
        return task.net.eval()(image)
    except (RuntimeError, AssertionError, ValueError, IndexError) as error:
        size = ",".join(map(str, cfg.image_size))
        name = cfg.backbone.get("name", cfg.backbone._target_)
        reason = next(iter(str(error).splitlines()), "it gives no reason")
        raise IncompatibleError(
            f"backbone={name} with this neck and head cannot take image_size=[{size}]"
            f" ({reason}): choose another image_size or backbone."
        ) from error


def _refuse_other_shapes(shapes: Shapes, codec: AnyCodec, cfg: DictConfig) -> None:
    """A head that answers with other shapes than its codec reads."""
    if shapes == (wanted := codec.shapes):
        return
    if codec.grid.ndim == 0:
        spread = str(wanted[0][0] == 4).lower()
        raise IncompatibleError(
            f"this head answers with {shapes[0][0]} numbers a joint and this loss reads "
            f"{wanted[0][0]} (two coordinates; for loss=rle two widths more): choose "
            f"head.spread={spread}."
        )
    size = ",".join(map(str, cfg.image_size))
    raise IncompatibleError(
        f"this head predicts maps of {_sizes(shapes)}, but image_size=[{size}] at "
        f"stride={cfg.stride} needs {_sizes(wanted)}: choose an image_size that is a multiple "
        "of the backbone's stride."
    )


def _sizes(shapes: Shapes) -> str:
    return " and ".join("x".join(map(str, shape)) for shape in shapes)
