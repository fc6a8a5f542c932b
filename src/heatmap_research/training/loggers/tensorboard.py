import threading
from importlib.util import find_spec

from pytorch_lightning.loggers import TensorBoardLogger

from heatmap_research.types import IncompatibleError


class TensorBoard(TensorBoardLogger):
    """Lightning's, without the figure it adds to every run's parameters."""

    def __init__(self, save_dir: str) -> None:
        if find_spec("tensorboard") is None:
            raise IncompatibleError(
                "logger=tensorboard: the package is not installed: call "
                "pip install 'heatmap-research[tensorboard]', or choose logger=csv."
            )
        threading.excepthook = _unless_it_writes
        super().__init__(save_dir, name="tensorboard", version="", default_hp_metric=False)


def _unless_it_writes(failed: threading.ExceptHookArgs) -> None:
    """Keeps to itself what the thread that writes fails of: the next row raises it again."""
    if type(failed.thread).__name__ != "_AsyncWriterThread":
        threading.__excepthook__(failed)
