"""Which batch fits into the memory there is, found out where one did not."""

import gc
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.trainer.states import TrainerFn
from torch.utils.data import DataLoader, Subset

from heatmap_research.data.datamodule import DataModule
from heatmap_research.training.task import KeypointTask
from heatmap_research.types import IncompatibleError, Sample, first_line

WORDS = (  # of torch; the last of oneDNN, which says no more
    *("out of memory", "t allocate memory", "bad_alloc", "ALLOC_FAILED"),
    "could not create a primitive",
)
LETTERS = 200  # of what it says
MOMENTS = 2  # numbers that an optimizer keeps of each weight


@contextmanager
def said(
    trainer: Trainer, task: KeypointTask, data: DataModule, resumed: str | None = None
) -> Iterator[None]:
    """Has a step that no memory is left for end in a line that says which batch there is room for.

    It is tried, half by half; but not where several processes would have to try it together.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not (isinstance(error, MemoryError) or any(word in str(error) for word in WORDS)):
            raise
        _let_go(error)
        size, reason = data.batch_size, first_line(error)[:LETTERS]
        fits = trainer.world_size == 1 and _largest(trainer, task, data)
        if fits == size and isinstance(error, MemoryError):  # of something else than a step
            raise
        if size == 1:
            choice = "a smaller image_size, or another network"
        elif fits and fits < size:
            choice = f"data.batch_size={fits}, for which there was room as it was tried"
        else:
            choice = f"data.batch_size={size // 2}, and less if need be"
        if resumed:
            choice = f"weights={resumed} in place of resume, for another run with {choice}"
        raise IncompatibleError(
            f"data.batch_size={size}: there is no memory for a step ({reason}): choose {choice}."
        ) from error


def _let_go(error: BaseException) -> None:
    """Gives back what the calls that failed still hold."""
    errors = [error]
    for each in errors:
        traceback.clear_frames(each.__traceback__)
        errors += [e for e in (each.__cause__, each.__context__) if e and e not in errors]
    gc.collect()
    torch.cuda.empty_cache()  # does nothing where there is no such device


def _largest(trainer: Trainer, task: KeypointTask, data: DataModule) -> int:
    """The images of the largest batch, the whole or halves, that a step goes through with.

    0: none; where memory lies in pieces, oneDNN may find no room any more, for however few.
    """
    learns, images = trainer.state.fn == TrainerFn.FITTING, 2 * data.batch_size
    task.to(trainer.strategy.root_device)
    while images := images // 2:
        try:
            _step(trainer, task, data, images, learns)
            return images
        except (RuntimeError, MemoryError, ValueError) as error:  # of a batch of 1, by batch norms
            _let_go(error)
    return 0


def _step(
    trainer: Trainer, task: KeypointTask, data: DataModule, images: int, learns: bool
) -> None:
    whole = data.dataset("train" if learns else "val")
    rows = range(min(images, len(whole)))
    some: Subset[Sample] = Subset(whole, rows)  # type: ignore[arg-type] # it has our protocol
    (batch,) = DataLoader(some, images, collate_fn=data.collate)
    batch = trainer.strategy.batch_to_device(batch)
    with trainer.precision_plugin.forward_context(), torch.set_grad_enabled(learns):
        if not learns:
            task(batch.image)
            return
        room = [torch.empty_like(w) for w in task.parameters() for _ in range(MOMENTS)]
        task.cost_of(batch).loss.backward()
    task.zero_grad()
    del room
