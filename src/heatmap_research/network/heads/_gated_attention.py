"""Attention between the joints of one image, as in RTMPose (Hua et al.; Jiang et al.)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu

Tokens = Float[Tensor, "batch joint feature"]


class ScaleNorm(nn.Module):
    """Every token has a root mean square of one, times a learnt number."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, tokens: Tokens) -> Tokens:
        size = torch.linalg.vector_norm(tokens, dim=-1, keepdim=True)
        return tokens / (size / math.sqrt(tokens.shape[-1])).clamp(min=1e-5) * self.gain


class GatedAttention(nn.Module):
    """A residual unit: values weighted by squared ReLU attention, gated feature by feature."""

    def __init__(self, width: int, attention: int, expansion: int) -> None:
        super().__init__()
        self.widths = [expansion * width, expansion * width, attention]
        self.norm = ScaleNorm()
        self.enter = nn.Linear(width, sum(self.widths), bias=False)
        self.gain = nn.Parameter(torch.rand(2, attention))  # of queries, of keys
        self.offset = nn.Parameter(torch.rand(2, attention))
        self.leave = nn.Linear(expansion * width, width, bias=False)
        self.residual = nn.Parameter(torch.ones(width))

    def forward(self, tokens: Tokens) -> Tokens:
        gate, value, base = silu(self.enter(self.norm(tokens))).split(self.widths, dim=-1)
        query, key = (base[:, :, None] * self.gain + self.offset).unbind(2)
        weight = (query @ key.mT / math.sqrt(self.widths[2])).relu().square()  # (B, K, K)
        return tokens * self.residual + self.leave(gate * (weight @ value))
