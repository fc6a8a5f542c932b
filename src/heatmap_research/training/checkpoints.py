"""What a training goes on from: replaced as a whole, and read without executing what it holds."""

import io
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins import TorchCheckpointIO

from heatmap_research.runs.whole_file import written
from heatmap_research.training.tensors import unpickled
from heatmap_research.types import IncompatibleError

PARTS = {"state_dict", "loops", "callbacks", "optimizer_states", "lr_schedulers", "global_step"}


class WholeFiles(TorchCheckpointIO):
    """Lightning copies over the old file where temporary files lie on another file system."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        content = io.BytesIO()  # torch hides what a disk says
        torch.save(checkpoint, content)
        with written(Path(path)) as partial:
            partial.write_bytes(content.getbuffer())

    def load_checkpoint(self, path: Any, *_: Any, **__: Any) -> dict[str, Any]:
        return checkpoint_of(Path(path))


def checkpoint_of(file: Path) -> dict[str, Any]:
    """Reads a checkpoint; refuses one that is damaged, or that is none of a training."""
    stored = unpickled(file)
    if not isinstance(stored, dict) or (lacking := sorted(PARTS - stored.keys())):
        what = f"it lacks {', '.join(lacking)}" if isinstance(stored, dict) else "it is no mapping"
        raise IncompatibleError(f"{file}: no training can go on from it ({what}).")
    return stored
