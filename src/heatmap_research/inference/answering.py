"""A trained network and its decoder as one function of a crop."""

from torch import nn

from heatmap_research.codec import covariance
from heatmap_research.training.task import Images, KeypointTask
from heatmap_research.types import Tensor

MAPS = (("coordinates", "spread"), ("map_y", "map_x"), ("map",))  # by axes of a map


class Answering(nn.Module):
    """Takes crops as bytes and returns what is found in them, by name; crop pixels throughout.

    There is no covariance where a head answers with coordinates alone; others stand for widths
    that are `widening` times those of the maps.
    """

    def __init__(self, task: KeypointTask, maps: bool, widening: float = 1.0) -> None:
        super().__init__()
        self.task, self.maps, self.widening = task, maps, widening

    def forward(self, image: Images) -> dict[str, Tensor]:
        codec = self.task.codec
        activated = self.task.activated(image)
        (found,) = codec.decode(activated).values()
        answer = {"keypoints": found.keypoints, "scores": found.score}
        if (spread := covariance.of_answer(codec.grid, activated)) is not None:
            answer["covariance"] = spread * self.widening**2
        if self.maps:
            answer |= zip(MAPS[codec.grid.ndim], activated, strict=False)
        return answer
