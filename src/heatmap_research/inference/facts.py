"""What a user of an exported network has to know, none of which a graph can say."""

from dataclasses import asdict
from typing import Any

from heatmap_research import __version__
from heatmap_research.config.job import Job
from heatmap_research.inference.loading import PADDING
from heatmap_research.training.task import KeypointTask

LAYOUTS = ("coordinates", "1-D", "2-D")  # by axes of a map


def of_job(job: Job, task: KeypointTask) -> dict[str, Any]:
    """Joints, how a crop is cut, how it was decoded."""
    cfg, schema, grid = job.config, job.schema, task.codec.grid
    padding = cfg.data.get("padding")
    return {
        "heatmap_research": __version__,
        **asdict(schema),
        "image_size": grid.image_size,  # height, width
        "channels": cfg.backbone.in_chans,
        "padding": PADDING if padding is None else float(padding),
        "geometry": {"first": grid.geometry.first, "last": grid.geometry.last},
        "layout": LAYOUTS[grid.ndim],
        "stride": grid.stride,
        "decoder": job.record["decoder"],
        "score": cfg.score,
        "flip_test": task.flip_test,
    }
