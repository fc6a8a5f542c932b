import gc
import os
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch counts the cores
os.environ["WANDB_MODE"] = "offline"
os.environ["HEATMAP_TRUST"] = "running,crash"  # modules of tests that configs name
os.environ["HF_HUB_OFFLINE"] = "1"  # no test downloads weights

import pairwise
import people
import pytest
import running
import torch

from heatmap_research.config.quick import parsing_by_libyaml

parsing_by_libyaml()

torch.set_num_threads(1)

LONG = (
    "test_configs",
    "test_demo",
    "test_experiments",
    "test_notebooks",
    "test_product",
    "test_report",
)
LONG += ("test_studies", "test_sweeps", "test_training", "test_tune")


def pytest_configure(config: pytest.Config) -> None:
    pairwise.whole_products = "slow" in config.option.markexpr


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skips what is marked slow unless -m asks for it; pairwise.py leaves its part out before.

    Files that train most come first, so that no process is left with one of them at the end.
    """
    items.sort(key=lambda item: item.path.stem not in LONG)
    gc.freeze()  # a million objects of torch and of the tests need not be looked through again
    if not config.option.markexpr:
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="asked for by -m slow"))


@pytest.fixture(scope="session", autouse=True)
def _own_caches(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Gives this process, and those it starts, caches of their own."""
    os.environ["HEATMAP_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the runs that several tests read."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def smoke(folder: Path) -> Path:
    """A run of a few steps with every decoder that reads its maps."""
    return running.train(folder / "smoke", *running.SMOKE)


@pytest.fixture(scope="session")
def own_run(folder: Path) -> Path:
    """A run on a few people in files that were given by relative paths."""
    people.write(folder / "own" / "set")
    options = people.options(Path("set/people.json"))
    running.succeed("train", *options, "name=mine", cwd=folder / "own")
    return folder / "own" / "outputs" / "mine"


@pytest.fixture(scope="session")
def experiments(folder: Path) -> dict[str, Path]:
    """A sweep with one seed and a few steps a job; of the studies, their jobs are only checked."""
    return {name: _experiment(name, folder / name) for name in ("demo",)}


def _experiment(name: str, sweep: Path) -> Path:
    few = ("seed=0", "trainer=smoke", "trainer.max_steps=2", *running.DATA)
    running.succeed(
        "train", "-m", f"experiment={name}", *few, f"hydra.sweep.dir={sweep}", cwd=sweep
    )
    return sweep
