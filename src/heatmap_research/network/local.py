import math

from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn.functional import pad

from heatmap_research.types import IncompatibleError, Level


class Local(nn.Module):
    """A plain stack of convolutions, each of whose cells sees `field` x `field` input pixels.

    Only batch norm sees more, and only in training: its statistics are of the whole batch.
    """

    def __init__(
        self,
        field: int,  # input pixels
        stride: int,  # input pixels per cell
        depth: int,  # layers at that stride: as many 3x3 as the field takes, the others 1x1
        channels: int,
        in_chans: int,
    ) -> None:
        super().__init__()
        halvings = _halvings(stride)
        fields = range(2 * stride - 1, 2 * stride * (depth + 1), 2 * stride)
        if field not in fields:
            raise IncompatibleError(
                f"backbone.field={field}: with backbone.stride={stride} and "
                f"backbone.depth={depth} a cell can see {', '.join(map(str, fields))} pixels: "
                "choose one of those, another stride or a greater depth."
            )
        wide = fields.index(field)
        shapes = [(3, 2)] * halvings + [(3, 1)] * wide + [(1, 1)] * (depth - wide)
        widths = [in_chans] + [channels] * len(shapes)
        self.layers = nn.Sequential(*map(_layer, widths[:-1], widths[1:], shapes))
        self.levels = (Level(channels, stride),)
        self.field = field

    def forward(
        self,
        image: UInt8[Tensor, "batch channel height width"]
        | Float[Tensor, "batch channel height width"],  # also 0 to 255
    ) -> list[Tensor]:
        return [self.layers(pad((image / 255 - 0.5) * 4, self._border(*image.shape[2:])))]

    def _border(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Pixels left, right, above and below, with which fields lie around their cells' middles.

        An odd field around an even cell lies half a pixel to the right, or below.
        """
        stride = self.levels[0].stride
        before = (self.field - stride) // 2
        right, below = (self.field - stride - before + -side % stride for side in (width, height))
        return before, right, before, below


def _halvings(stride: int) -> int:
    halvings = math.log2(stride) if stride > 0 else -1.0
    if halvings < 0 or not halvings.is_integer():
        raise IncompatibleError(f"backbone.stride={stride}: choose 1, 2, 4, 8 or so on.")
    return int(halvings)


def _layer(before: int, after: int, shape: tuple[int, int]) -> nn.Sequential:
    kernel, step = shape
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, step, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )
