"""Layers and initial weights that heads and necks share."""

from torch import nn

from heatmap_research.types import IncompatibleError

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)


def start_near_zero(layer: nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d, std: float) -> None:
    """Draws small weights, so that training starts from flat maps (Xiao et al., 2018)."""
    nn.init.normal_(layer.weight, std=std)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def start_all_near_zero(head: nn.Module, std: float) -> None:
    for layer in head.modules():
        if isinstance(layer, CONVOLUTIONS):
            start_near_zero(layer, std)


def transposed(before: int, after: int) -> nn.Sequential:
    """Makes a map twice as fine (Xiao et al., 2018)."""
    return nn.Sequential(
        nn.ConvTranspose2d(before, after, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


def dense(cells: int, bins: int, rank: int | None) -> nn.Module:
    """Connects every cell with every bin, through `rank` numbers where that is given."""
    if rank is None:
        return nn.Linear(cells, bins)
    if rank < 1:
        raise IncompatibleError(f"head.rank={rank}: give at least 1, or null for a dense layer.")
    return nn.Sequential(nn.Linear(cells, rank, bias=False), nn.Linear(rank, bins))
