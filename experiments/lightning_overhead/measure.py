"""Step time of a Lightning fit over that of a plain loop: same net, codec, batches, optimiser.

python experiments/lightning_overhead/measure.py [--rounds 5] [--steps 100]
Rounds alternate, so that what else the machine does falls on both.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, open_dict
from pytorch_lightning import Callback, seed_everything

from heatmap_research.config.cli import conf_folder
from heatmap_research.config.values import watched
from heatmap_research.runs.store import RunStore
from heatmap_research.training.build import build, build_data, build_trainer
from heatmap_research.training.callbacks.progress import Lines
from heatmap_research.training.fit import quiet_libraries
from heatmap_research.training.task import KeypointTask

WARM_UP = 10  # steps that are not counted


class Clock(Callback):
    def on_train_batch_end(self, *_: object) -> None:
        self.ends.append(time.perf_counter())

    def on_fit_start(self, *_: object) -> None:
        self.ends: list[float] = []


def plain(cfg: DictConfig, steps: int) -> float:
    task, data = build(cfg), build_data(cfg)
    loader = data.train_dataloader()
    optimizer = task.optimizer(task.net.parameters())
    schedule = task.schedule(optimizer, steps)
    ends = []
    task.train()
    while len(ends) < steps:
        for batch in loader:
            cost = task.codec.training_loss(task.net(batch.image), batch.keypoints, batch.visible)
            optimizer.zero_grad()
            cost.loss.backward()
            optimizer.step()
            schedule.step()
            ends.append(time.perf_counter())
            if len(ends) == steps:
                break
    return per_step(ends)


def lightning(cfg: DictConfig, steps: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock()
        with open_dict(cfg):
            cfg.output_dir = folder
            cfg.trainer.max_steps = steps
            cfg.trainer.limit_val_batches = 0
        trainer = build_trainer(cfg, RunStore(Path(folder)), Lines(10, watched(cfg)))
        trainer.callbacks.append(clock)
        task: KeypointTask = build(cfg)
        trainer.fit(task, build_data(cfg))
    return per_step(clock.ends)


def per_step(ends: list[float]) -> float:
    """Milliseconds, without warm-up."""
    return 1000 * (ends[-1] - ends[WARM_UP]) / (len(ends) - 1 - WARM_UP)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100)
    flags = parser.parse_args()
    quiet_libraries()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        cfg = compose("train", ["arm=mse_2d", "decoder=[argmax]", "data.pool=4096"])
    ratios = []
    for number in range(flags.rounds):
        seed_everything(0, verbose=False)
        ours, bare = lightning(cfg.copy(), flags.steps), plain(cfg, flags.steps)
        ratios.append(ours / bare)
        print(f"round {number}: Lightning {ours:.2f} ms, plain {bare:.2f} ms: {ratios[-1]:.3f}")
    low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
    threads = torch.get_num_threads()
    print(f"ratio on {threads} thread(s): median {middle:.3f}, from {low:.3f} to {high:.3f}")


if __name__ == "__main__":
    main()
