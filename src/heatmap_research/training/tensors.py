"""Tensors on disk, read without executing anything that a file from elsewhere may hold."""

import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from heatmap_research.runs.bounded_file import refuse_packed
from heatmap_research.runs.whole_file import written
from heatmap_research.types import IncompatibleError, first_line

WITHIN = ("state_dict", "model")  # keys under which checkpoints keep them
DAMAGED = (
    *(pickle.UnpicklingError, SafetensorError, zipfile.BadZipFile),
    *(EOFError, KeyError, RuntimeError, ValueError),
)


def save_tensors(module: nn.Module, file: Path) -> None:
    tensors = {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
    with written(file) as partial:
        partial.write_bytes(save(tensors))


def tensors_of(file: Path) -> dict[str, Tensor]:
    """Reads .safetensors, or what torch.save has written, by the names of the tensors."""
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        stored = unpickled(file)
        inside = next((stored[key] for key in WITHIN if key in stored), stored)
        if tensors := {name: each for name, each in inside.items() if isinstance(each, Tensor)}:
            return tensors
        raise ValueError("there are no tensors in it")
    except IncompatibleError:
        raise
    except (*DAMAGED, TypeError, AttributeError) as error:
        raise _unreadable(file, first_line(error)) from error


def unpickled(file: Path) -> Any:
    """Reads what torch.save has written, of tensors and plain values alone; refuses all else."""
    try:
        refuse_packed(file)
        if zipfile.is_zipfile(file) and (part := zipfile.ZipFile(file).testzip()):
            raise ValueError(f"its part {part} is damaged")  # which torch does not look for
        return torch.load(file, map_location="cpu", weights_only=True)
    except (*DAMAGED, OSError) as error:
        code = re.search(r"nsupported (?:global: )?GLOBAL (\S+)", str(error))
        why = f"it names {code[1]}, no plain value" if code else _in_short(error)
        raise _unreadable(file, why) from error


def _in_short(error: Exception) -> str:
    """Without what torch tells those who would write `weights_only=False`."""
    words = first_line(error)
    alien = "weights_only" in words or words.isdigit()
    return "it is no file of torch.save" if alien else words.partition(". ")[0]


def _unreadable(file: Path, why: str) -> IncompatibleError:
    return IncompatibleError(
        f"{file}: no weights can be read from it ({why}); choose another file, or train anew."
    )
