"""Cuts a batch into parts whose maps a CPU's cache holds, so that memory is read once."""

import torch

from heatmap_research.types import Heatmaps, Prediction, Tensor

BYTES = 2**24  # of maps; of larger parts the system takes memory back, and page faults cost more


def in_cache(maps: Heatmaps) -> list[tuple[Tensor, ...]]:
    """A device reads its memory faster whole, and a compiler wants one graph."""
    if maps[0].device.type != "cpu" or torch.compiler.is_compiling():
        return [maps]
    instance = sum(each[:1].numel() * each.element_size() for each in maps)
    count = max(1, BYTES // max(1, instance))
    return list(zip(*(each.split(count) for each in maps), strict=True))


def joined(parts: list[dict[str, Prediction]]) -> dict[str, Prediction]:
    """Puts what decoders found in the parts of a batch together again."""
    if len(parts) == 1:
        return parts[0]
    return {name: _together([part[name] for part in parts]) for name in parts[0]}


def _together(parts: list[Prediction]) -> Prediction:
    columns = ([part.keypoints for part in parts], [part.score for part in parts])
    return Prediction(*map(torch.cat, columns))
