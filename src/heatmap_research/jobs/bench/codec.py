"""The rows of the codec: ours, beside a copy of the maps; peers.py has those of others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
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
# Times a copy of the maps, in 2-D and in 1-D, on the one of two processors where it is more: an
# AMD EPYC, whose copies are faster and products of matrices slower (docs/performance.md).
BOUNDS: dict[str, tuple[float, float]] = {
    "labels": (5.5, 8.0),
    "argmax": (1.4, 1.5),
    "dark": (2.0, 3.0),
    "argmax_blur": (11.0, 19.0),
    "dark_blur": (12.0, 20.0),
    "argmax and score": (2.5, 4.0),
    "softmax and expectation": (5.0, 5.5),
    "all of main and score, from scores": (20.0, 30.0),
}


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
    copies = tuple(torch.empty_like(each) for each in maps)
    learnt = tuple(each.clone().requires_grad_() for each in case.scores)

    def copy() -> None:
        for to, each in zip(copies, maps, strict=True):
            to.copy_(each)

    def loss() -> None:
        codec.training_loss(learnt, case.keypoints, case.visible).loss.backward()

    work = {
        "labels": lambda: codec.encode(case.keypoints, case.visible),
        **{name: _located(codec, name, maps) for name in SETTLED},
        "argmax and score": lambda: _only(codec, "argmax").decode(maps),
        "softmax and expectation": lambda: _only(codec, "soft_argmax").read(case.scores),
        "all of main and score, from scores": lambda: codec.read(case.scores),
        "labels and loss, forwards and backwards": loss,
    }
    floor, count = f"{case.layout}: copy of the maps", len(case.keypoints)
    yield Row(floor, copy, floor, count=count)
    for name, each in work.items():
        bound = BOUNDS.get(name, (None, None))[case.layout == "1-D"]
        yield Row(f"{case.layout}: {name}", each, floor, bound, count)


def _only(codec: Codec, decoder: str) -> Codec:
    return replace(codec, decoders={decoder: codec.decoders[decoder]})


def _located(codec: Codec, decoder: str, maps: Heatmaps) -> Callable[[], object]:
    """Without the score, and without what decoders share; in the parts that the codec reads."""
    chosen, stride = codec.decoders[decoder], codec.grid.stride
    return lambda: [[chosen(each, stride) for each in part] for part in in_cache(maps)]
