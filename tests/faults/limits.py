"""Labels, losses and decoders at the limits of their numbers: finite, or refused in a line.

A case is drawn at random: layout, size, stride, width of labels, option, joints, people, precision,
scores, and where the joints are. `mutants.py` tries thousands of them, the suite some.
"""

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from options import COORDINATE_LOSSES, DECODERS, LOSSES, TARGETS, labels_of

from heatmap_research.codec.codec import Codec, readable
from heatmap_research.codec.coordinate_codec import AnyCodec, CoordinateCodec
from heatmap_research.codec.grid import Grid
from heatmap_research.codec.targets.gaussian import Gaussian
from heatmap_research.types import IncompatibleError, in_a_line

SIDES = (8, 16, 24, 64, 1024)  # pixels; the last beside a short one
STRIDES = (0.25, 0.5, 1, 2, 4, 8)  # pixels, or the whole side: maps of one bin
PRECISIONS = (torch.float32, torch.bfloat16, torch.float16)
SCORES = ("noise", "zero", "huge", "huge below", "one high", "halves high")
PLACES = ("inside", "border", "beyond", "far", "one place")
MOST_BINS = 1 << 16  # of a map: more say nothing new


@dataclass(frozen=True)
class Case:
    ndim: int
    size: tuple[int, int]
    stride: float
    target: str
    sigma: float | None  # of a Gaussian, pixels; None: another target as it is
    loss: str
    joints: int
    people: int
    precision: torch.dtype
    scores: str
    places: str
    visible: str
    seed: int


def cases(seed: int) -> Iterator[tuple[str, Case]]:
    draw = random.Random(seed)
    while True:
        size = tuple(draw.choices(SIDES[:-1], k=2)) if draw.random() < 0.9 else (8, SIDES[-1])
        stride = float(draw.choice((*STRIDES, min(size))))
        gaussian = draw.random() < 0.5
        ndim = draw.choices((0, 1, 2), (1, 4, 4))[0]
        case = Case(
            ndim=ndim,
            size=size,
            stride=stride,
            target="gaussian" if gaussian else draw.choice(sorted(TARGETS)),
            sigma=10 ** draw.uniform(-1.3, 3) if gaussian else None,  # .05 to 1000
            loss=draw.choice(sorted(LOSSES if ndim else COORDINATE_LOSSES)),
            joints=draw.choice((1, 2, 17, 300)) if stride >= 1 else draw.choice((1, 2)),
            people=draw.choice((1, 2)),
            precision=draw.choice(PRECISIONS),
            scores=draw.choice(SCORES),
            places=draw.choice(PLACES),
            visible=draw.choice(("none", "all", "some")),
            seed=draw.randrange(1 << 30),
        )
        if size[0] * size[1] / stride**2 <= MOST_BINS:
            yield repr(case), case


def judged(case: Case, _: Any = None) -> str:
    """What was wrong; nothing where all is finite, or refused in a line."""
    try:
        return _tried(case)
    except IncompatibleError as error:
        return "" if in_a_line(error) == str(error) else f"refused in several lines: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _tried(case: Case) -> str:
    codec = _codec(case)
    torch.manual_seed(case.seed)
    points, visible = _points(case), _visible(case)
    shapes = ((case.people, case.joints, *shape) for shape in codec.shapes)
    scores = tuple(_scores(case.scores, shape).to(case.precision) for shape in shapes)
    for each in scores:
        each.requires_grad_()
    labels = codec.encode(points, visible) if isinstance(codec, Codec) else []
    found = {f"label {n}": each.heatmap for n, each in enumerate(labels)}
    found["loss"] = codec.training_loss(scores, points, visible).loss
    found["loss"].backward()
    for number, each in enumerate(scores):  # of 16 bits infinity is skipped by the loss's scaler
        known = each.grad if each.grad is not None else torch.zeros(())
        half = case.precision == torch.float16
        found[f"gradient {number}"] = known.nan_to_num(nan=torch.nan) if half else known
    with torch.inference_mode():
        for name, read in codec.decode(codec.activate(tuple(s.detach() for s in scores))).items():
            found |= {f"{name}: places": read.keypoints, f"{name}: scores": read.score}
    return ", ".join(f"{name} not finite" for name, n in found.items() if not n.isfinite().all())


def _codec(case: Case) -> AnyCodec:
    grid = Grid(case.size, case.stride, case.ndim)
    if not case.ndim:
        decoders = {"coordinates": DECODERS["coordinates"]}
        return CoordinateCodec(grid, COORDINATE_LOSSES[case.loss], decoders, labels_of())
    loss = LOSSES[case.loss]
    target = Gaussian(case.sigma) if case.sigma else TARGETS[case.target]
    decoders = {n: each for n, each in DECODERS.items() if readable(each.needs, loss.activation)}
    return Codec(grid, target, loss, decoders, labels_of(), "product")


def _points(case: Case) -> torch.Tensor:
    high = torch.tensor([case.size[1] - 1.0, case.size[0] - 1.0])
    share = torch.rand(case.people, case.joints, 2)
    return {
        "inside": share * high,
        "border": share.round() * (high + 1) - 0.5,
        "beyond": (3 * share - 1) * high,
        "far": (share - 0.5) * 1e6,
        "one place": torch.zeros_like(share) + high / 2,
    }[case.places]


def _visible(case: Case) -> torch.Tensor:
    shape = (case.people, case.joints)
    kinds = {"none": torch.full(shape, 0), "all": torch.full(shape, 2)}
    return kinds.get(case.visible, torch.randint(0, 3, shape))


def _scores(kind: str, shape: tuple[int, ...]) -> torch.Tensor:
    scores = torch.randn(shape)
    if kind == "one high":
        scores.flatten(2)[..., 0] = 1e4
    if kind == "halves high":
        scores.flatten(2)[..., ::2] = 1e4
    return {"zero": 0 * scores, "huge": 1e4 * scores, "huge below": scores - 1e4}.get(kind, scores)
