"""Where the time of a training step goes: python experiments/step/measure.py [--rounds 5]

One step of a Lightning fit beside its parts, each alone: the network forwards and backwards, the
loss, the optimiser, the next batch. Rounds go through all of them in turn, so that what else the
machine does falls on all alike.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from pytorch_lightning import Callback, seed_everything

from heatmap_research.config.conf import conf_folder
from heatmap_research.config.job import Job, prepare
from heatmap_research.runs.store import RunStore
from heatmap_research.training.build import build, build_data, build_trainer, wire
from heatmap_research.training.callbacks.progress import Lines
from heatmap_research.training.fit import quiet_libraries
from heatmap_research.types import Sample

WARM_UP = 10  # steps that are not counted


class Clock(Callback):
    def on_fit_start(self, *_: object) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *_: object) -> None:
        self.ends.append(time.perf_counter())


def fit(job: Job) -> float:
    """Milliseconds of a step in a training as heatmap-train runs it, without validation."""
    with tempfile.TemporaryDirectory() as folder:
        job = job.but(output_dir=folder)
        trainer = build_trainer(job, RunStore(Path(folder)), Lines(1000, job.watched))
        trainer.limit_val_batches = 0
        trainer.callbacks.append(clock := Clock())  # type: ignore[attr-defined]
        trainer.fit(build(wire(job)), build_data(job))
    return 1000 * (clock.ends[-1] - clock.ends[WARM_UP]) / (len(clock.ends) - 1 - WARM_UP)


def parts(job: Job, steps: int) -> dict[str, float]:
    """Milliseconds of each part of a step, the same batch again and again."""
    task, data = build(wire(job)).train(), build_data(job)
    optimizer = task.optimizer(task.net.parameters())
    batches = _endless(data.train_dataloader)
    batch = next(batches)
    others = batch.others, batch.others_visible
    scores = tuple(each.detach().requires_grad_() for each in task.net(batch.image))

    def network() -> None:
        torch.autograd.backward(out := task.net(batch.image), [torch.ones_like(o) for o in out])

    def loss() -> None:
        task.codec.training_loss(scores, batch.keypoints, batch.visible, others).loss.backward()

    return {
        "network": _timed(network, steps),
        "loss": _timed(loss, steps),
        "optimiser": _timed(optimizer.step, steps),
        "batch": _timed(lambda: next(batches), steps),
    }


def _endless(loader: Callable[[], Iterator[Sample]]) -> Iterator[Sample]:
    while True:
        yield from loader()


def _timed(work: Callable[[], object], steps: int) -> float:
    for _ in range(WARM_UP):
        work()
    began = time.perf_counter()
    for _ in range(steps):
        work()
    return 1000 * (time.perf_counter() - began) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--arm", default="mse_2d")
    flags = parser.parse_args()
    quiet_libraries()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        chosen = [f"arm={flags.arm}", "decoder=[argmax]", "data.pool=4096", "output_dir=."]
        chosen.append(f"trainer.max_steps={flags.steps}")
        job = prepare(compose("train", chosen), {"arm": flags.arm})
    rounds = []
    for _ in range(flags.rounds):
        seed_everything(0, verbose=False)
        of_parts, whole = parts(job, flags.steps), fit(job)
        rest = whole - sum(of_parts.values())
        rounds.append({"step": whole, **of_parts, "Lightning, callbacks, loggers": rest})
    print(f"{flags.arm}, {torch.get_num_threads()} thread(s), median of {flags.rounds} rounds")
    for name in rounds[0]:
        middle = statistics.median(each[name] for each in rounds)
        shares = [100 * each[name] / each["step"] for each in rounds]
        ends = f"{min(shares):.1f} to {max(shares):.1f}"
        print(f"{name:32} {middle:6.2f} ms  {statistics.median(shares):5.1f} % ({ends})")


if __name__ == "__main__":
    main()
