"""Blocks of memory that are used again: getting fresh ones can take longer than filling them."""

import math
import sys

import numpy as np
from jaxtyping import UInt8

MAX_BLOCKS = 8  # that are kept; with more in use at once, the oldest is given back to the system

Block = UInt8[np.ndarray, " byte"]
# References to a block that only a list and the loop over it hold.
IDLE = next(sys.getrefcount(block) for block in [np.empty(1, np.uint8)])


class Buffers:
    """Hands out bytes that nobody else holds, whether as an array, a view of it or a tensor."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []

    def take(self, *shape: int) -> UInt8[np.ndarray, "..."]:
        """Returns an array whose bytes are whatever was there before."""
        size = math.prod(shape)
        for block in self.blocks:
            if block.size >= size and sys.getrefcount(block) <= IDLE:
                return block[:size].reshape(shape)
        fresh = np.empty(size, np.uint8)
        if len(self.blocks) == MAX_BLOCKS:
            self.blocks.pop(0)
        self.blocks.append(fresh)
        return fresh.reshape(shape)

    def __reduce__(self) -> tuple[type["Buffers"], tuple[()]]:
        return Buffers, ()  # another process starts with none
