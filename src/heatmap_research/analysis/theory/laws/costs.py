"""How many numbers each layout computes for one keypoint; image sizes are height, width."""

import math


def map_elements(image_size: tuple[int, int], stride: float) -> float:
    """The number of bins in a map whose bins are `stride` pixels wide."""
    return math.prod(image_size) / stride**2


def vector_elements(image_size: tuple[int, int], density: float) -> float:
    """The number of bins in a pair of vectors that have `density` bins a pixel."""
    return density * sum(image_size)
