"""Times and works out what sentences of the field say: python experiments/claims/measure.py

Writes cells.parquet, a row for each figure; answer.py makes the tables of it.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from hydra import compose, initialize_config_dir

from heatmap_research.analysis.theory.round_trip import floors
from heatmap_research.codec.codec import Codec
from heatmap_research.codec.decoders.argmax import Argmax
from heatmap_research.codec.decoders.dark import Dark
from heatmap_research.config.conf import conf_folder
from heatmap_research.config.instantiate import instantiate
from heatmap_research.config.job import Job, prepare
from heatmap_research.training.build import build, dry_run, wire

HERE = Path(__file__).parent
SIZES = {"64x64": 3, "128x128": 2, "256x192": 2, "384x288": 2}  # bins a pixel of SimCC
PEOPLE, JOINTS = 64, 17
TRUNK = ("backbone=resnet50", "backbone.pretrained=false")
TWO_D = (*TRUNK, "neck=identity", "head=deconv", "loss=mse", "stride=4")
ONE_D = (*TRUNK, "neck=deconv", "head=simcc", "loss=kl")
Cell = dict[str, Any]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rounds", type=int, default=9)
    asked.add_argument("--out", type=Path, default=HERE / "cells.parquet")
    given = asked.parse_args()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        cells = [*within_three_sigma(), *labels(given.rounds), *decoding(given.rounds)]
        cells += [*memory(), *on_exact_labels(), *along_axes()]
    pq.write_table(pa.Table.from_pylist(cells), given.out)
    print(f"{len(cells)} figures: {given.out}")


def cell(claim: str, what: str, value: float, unit: str, low: float = math.nan) -> Cell:
    """`low`: the lowest round of a timing."""
    return {"claim": claim, "what": what, "value": value, "unit": unit, "low": low}


def job(*chosen: str) -> Job:
    return prepare(compose("train", ["output_dir=.", *chosen]), {})


def codec(*chosen: str) -> Codec:
    made = job(*chosen)
    return made.codec_of(instantiate(made.config.head, "head"))


def within_three_sigma() -> Iterator[Cell]:
    line = math.erf(3 / math.sqrt(2))
    shares = {"1-D": line, "2-D square": line**2, "2-D disc": 1 - math.exp(-4.5)}
    for what, share in shares.items():
        yield cell("3 sigma", what, 100 * share, "%")


def timed(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each, round by round; a round lasts a tenth of a second for each."""
    counts = {}
    for name, work in works.items():
        work()
        began = time.perf_counter()
        work()
        counts[name] = max(1, int(0.1 / (time.perf_counter() - began)))
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            began = time.perf_counter()
            for _ in range(counts[name]):
                work()
            found[name].append(1000 * (time.perf_counter() - began) / counts[name])
    return found


def ratio(claim: str, what: str, one: list[float], other: list[float]) -> Cell:
    ratios = [a / b for a, b in zip(one, other, strict=True)]
    return cell(claim, what, statistics.median(ratios), "times", min(ratios))


def labels(rounds: int) -> Iterator[Cell]:
    names = ("gaussian", "gaussian_patch", "blurred")
    points = torch.rand(PEOPLE, JOINTS, 2) * torch.tensor([63.0, 47.0])
    targets = {}
    for name in names:
        made = job("image_size=[256,192]", "sigma=8", f"target={name}")
        targets[name] = instantiate(made.config.target, "target")
    works = {n: lambda t=t: t(points, (64, 48), (4.0, 4.0)) for n, t in targets.items()}
    found = timed(works, rounds)
    for name in names:
        yield cell("patch or blur", name, statistics.median(found[name]), "ms", min(found[name]))
    yield ratio("patch or blur", "blur / patch", found["blurred"], found["gaussian_patch"])
    yield ratio("patch or blur", "whole / patch", found["gaussian"], found["gaussian_patch"])


def decoding(rounds: int) -> Iterator[Cell]:
    argmax, dark = Argmax(), Dark(floor=1e-10)
    for size, bins in SIZES.items():
        height, width = map(int, size.split("x"))
        maps = torch.rand(PEOPLE, JOINTS, height // 4, width // 4)
        vectors = [torch.rand(PEOPLE, JOINTS, side * bins) for side in (height, width)]
        found = timed(
            {
                "2-D argmax": lambda m=maps: argmax(m, 4.0),
                "1-D argmax": lambda vs=vectors: [argmax(v, 0.5) for v in vs],
                "2-D dark": lambda m=maps: dark(m, 4.0),
                "1-D dark": lambda vs=vectors: [dark(v, 0.5) for v in vs],
            },
            rounds,
        )
        for name, times in found.items():
            yield cell("decoding", f"{size} {name}", statistics.median(times), "ms", min(times))
        share = bins * (height + width) * 16 / (height * width)
        yield cell("decoding", f"{size} bins, 1-D / 2-D", share, "times")
        yield ratio("decoding", f"{size} 1-D / 2-D", found["1-D argmax"], found["2-D argmax"])
        yield ratio("decoding", f"{size} dark / argmax", found["2-D dark"], found["2-D argmax"])
        if size == "256x192":
            yield from _beside_a_network(found, rounds)


def _beside_a_network(found: Mapping[str, list[float]], rounds: int) -> Iterator[Cell]:
    net = build(wire(job("image_size=[256,192]", "sigma=8", *TWO_D))).net.eval()
    image = torch.randint(0, 256, (4, 3, 256, 192), dtype=torch.uint8)
    with torch.inference_mode():
        (passes,) = timed({"net": lambda: net(image)}, min(3, rounds)).values()
    each = statistics.median(passes) / len(image)
    yield cell("decoding", "256x192 ResNet-50, an image", each, "ms", min(passes) / len(image))
    more = statistics.median(found["2-D dark"]) - statistics.median(found["2-D argmax"])
    yield cell("decoding", "256x192 DARK beyond argmax", 100 * more / PEOPLE / each, "% of it")


def memory() -> Iterator[Cell]:
    for size, bins in SIZES.items():
        height, width = map(int, size.split("x"))
        for name, chosen in (("2-D", TWO_D), ("1-D", (*ONE_D, f"stride=1/{bins}"))):
            made = job(f"image_size=[{height},{width}]", "sigma=8", "joints=null", *chosen)
            task, known = dry_run(wire(made))
            numbers = sum(math.prod(shape) for shape in task.codec.shapes)
            yield cell("memory", f"{size} {name} output", 4 * JOINTS * numbers / 1024, "KiB")
            yield cell("memory", f"{size} {name} parameters", known["parameters"] / 1e6, "million")
            yield cell("memory", f"{size} {name} multiply-adds", known["macs"] / 1e9, "10^9")


def on_exact_labels() -> Iterator[Cell]:
    kinds = {
        "2-D, exact labels": ("stride=4", "target=gaussian", "loss=cross_entropy"),
        "2-D, rounded labels": ("stride=4", "target=gaussian_rounded", "loss=cross_entropy"),
        "SimCC, 2 bins a pixel": ("arm=simcc", "stride=1/2"),
    }
    for kind, chosen in kinds.items():
        for decoder, error in floors(codec("image_size=[64,64]", *chosen), JOINTS).items():
            yield cell("quantisation", f"{kind}: {decoder}", error, "px")


def along_axes() -> Iterator[Cell]:
    """Gaussians of two widths anywhere in maps of 64x48 bins, read whole and axis by axis."""
    places = 4 + torch.rand(PEOPLE, JOINTS, 2, dtype=torch.float64) * torch.tensor([55.0, 39.0])
    profiles = [
        torch.exp(-0.5 * ((torch.arange(side) - places[..., axis, None]) / sigma) ** 2)
        for axis, (side, sigma) in enumerate(((64, 2.0), (48, 3.0)))
    ]
    whole = (profiles[0][..., None] * profiles[1][..., None, :]).float()
    dark = Dark(floor=1e-10)
    apart = torch.cat([dark(profile.float(), 1.0) for profile in profiles], -1)
    far = float((dark(whole, 1.0) - apart).abs().max())
    yield cell("DARK by axis", "largest difference", far, "bins")


if __name__ == "__main__":
    main()
