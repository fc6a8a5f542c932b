"""What no memory holds is refused before a step."""

import pytest
import running
import torch

from heatmap_research.data import datamodule
from heatmap_research.data.datamodule import collate
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
