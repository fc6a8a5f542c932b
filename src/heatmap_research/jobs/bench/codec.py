"""The rows of the codec: ours, beside a copy of the maps; peers.py has those of others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from hydra import compose, initialize_config_dir

from heatmap_research.codec.codec import Codec
from heatmap_research.codec.parts import in_cache
from heatmap_research.config.conf import conf_folder
from heatmap_research.config.instantiate import instantiate
from heatmap_research.config.job import prepare
from heatmap_research.jobs.bench.timing import Row
from heatmap_research.types import Heatmaps, Keypoints, Tensor

ARMS = {  # sigma is 2 bins of the map, and 5.3 of the vectors
    "2-D": ("arm=ce_2d", "stride=4", "sigma=8"),
    "1-D": ("arm=simcc", "stride=1/2", "sigma=2.66"),
}
SETTLED = ("argmax", "dark", "argmax_blur", "dark_blur")
BOUNDS: dict[str, tuple[float, float]] = {  # times a copy of the maps, in 2-D and in 1-D
    "labels": (3.5, 6.0),
    "argmax": (1.0, 1.5),
    "dark": (2.0, 3.0),
    "argmax_blur": (6.0, 12.0),
    "dark_blur": (7.0, 13.0),
    "argmax and score": (2.5, 4.0),
    "softmax, expectation and score": (5.0, 5.0),
    "all of main and score, from scores": (13.0, 22.0),
}
# The same of AMD's processors, where copies are faster and products of matrices slower: medians of
# three quiet runs of one of them and a third to spare (docs/performance.md).
ON_AMD = BOUNDS | {
    "labels": (5.5, 5.0),
    "argmax": (1.0, 1.5),
    "dark": (1.5, 2.0),
    "argmax_blur": (4.5, 7.0),
    "dark_blur": (5.5, 8.0),
    "argmax and score": (1.6, 2.0),
    "softmax and expectation": (3.5, 3.5),
    "softmax, expectation and score": (5.0, 5.5),
    "all of main and score, from scores": (12.0, 15.0),
}
CPU_FACTS = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Case:
    """One layout: its codec, and a batch to encode and decode."""

    layout: str
    codec: Codec
    keypoints: Keypoints
    visible: Tensor
    scores: Heatmaps

    @property
    def maps(self) -> Heatmaps:
        return self.codec.activate(self.scores)


def cases(size: tuple[int, int], batch: int, joints: int, device: str) -> list[Case]:
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return [_case(layout, size, batch, joints, device) for layout in ARMS]


def _case(layout: str, size: tuple[int, int], batch: int, joints: int, device: str) -> Case:
    chosen = [f"image_size=[{size[0]},{size[1]}]", "output_dir=.", *ARMS[layout]]
    job = prepare(compose("train", chosen), {})
    codec = cast(Codec, job.codec_of(instantiate(job.config.head, "head")))
    random = torch.Generator().manual_seed(0)
    places = torch.rand(batch, joints, 2, generator=random)
    keypoints = (places * torch.tensor([size[1] - 1.0, size[0] - 1.0])).to(device)
    visible = torch.full((batch, joints), 2, device=device)
    labels = codec.encode(keypoints, visible)
    scores = tuple(
        8 * each.heatmap + torch.rand(each.heatmap.shape, generator=random).to(device)
        for each in labels
    )
    return Case(layout, codec, keypoints, visible, scores)


def rows(case: Case) -> Iterator[Row]:
    """What the codec does with one batch; every row is divided by the copy."""
    maps, codec = case.maps, case.codec
    highest, mean = (_only(codec, name) for name in ("argmax", "soft_argmax"))
    copies = tuple(torch.empty_like(each) for each in maps)
    learnt = tuple(each.clone().requires_grad_() for each in case.scores)

    def copy() -> None:
        for to, each in zip(copies, maps, strict=True):
            to.copy_(each)

    def anew() -> Heatmaps:
        return tuple(each.clone() for each in maps)

    def loss() -> None:
        cost = codec.training_loss(learnt, case.keypoints, case.visible, excess=False)
        cost.loss.backward()

    work = {
        "copy into new memory": anew,
        "labels": lambda: codec.encode(case.keypoints, case.visible),
        **{name: _located(codec, name, maps) for name in SETTLED},
        "argmax and score": lambda: highest.decode(maps),
        "softmax and expectation": _averaged(mean, case.scores),
        "softmax, expectation and score": lambda: mean.read(case.scores),
        "all of main and score, from scores": lambda: codec.read(case.scores),
        "labels and loss, forwards and backwards": loss,
    }
    floor, count = f"{case.layout}: copy of the maps", len(case.keypoints)
    yield Row(floor, copy, floor, count=count)
    amd = CPU_FACTS.exists() and "AuthenticAMD" in CPU_FACTS.read_text()
    bounds = ON_AMD if amd else BOUNDS
    for name, each in work.items():
        bound = bounds.get(name, (None, None))[case.layout == "1-D"]
        yield Row(f"{case.layout}: {name}", each, floor, bound, count)


def _only(codec: Codec, decoder: str) -> Codec:
    return replace(codec, decoders={decoder: codec.decoders[decoder]})


def _located(codec: Codec, decoder: str, maps: Heatmaps) -> Callable[[], object]:
    """Without the score, and without what decoders share; in the parts that the codec reads."""
    chosen, stride = codec.decoders[decoder], codec.grid.stride
    return lambda: [[chosen(each, stride) for each in part] for part in in_cache(maps)]


def _averaged(codec: Codec, scores: Heatmaps) -> Callable[[], object]:
    """Likewise of scores that are turned into maps first."""
    (mean,), stride = codec.decoders.values(), codec.grid.stride
    parts = in_cache(scores)
    return lambda: [[mean(each, stride) for each in codec.activate(part)] for part in parts]
