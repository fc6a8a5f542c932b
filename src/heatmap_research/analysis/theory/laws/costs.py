"""How many numbers each layout computes, keeps and learns; image sizes are height, width.

`density` is the bins per pixel of a vector, `stride` the pixels per bin of a map.
"""

import math


def map_elements(image_size: tuple[int, int], stride: float) -> float:
    """To look through for one keypoint."""
    return math.prod(image_size) / stride**2


def vector_elements(image_size: tuple[int, int], density: float) -> float:
    return density * sum(image_size)


def even_density(image_size: tuple[int, int], stride: float) -> float:
    """Bins per pixel from which a pair of vectors has more elements than a map of this stride."""
    return map_elements(image_size, stride) / sum(image_size)


def vector_head_parameters(
    image_size: tuple[int, int], stride: float, density: float, channels: int = 1
) -> float:
    """Of two linear layers for all joints, from features of this stride (Li et al., 2022)."""
    inputs = channels * map_elements(image_size, stride)
    return vector_elements(image_size, density) * (inputs + 1)


def vector_head_products(
    image_size: tuple[int, int], stride: float, density: float, joints: int
) -> float:
    """Multiplications of those layers, for one channel of features per joint."""
    inputs = map_elements(image_size, stride)
    return joints * vector_elements(image_size, density) * inputs


def map_head_products(
    image_size: tuple[int, int], stride: float, joints: int, channels: int
) -> float:
    """Multiplications of a 1x1 convolution."""
    return joints * channels * map_elements(image_size, stride)


def output_bytes(elements: float, joints: int) -> float:
    """In single precision."""
    return 4 * elements * joints
