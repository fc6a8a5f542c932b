"""Times layouts part by part: OMP_NUM_THREADS=1 python experiments/latency/measure.py

Writes cells.parquet, a row for each size, batch, arm and part with the ratios of all rounds to the
same part of a 2-D map, and memory.parquet, a row for each size and arm. answer.py prints tables.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from hydra import compose, initialize_config_dir
from torch.autograd.graph import saved_tensors_hooks

from heatmap_research.config.conf import conf_folder
from heatmap_research.config.job import prepare
from heatmap_research.jobs.bench.timing import Row, timed
from heatmap_research.training.build import build, dry_run, wire
from heatmap_research.training.task import KeypointTask
from heatmap_research.types import Heatmaps

HERE = Path(__file__).parent
BASE, ARMS = "ce_2d", ("ce_2d", "simcc", "marginal")
SIZES, BATCHES, JOINTS = ((64, 64), (128, 128), (256, 192)), (1, 8, 32), 13
COMMON = (
    *("output_dir=.", "decoder=[dark]", "backbone=resnet18"),
    *("backbone.pretrained=false", "flip_test=false"),
)


def task_of(arm: str, size: tuple[int, int]) -> tuple[KeypointTask, dict[str, Any]]:
    chosen = (f"arm={arm}", f"image_size=[{size[0]},{size[1]}]")
    job = prepare(compose("train", [*COMMON, *chosen]), {"arm": arm})
    _, known = dry_run(wire(job))
    return build(wire(job)), known


def parts(task: KeypointTask, size: tuple[int, int], batch: int) -> dict[str, Callable[[], object]]:
    net, codec = task.net, task.codec
    image = torch.randint(0, 256, (batch, 3, *size), dtype=torch.uint8)
    points = torch.rand(batch, JOINTS, 2) * torch.tensor([size[1] - 1.0, size[0] - 1.0])
    visible = torch.full((batch, JOINTS), 2.0)
    optimizer = task.optimizer(net.parameters())
    with torch.inference_mode():
        features = net.neck(net.backbone(image))
        scores = net.head(features)

    def without_gradients(work: Callable[[], object]) -> Callable[[], object]:
        def done() -> object:
            net.eval()
            with torch.inference_mode():
                return work()

        return done

    def step() -> None:
        net.train()
        optimizer.zero_grad()
        codec.training_loss(net(image), points, visible).loss.backward()
        optimizer.step()

    return {
        "head": without_gradients(lambda: net.head(features)),
        "pass": without_gradients(lambda: net(image)),
        "decoding": without_gradients(lambda: codec.decode(codec.activate(scores))),
        "step": step,
    }


def cells(size: tuple[int, int], batch: int, tasks: dict[str, KeypointTask], rounds: int) -> Any:
    works = {arm: parts(task, size, batch) for arm, task in tasks.items()}
    rows = [
        Row(f"{arm}: {part}", _often(work, part), f"{BASE}: {part}", count=batch * _times(part))
        for part in works[BASE]
        for arm, works_of in works.items()
        for work in (works_of[part],)
    ]
    for figure in timed("", rows, rounds, time.process_time):
        arm, part = figure.name.split(": ")
        named = {"size": f"{size[0]}x{size[1]}", "batch": batch, "arm": arm, "part": part}
        yield named | {"microseconds": figure.microseconds, "ratios": figure.ratios}


def _times(part: str) -> int:
    """How often in a round: heads and decoders are short."""
    return {"head": 5, "decoding": 10}.get(part, 1)


def _often(work: Callable[[], object], part: str) -> Callable[[], None]:
    def all_of_them() -> None:
        for _ in range(_times(part)):
            work()

    return all_of_them


def kept(task: KeypointTask, size: tuple[int, int]) -> int:
    """Bytes that autograd keeps of a pass and its loss for one image, without parameters."""
    own = {each.untyped_storage().data_ptr() for each in task.parameters()}
    storages: dict[int, torch.UntypedStorage] = {}  # held, or their places would be used again

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage
        return tensor

    batch = 8
    image = torch.randint(0, 256, (batch, 3, *size), dtype=torch.uint8)
    points = torch.full((batch, JOINTS, 2), 20.0)
    task.net.train()
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        task.codec.training_loss(task.net(image), points, torch.full((batch, JOINTS), 2.0))
    return sum(storage.nbytes() for storage in storages.values()) // batch


def memory(size: tuple[int, int], arm: str, task: KeypointTask, known: Any) -> dict[str, Any]:
    with torch.inference_mode():
        scores: Heatmaps = task.net.eval()(torch.zeros(1, 3, *size, dtype=torch.uint8))
    counts = {"bins": sum(each[0, 0].numel() for each in scores), "kept": kept(task, size)}
    counts["head"] = sum(each.numel() for each in task.net.head.parameters())
    named = {"size": f"{size[0]}x{size[1]}", "arm": arm}
    return named | counts | {name: known[name] for name in ("parameters", "macs")}


def sizes(rounds: int, batches: tuple[int, ...]) -> Iterator[tuple[list[Any], list[Any]]]:
    for size in SIZES:
        made = {arm: task_of(arm, size) for arm in ARMS}
        tasks = {arm: task for arm, (task, _) in made.items()}
        counted = [memory(size, arm, task, known) for arm, (task, known) in made.items()]
        timings = [row for batch in batches for row in cells(size, batch, tasks, rounds)]
        yield timings, counted
        print(f"{size[0]}x{size[1]}: {len(timings)} timings")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    asked.add_argument("--out", type=Path, default=HERE)
    given = asked.parse_args()
    torch.set_num_threads(1)
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        found = list(sizes(given.rounds, tuple(given.batches)))
    for name, place in (("cells", 0), ("memory", 1)):
        rows = [row for each in found for row in each[place]]
        pq.write_table(pa.Table.from_pylist(rows), given.out / f"{name}.parquet")


if __name__ == "__main__":
    main()
