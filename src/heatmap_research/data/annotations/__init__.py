"""COCO-format keypoint annotations, read once a process and checked to the last number."""

from heatmap_research.data.annotations.reading import read, schema_of
from heatmap_research.data.annotations.schemas import flip_of, skeleton_of
from heatmap_research.data.annotations.source import first_folder
from heatmap_research.data.annotations.table import Annotations

__all__ = ["Annotations", "first_folder", "flip_of", "read", "schema_of", "skeleton_of"]
