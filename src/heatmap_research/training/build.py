"""Config to objects: the only place where things are wired."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf, open_dict
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback, EMAWeightAveraging
from pytorch_lightning.loggers import CSVLogger, Logger
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch.utils.flop_counter import FlopCounterMode

from heatmap_research.config.values import (
    check_values,
    codec_of,
    instantiate,
    refuse_strays,
    refusing,
    watched,
    with_schema,
    with_values,
)
from heatmap_research.data.datamodule import DataModule
from heatmap_research.network.net import KeypointNet
from heatmap_research.runs.store import RunStore
from heatmap_research.training.callbacks.finite import Finite
from heatmap_research.training.callbacks.interruption import Interruption
from heatmap_research.training.callbacks.neck_gradient import NeckGradient
from heatmap_research.training.callbacks.recorder import Recorder
from heatmap_research.training.callbacks.throughput import Throughput
from heatmap_research.training.task import KeypointTask
from heatmap_research.types import IncompatibleError

WIRED = (
    "data",
    "augment",
    "photometric",
    "backbone",
    "neck",
    "head",
    "optimizer",
    "schedule",
    "metric",
)
STAGES = ("train", "val", "test")
AROUND = ("trainer", "callback", "logger")


def build(cfg: DictConfig) -> KeypointTask:
    cfg, schema = with_schema(cfg)
    make_head = instantiate(cfg.head, "head")  # partial: dataclasses do not survive instantiate
    codec = codec_of(cfg, make_head.func.ndim, schema.sigmas)
    backbone = instantiate(cfg.backbone, "backbone")
    with refusing("neck"):
        neck = instantiate(cfg.neck, "neck")(levels=backbone.levels)
    with refusing("head"):
        head = make_head(levels=neck.levels, grid=codec.grid, joints=schema.joints)
    net = KeypointNet(backbone, neck, head)
    if cfg.channels_last:
        net = net.to(memory_format=torch.channels_last)
    return KeypointTask(
        net,
        codec,
        schema,
        metrics=instantiate(cfg.metric, "metric"),
        jitter=instantiate(cfg.photometric, "photometric"),
        optimizer=instantiate(cfg.optimizer, "optimizer"),
        schedule=instantiate(cfg.schedule, "schedule"),
        flip_test=cfg.flip_test,
        seed=cfg.seed,
        every=cfg.trainer.log_every_n_steps,
    )


def check(cfg: DictConfig) -> KeypointTask:
    """Builds and runs the net on the meta device: no memory, no weights, no data."""
    check_values(cfg)
    for part in WIRED + AROUND:
        refuse_strays(cfg[part], part)
    for name, node in cfg.data.items():
        if name not in STAGES and isinstance(node, DictConfig):  # stages read or render
            instantiate(node, f"data.{name}")
    if instantiate(cfg.augment, "augment").active and "augment" not in cfg.data.train:
        raise IncompatibleError(
            "augment turns, scales and mirrors crops of images in files, and this data set draws "
            "its own variety: choose augment=none, or data=coco or custom."
        )
    if cfg.trainer.accelerator == "cpu" and str(cfg.trainer.precision).startswith("16"):
        raise IncompatibleError(
            f"trainer.precision={cfg.trainer.precision} is for GPUs: choose bf16-mixed or 32-true."
        )
    cfg = cfg.copy()
    with open_dict(cfg):
        cfg.backbone.update(pretrained=False, checkpoint=None)
    with torch.device("meta"):
        task = build(cfg)
        found = tuple(tuple(scores.shape[2:]) for scores in _forward(task, cfg))
    _try_out(task)
    wanted = task.codec.shapes
    if found != wanted and task.codec.grid.ndim == 0:
        spread = str(wanted[0][0] == 4).lower()
        raise IncompatibleError(
            f"this head answers with {found[0][0]} numbers a joint and this loss reads "
            f"{wanted[0][0]} (two coordinates; for loss=rle two widths more): choose "
            f"head.spread={spread}."
        )
    if found != wanted:
        size = ",".join(map(str, cfg.image_size))
        raise IncompatibleError(
            f"this head predicts maps of {_sizes(found)}, but image_size=[{size}] at "
            f"stride={cfg.stride} needs {_sizes(wanted)}: choose an image_size that is a multiple "
            "of the backbone's stride."
        )
    return task


def _try_out(task: KeypointTask) -> None:
    """What a partial takes it says only when it is called."""
    with refusing("optimizer"):
        optimizer = task.optimizer([torch.nn.Parameter(torch.zeros(1))])
    with refusing("schedule"):
        task.schedule(optimizer, 100)


def cost(cfg: DictConfig) -> dict[str, int]:
    """Parameters, and multiply-accumulates of one image."""
    with FlopCounterMode(display=False) as counter:
        task = check(cfg)
    parameters = sum(parameter.numel() for parameter in task.net.parameters())
    return {"parameters": parameters, "macs": counter.get_total_flops() // 2}


def build_data(cfg: DictConfig) -> DataModule:
    names = instantiate(cfg.data.schema, "data.schema").names
    joints = None if cfg.joints is None else [names.index(n) for n in with_schema(cfg)[1].names]
    make = {stage: partial(instantiate, cfg.data[stage], f"data.{stage}") for stage in STAGES}
    data = cfg.data
    return DataModule(make, data.batch_size, data.workers, cfg.seed, cfg.overfit, joints, names)


def build_trainer(cfg: DictConfig, store: RunStore, progress: Callback) -> Trainer:
    every = cfg.trainer.log_every_n_steps
    watching = [NeckGradient(every), Finite(every), Throughput(every)]
    callbacks = [progress, Recorder(store, cfg.flip_test), *watching]
    cfg = with_values(cfg, monitor=watched(cfg))
    callbacks += _given(cfg.callback, "callback")
    if cfg.ema:  # puts the average away after a validation, when others have looked
        callbacks.append(EMAWeightAveraging(decay=cfg.ema))
    callbacks.append(Interruption(store.checkpoints / "last.ckpt"))  # after the average is taken
    loggers = _loggers(cfg, store)
    with open_dict(cfg):
        trainer = OmegaConf.merge(cfg.trainer, {"_partial_": True})
    with refusing("trainer", MisconfigurationException):
        return instantiate(trainer, "trainer")(
            callbacks=callbacks,
            logger=loggers,
            default_root_dir=store.folder,
            use_distributed_sampler=False,  # it pads; ours counts each instance once
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )


def _given(group: DictConfig, name: str) -> list[Any]:
    """NAME=null leaves one out."""
    return [each for each in instantiate(group, name).values() if each is not None]


def _loggers(cfg: DictConfig, store: RunStore) -> list[Logger]:
    """metrics.csv comes with any other."""
    loggers = _given(cfg.logger, "logger")
    if loggers and not any(isinstance(logger, CSVLogger) for logger in loggers):
        loggers.insert(0, CSVLogger(store.folder, name="", version=""))
    return loggers


def load_weights(task: KeypointTask, checkpoint: Path) -> None:
    stored = torch.load(checkpoint, map_location="cpu", weights_only=False)
    try:
        task.load_state_dict(stored["state_dict"])
    except RuntimeError as error:
        first = re.search(r"size mismatch for (\S+):", str(error))
        raise IncompatibleError(
            f"{checkpoint}: its weights do not fit this config (the first: "
            f"{first[1] if first else 'one is missing'}). A dense head such as simcc has weights "
            "for one image_size and stride: choose those it was trained with."
        ) from error


def _forward(task: KeypointTask, cfg: DictConfig) -> Any:
    image = torch.empty(1, cfg.backbone.in_chans, *cfg.image_size, dtype=torch.uint8)
    try:
        return task.net.eval()(image)
    except (RuntimeError, AssertionError, ValueError, IndexError) as error:
        size = ",".join(map(str, cfg.image_size))
        reason = next(iter(str(error).splitlines()), "it gives no reason")
        raise IncompatibleError(
            f"backbone={cfg.backbone.name} with this neck and head cannot take image_size=[{size}]"
            f" ({reason}): choose another image_size or backbone."
        ) from error


def _sizes(shapes: tuple[tuple[int, ...], ...]) -> str:
    return " and ".join("x".join(map(str, shape)) for shape in shapes)
