import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu

from heatmap_research.codec.grid import Grid
from heatmap_research.network.heads._resolution import cells
from heatmap_research.network.layers import start_near_zero
from heatmap_research.types import Heatmaps, Level

Tokens = Float[Tensor, "batch joint feature"]


class ScaleNorm(nn.Module):
    """Scales every token to a root mean square of one, times a learnt number."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, tokens: Tokens) -> Tokens:
        size = torch.linalg.vector_norm(tokens, dim=-1, keepdim=True)
        return tokens / (size / math.sqrt(tokens.shape[-1])).clamp(min=1e-5) * self.gain


class GatedAttention(nn.Module):
    """A residual unit in which the joints of one image attend to each other (Hua et al., 2022).

    Values are weighted by squared ReLU attention and gated feature by feature.
    """

    def __init__(self, width: int, attention: int, expansion: int) -> None:
        super().__init__()
        self.widths = [expansion * width, expansion * width, attention]
        self.norm = ScaleNorm()
        self.enter = nn.Linear(width, sum(self.widths), bias=False)
        self.gain = nn.Parameter(torch.rand(2, attention))  # for queries, then for keys
        self.offset = nn.Parameter(torch.rand(2, attention))
        self.leave = nn.Linear(expansion * width, width, bias=False)
        self.residual = nn.Parameter(torch.ones(width))

    def forward(self, tokens: Tokens) -> Tokens:
        gate, value, base = silu(self.enter(self.norm(tokens))).split(self.widths, dim=-1)
        query, key = (base[:, :, None] * self.gain + self.offset).unbind(2)
        weight = (query @ key.mT / math.sqrt(self.widths[2])).relu().square()  # (B, K, K)
        return tokens * self.residual + self.leave(gate * (weight @ value))


class Rtmcc(nn.Module):
    """Turns a joint's map into a token, which attends to others, then into bins (RTMPose)."""

    ndim: ClassVar[Literal[1, 2]] = 1

    def __init__(
        self,
        levels: Sequence[Level],
        grid: Grid,
        joints: int,
        kernel: int,  # cells
        hidden: int,  # numbers in a token
        attention: int,  # numbers in a query and a key
        expansion: int,  # how many times wider a token is within the attention unit
        init_std: float,  # of the convolution
        linear_std: float,
    ) -> None:
        super().__init__()
        last = levels[-1]
        self.joint = nn.Conv2d(last.channels, joints, kernel, padding=kernel // 2)
        count = math.prod(cells(last, grid))
        self.token = nn.Sequential(ScaleNorm(), nn.Linear(count, hidden, bias=False))
        self.attend = GatedAttention(hidden, attention, expansion)
        self.shapes = grid.shapes
        self.maps = nn.ModuleList(
            nn.Linear(hidden, math.prod(shape), bias=False) for shape in self.shapes
        )
        start_near_zero(self.joint, init_std)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=linear_std)

    def forward(self, features: list[Tensor]) -> Heatmaps:
        tokens = self.attend(self.token(self.joint(features[-1]).flatten(2)))
        pairs = zip(self.maps, self.shapes, strict=True)
        return tuple(layer(tokens).unflatten(-1, shape) for layer, shape in pairs)
