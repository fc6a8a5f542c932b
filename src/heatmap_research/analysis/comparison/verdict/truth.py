"""The true joints that runs were measured by: two that are compared must have the same."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from heatmap_research.metrics.average_precision import People

COLUMNS = ("instance", "joint", "visible", "x_true_source", "y_true_source")
MAX_SOURCE = 0.01  # pixels: single precision, a few thousand pixels from the corner
MAX_CROP = 1.0  # pixels: geometries that agree on the crop place its pixels so far apart

Places = Float[np.ndarray, "row 2"]


@dataclass(frozen=True, eq=False)
class TrueJoints:
    """A row for each joint, in the order of people and joints."""

    who: Int[np.ndarray, "2 row"]  # person, joint
    visible: Int[np.ndarray, " row"]
    source: Places
    scale: Float[np.ndarray, " row"] | None = None  # where OKS is measured
    crop: Places | None = None  # where pixels of the crop are

    def less(self, other: "TrueJoints") -> str | None:
        """What differs between the two, in words."""
        if not np.array_equal(self.who, other.who):
            return "they are of other people or joints"
        if unlike := int((self.visible != other.visible).sum()):
            return f"{unlike} of {len(self.visible)} joints differ in whether they are visible"
        labelled = self.visible > 0
        if far := _apart(self.source, other.source, labelled, MAX_SOURCE):
            return f"true joints are up to {far:.3g} px of the image apart"
        if far := _apart(self.crop, other.crop, labelled, MAX_CROP):
            return (
                f"their crops differ (true joints are up to {far:.3g} px apart), so that a pixel "
                "is not the same in both; mean_oks and AP do not depend on crops"
            )
        if _apart(self.scale, other.scale, labelled, MAX_SOURCE):
            return "people's sizes, by which OKS is measured, differ"
        return None


def of_rows(columns: Mapping[str, np.ndarray]) -> TrueJoints:
    """The joints of predictions, from the columns that a metric reads; COLUMNS are among them."""
    order = np.lexsort((columns["joint"], columns["instance"]))
    rows = {name: column[order] for name, column in columns.items()}
    who = np.stack([rows["instance"], rows["joint"]])
    source = np.stack([rows["x_true_source"], rows["y_true_source"]], -1)
    crop = np.stack([rows["x_true"], rows["y_true"]], -1) if "x_true" in rows else None
    return TrueJoints(who, rows["visible"], source, rows.get("scale"), crop)


def of_digest(digest: str) -> TrueJoints:
    """Joints of which only a hash is kept: the same as others of the same hash, else other ones."""
    letters = np.frombuffer(digest.encode(), np.uint8).astype(np.int64)
    nowhere = np.zeros((len(letters), 2))
    return TrueJoints(np.stack([letters, letters]), np.zeros(len(letters), np.int64), nowhere)


def of_people(people: People) -> TrueJoints:
    """The joints of annotated people, who go by the number of their image."""
    number, joints, _ = people.keypoints.shape
    points = people.keypoints.reshape(-1, 3)
    who = np.stack([np.repeat(people.image, joints), np.tile(np.arange(joints), number)])
    scales = np.repeat(people.areas**0.5, joints)
    return TrueJoints(who, points[:, 2].astype(np.int64), points[:, :2], scales)


def _apart(
    one: np.ndarray | None, other: np.ndarray | None, labelled: np.ndarray, tolerance: float
) -> float:
    """The greatest difference, or 0 if it is no more than the tolerance."""
    if one is None or other is None:
        return 0.0
    far = float(np.abs(one[labelled] - other[labelled]).max(initial=0))
    return 0.0 if far <= tolerance else far
