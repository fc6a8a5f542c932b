"""Refuses constants that the decoders of published code cannot work with."""


def check_kernel(option: str, size: int) -> None:
    if size < 3 or size % 2 == 0:
        raise ValueError(f"{option}={size}: a kernel has an odd number of bins, at least 3.")


def check_range(option: str, low: float, high: float) -> None:
    if not 0 < low < high:
        raise ValueError(f"{option}={low:g}: choose from 0 to high.")
