"""Every pose compared with every truth, as the references do it."""

import numpy as np

from heatmap_research.metrics import oks


def similarities(poses, truths, areas, boxes, sigmas) -> np.ndarray:
    """OKS, a row for each pose and a column for each truth."""
    pose, truth = (axis.ravel() for axis in np.indices((len(poses), len(truths))))
    pairs = (poses[pose], truths[truth], areas[truth], boxes[truth])
    return oks.to_truth(*pairs, sigmas).reshape(len(poses), len(truths))
