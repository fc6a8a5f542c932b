"""Random numbers that are a function of their purpose and number, in any order and any batch."""

import hashlib
import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

Purpose = tuple[int | str, ...]  # as (seed, "pose"); numbers of different purposes are independent
Index = Int[Tensor, " batch"]  # numbers of images or items

# splitmix64 (Steele et al., 2014), with its factors as signed numbers of 64 bits
INCREMENT = 0x9E3779B97F4A7C15 - 2**64
ROUNDS = ((30, 0xBF58476D1CE4E5B9 - 2**64), (27, 0x94D049BB133111EB - 2**64))
POSITION_BITS = 24  # of the counter: which draw of an image; the other bits number the images


def uniform(purpose: Purpose, index: Index, count: int) -> Float[Tensor, "batch {count}"]:
    """Multiples of 2**-24 in [0, 1)."""
    return (_words(purpose, index, count) >> 40 & 0xFFFFFF).float().mul_(2**-24)


def normal(purpose: Purpose, index: Index, count: int) -> Float[Tensor, "batch {count}"]:
    draws = 1 - uniform(purpose, index, 2 * count).double()
    radius, angle = draws.unflatten(1, (2, count)).unbind(1)
    return (radius.log().mul(-2).sqrt() * angle.mul(2 * math.pi).cos()).float()


def shorts(purpose: Purpose, index: Index, count: int) -> Int[Tensor, "batch {count}"]:
    """Any int16, equally likely: four of them cost one draw of 64 bits."""
    return _words(purpose, index, -(-count // 4)).view(torch.int16)[:, :count]


def _words(purpose: Purpose, index: Index, count: int) -> Int[Tensor, "batch {count}"]:
    key = hashlib.blake2b(repr(purpose).encode(), digest_size=8).digest()
    word = (index[:, None] << POSITION_BITS) + torch.arange(count, device=index.device)
    word.mul_(INCREMENT).add_(int.from_bytes(key, "little", signed=True))
    for shift, factor in ROUNDS:
        _fold(word, shift).mul_(factor)
    return _fold(word, 31)


def _fold(word: Int[Tensor, "..."], shift: int) -> Int[Tensor, "..."]:
    logical_shift = (word >> shift).bitwise_and_((1 << 64 - shift) - 1)
    return word.bitwise_xor_(logical_shift)
