from torch import nn


def start_near_zero(layer: nn.Conv2d | nn.ConvTranspose2d, std: float) -> None:
    """A map that begins flat, so that no joint is anywhere yet (Xiao et al., 2018)."""
    nn.init.normal_(layer.weight, std=std)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
