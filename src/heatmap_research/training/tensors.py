"""Tensors on disk, read without executing anything that a file from elsewhere may hold."""

import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from heatmap_research.runs.whole_file import written
from heatmap_research.types import IncompatibleError, first_line

WITHIN = ("state_dict", "model")  # keys under which checkpoints keep them
DAMAGED = (pickle.UnpicklingError, SafetensorError, EOFError, KeyError, RuntimeError, ValueError)


def save_tensors(module: nn.Module, file: Path) -> None:
    tensors = {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
    with written(file) as partial:
        partial.write_bytes(save(tensors))


def tensors_of(file: Path) -> dict[str, Tensor]:
    """Reads .safetensors, or what torch.save has written, by the names of the tensors."""
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        stored: Any = torch.load(file, map_location="cpu", weights_only=True)
        inside = next((stored[key] for key in WITHIN if key in stored), stored)
        if tensors := {name: each for name, each in inside.items() if isinstance(each, Tensor)}:
            return tensors
        raise ValueError("there are no tensors in it")
    except (*DAMAGED, TypeError, AttributeError) as error:
        raise IncompatibleError(
            f"{file}: no weights can be read from it ({first_line(error)}); choose another file, "
            "or train anew."
        ) from error
