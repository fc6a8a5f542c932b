"""Converts CollectedData.csv of Lightning Pose (Biderman et al., 2024), one for each view."""

from collections.abc import Sequence
from pathlib import Path

from heatmap_research.data.converters import pose_table
from heatmap_research.data.converters.coco_file import Written


def convert(sources: Sequence[Path], target: Path) -> Written:
    return pose_table.convert(sources, target, "Lightning Pose")
