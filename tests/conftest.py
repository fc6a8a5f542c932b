import os
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch counts the cores

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _surroundings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What every run of this session inherits, in this process and in those it starts."""
    os.environ["WANDB_MODE"] = "offline"
    os.environ["HEATMAP_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the runs that several tests read."""
    return tmp_path_factory.mktemp("runs")
