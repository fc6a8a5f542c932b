"""What no memory holds is refused before a step."""

import pytest
import running
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.trainer.states import TrainerFn

from heatmap_research.data import datamodule
from heatmap_research.data.datamodule import collate
from heatmap_research.training import fitting_batch
from heatmap_research.training.memory import refuse_beyond_shared_memory
from heatmap_research.types import IncompatibleError, Sample


def test_batches_that_no_shared_memory_holds_are_refused_with_the_workers_that_read_them(
    monkeypatch,
):
    sizes = ("image_size=[32,32]", "backbone.in_chans=3")
    many = running.job(*sizes, "data.workers=2", "data.batch_size=100000000")
    with pytest.raises(IncompatibleError, match=r"workers=2: .* needs 2,343,750 MiB of shared"):
        refuse_beyond_shared_memory(many)  # 2 * 2 * 2 * 1e8 * 3 * 32 * 32 bytes
    two = running.job(*sizes, "data.workers=2", "data.batch_size=100000000", "trainer.devices=2")
    with pytest.raises(IncompatibleError, match=r"needs 4,687,500 MiB of shared"):
        refuse_beyond_shared_memory(two)
    refuse_beyond_shared_memory(running.job(*sizes, "data.workers=0", "data.batch_size=100000000"))
    refuse_beyond_shared_memory(running.job(*sizes, "data.workers=1", "data.batch_size=8"))

    sample = Sample(*torch.zeros(len(Sample._fields), 1, 2))
    assert not collate([sample]).image.is_shared()
    monkeypatch.setattr(datamodule, "get_worker_info", lambda: "within a worker")
    assert all(part.is_shared() for part in collate([sample], joints=[0]))

    def full(_: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("unable to allocate shared memory(shm): No space left on device (28)")

    monkeypatch.setattr(torch.Tensor, "share_memory_", full)
    with pytest.raises(IncompatibleError, match=r"workers: .*No space left.*: choose fewer"):
        collate([sample])


def test_a_step_that_no_memory_is_left_for_says_which_batch_goes_through(tmp_path):
    config = running.compose(*running.SMOKE, "data.batch_size=32")
    task, data = running.build(config), running.build_data(config)
    trainer = Trainer(accelerator="cpu", logger=False, default_root_dir=tmp_path)
    most = [5]  # images that there is room for

    def no_room(net: torch.nn.Module, given: tuple[torch.Tensor]) -> None:
        if len(given[0]) > most[0]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0")

    task.net.register_forward_pre_hook(no_room)
    batch = data.collate(data.dataset("train").__getitems__(range(32)))
    words = r"batch_size=32: .*\(CUDA out of memory\. .* GiB\.\): choose data.batch_size=4, for"
    for trainer.state.fn, step in (
        (TrainerFn.FITTING, task.cost_of),
        (TrainerFn.VALIDATING, lambda batch: task(batch.image)),
    ):
        with (
            pytest.raises(IncompatibleError, match=words),
            fitting_batch.said(trainer, task, data),
        ):
            step(batch)
    most[0] = 0
    with (
        pytest.raises(IncompatibleError, match=r"choose data.batch_size=16, and less"),
        fitting_batch.said(trainer, task, data),
    ):
        task.cost_of(batch)
    with pytest.raises(RuntimeError, match="another"), fitting_batch.said(trainer, task, data):
        raise RuntimeError("another")
