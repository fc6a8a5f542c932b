from heatmap_research.metrics._per_joint import PerJointMean


class Nme(PerJointMean):
    """The mean error, divided by a size."""

    higher_is_better = False
