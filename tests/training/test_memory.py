"""What no memory holds is refused before a step."""

import pytest
import running

from heatmap_research.training.memory import refuse_beyond_shared_memory
from heatmap_research.types import IncompatibleError


def test_batches_that_no_shared_memory_holds_are_refused_with_the_workers_that_read_them():
    sizes = ("image_size=[32,32]", "backbone.in_chans=3")
    many = running.job(*sizes, "data.workers=2", "data.batch_size=100000000")
    with pytest.raises(IncompatibleError, match=r"workers=2: .* needs 2,343,750 MiB of shared"):
        refuse_beyond_shared_memory(many)  # 2 * 2 * 2 * 1e8 * 3 * 32 * 32 bytes
    refuse_beyond_shared_memory(running.job(*sizes, "data.workers=0", "data.batch_size=100000000"))
    refuse_beyond_shared_memory(running.job(*sizes, "data.workers=1", "data.batch_size=8"))
