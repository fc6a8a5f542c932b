"""What a command puts off importing is the real thing as soon as it is used, however that is."""

import subprocess
import sys
from pathlib import Path

import pytest
import running

PUT_OFF = "import sys; import heatmap_research.commands; import torch\n"


@pytest.mark.parametrize(
    "use",
    [
        "from torch.utils.data import Dataset; import pytorch_lightning",
        pytest.param("torch.zeros(1)", marks=pytest.mark.slow),
        pytest.param("from torch import nn; nn.Linear(1, 1)", marks=pytest.mark.slow),
        pytest.param(
            "import torch.nn.functional as F; F.relu(torch.zeros(1))", marks=pytest.mark.slow
        ),
    ],
)
def test_torch_is_imported_once_and_whole(use):
    code = f"{PUT_OFF}assert 'torch.nn' not in sys.modules\n{use}\n"
    code += "import torch; assert torch is sys.modules['torch']; torch.utils._pytree.tree_map\n"
    run(f"{code}assert torch.utils.__spec__.origin.endswith('__init__.py')")


def test_what_libraries_import_only_in_case_waits_for_its_use():
    code = f"{PUT_OFF}torch.nn; import timm, torchmetrics\n"
    code += "assert not {'wandb.sdk', 'scipy.signal.windows'} & {*sys.modules}\n"
    code += "import wandb, scipy.signal; wandb.Settings; from wandb.sdk.lib import runid\n"
    code += "from scipy.signal import windows; assert windows is scipy.signal.windows\n"
    run(f"{code}assert wandb is sys.modules['wandb']; scipy.signal.get_window('hann', 4)")
    direct = "from scipy.signal.windows import hann; import scipy.signal; import wandb.sdk.lib\n"
    run(f"{PUT_OFF}{direct}assert hann is scipy.signal.windows.hann; wandb.Settings")


COMPILED_LATE = """
import torchvision, torchmetrics
from pytorch_lightning.utilities.compile import OptimizedModule

net = torch.nn.Linear(2, 1)
optimizer = torch.optim.AdamW(net.parameters())
net(torch.ones(1, 2)).sum().backward()
optimizer.step()
before = net.weight.tolist()
assert not {"torch._dynamo.eval_frame", "sympy", "matplotlib"} & {*sys.modules}

quicker = torch.compile(net, backend="eager")
quicker(torch.ones(1, 2))
optimizer.step()
assert net.weight.tolist() != before
assert isinstance(quicker, OptimizedModule) and not isinstance(net, OptimizedModule)
assert torch._dynamo is sys.modules["torch._dynamo"] and torch._dynamo.config
from torch._dynamo import utils
assert utils is torch._dynamo.utils and "counters" in vars(utils)

assert issubclass(type(quicker), OptimizedModule)
torchmetrics.MeanMetric().plot(torch.tensor(1.0))
assert "matplotlib" in sys.modules
"""


def test_compiler_and_figures_wait_for_their_use():
    run(PUT_OFF + COMPILED_LATE)
    fake = (
        "from torch._subclasses import FakeTensorMode as Mode\nwith Mode(): torch.nn.Linear(1, 1)"
    )
    spec = "import importlib.util; assert importlib.util.find_spec('torch._dynamo')\n"
    run(f"{PUT_OFF}{spec}import torch._dynamo.config as c; c.verbose; assert c.__spec__\n{fake}\n")


KEPT_OPEN = """
from pathlib import Path
class Ring:
    def __init__(self, name): self.ring, self.stream = self, open(name, "w")
Ring("gone").stream.write("a"); kept = Ring("kept"); kept.stream.write("b")
"""


def test_what_is_left_open_is_written_at_the_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(f"{PUT_OFF}{KEPT_OPEN}")
    assert [Path(name).read_text() for name in ("gone", "kept")] == ["a", "b"]


def run(code: str) -> None:
    line = [sys.executable, "-c", code]
    done = subprocess.run(line, capture_output=True, text=True, env=running.plain_environment())
    assert done.returncode == 0, done.stderr
