"""What a command puts off importing is the real thing as soon as it is used, however that is."""

import subprocess
import sys

import pytest
import running

PUT_OFF = "import sys; import heatmap_research.commands; import torch\n"


@pytest.mark.parametrize(
    "use",
    [
        "torch.zeros(1)",
        "from torch.utils.data import Dataset; import pytorch_lightning",
        pytest.param("from torch import nn; nn.Linear(1, 1)", marks=pytest.mark.slow),
        pytest.param(
            "import torch.nn.functional as F; F.relu(torch.zeros(1))", marks=pytest.mark.slow
        ),
    ],
)
def test_torch_is_imported_once_and_whole(use):
    code = f"{PUT_OFF}assert 'torch.nn' not in sys.modules\n{use}\n"
    code += "import torch; assert torch is sys.modules['torch']; torch.utils._pytree.tree_map\n"
    code += "assert torch.utils.__spec__.origin.endswith('__init__.py')"
    line = [sys.executable, "-c", code]
    done = subprocess.run(line, capture_output=True, text=True, env=running.plain_environment())
    assert done.returncode == 0, done.stderr
