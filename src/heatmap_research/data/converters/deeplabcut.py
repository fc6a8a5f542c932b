"""Converts CollectedData_NAME.csv of DeepLabCut (Mathis et al., 2018), one for each video."""

from collections.abc import Sequence
from pathlib import Path

from heatmap_research.data.converters import pose_table
from heatmap_research.data.converters.coco_file import Written


def convert(sources: Sequence[Path], target: Path) -> Written:
    return pose_table.convert(sources, target, "DeepLabCut")
