"""COCO's average precision of keypoints, for all images and thresholds at once.

The rules are those of pycocotools, ties included: equal scores are in the order of their images'
numbers, then as they came in.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from heatmap_research.metrics import oks

THRESHOLDS = np.linspace(0.5, 0.95, 10)  # of OKS
RECALLS = np.linspace(0.0, 1.0, 101)
AREAS = {"": (0.0, 1e10), "_medium": (32.0**2, 96.0**2), "_large": (96.0**2, 1e10)}  # square pixels
MAX_DETECTIONS = 20  # of an image that count
PAIRS_IN_CACHE = 4096  # compared at a time
OFFICIAL = (
    *("AP", "AP50", "AP75", "AP_medium", "AP_large"),
    *("AR", "AR50", "AR75", "AR_medium", "AR_large"),
)

Numbers = Int[np.ndarray, " person"]
PerPerson = Float[np.ndarray, " person"]
PerFound = Int[np.ndarray, " found"]
PerPair = Int[np.ndarray, " pair"]
LeftOut = Bool[np.ndarray, "area person"]
Marks = Bool[np.ndarray, "area threshold found"]
PerLevel = Bool[np.ndarray, "image area threshold"]
Precision = Float[np.ndarray, "area threshold recall"]
Recall = Float[np.ndarray, "area threshold"]


class People(NamedTuple):
    """The true people. Crowds and people without labelled joints are neither found nor missed."""

    image: Numbers
    keypoints: Float[np.ndarray, "person joint 3"]  # x, y in source pixels, v
    areas: PerPerson
    boxes: Float[np.ndarray, "person 4"]  # x, y of the corner, width, height
    crowd: Bool[np.ndarray, " person"]

    @property
    def counted(self) -> Bool[np.ndarray, " person"]:
        return ~self.crowd & (self.keypoints[..., 2] > 0).any(-1)

    def rows(self, index: np.ndarray) -> "People":
        return People(*(column[index] for column in self))


class Found(NamedTuple):
    """The detected people."""

    image: Numbers
    keypoints: Float[np.ndarray, "person joint 2"]  # x, y in source pixels
    scores: PerPerson

    @property
    def areas(self) -> PerPerson:
        """Areas of the boxes around all joints, as pycocotools has them for results without any."""
        width, height = np.ptp(self.keypoints, axis=1).T
        return width * height

    def rows(self, index: np.ndarray) -> "Found":
        return Found(*(column[index] for column in self))

    def results(self, category: int) -> list[dict[str, Any]]:
        """The people as COCO's files of results have them."""
        marked = np.pad(self.keypoints, ((0, 0), (0, 0), (0, 1)), constant_values=1)
        columns = (self.image, marked.reshape(len(marked), 3 * marked.shape[1]), self.scores)
        return [
            {"image_id": image, "category_id": category, "keypoints": points, "score": score}
            for image, points, score in zip(*(c.tolist() for c in columns), strict=True)
        ]


class Likeness(NamedTuple):
    """The OKS of each detection with the people of its image, who are next to each other."""

    first: PerFound  # of these people
    many: PerFound
    start: PerFound  # of their values
    values: Float[np.ndarray, " pair"]

    def of(self, found: PerFound) -> "Likeness":
        return Likeness(self.first[found], self.many[found], self.start[found], self.values)


class Matches(NamedTuple):
    """Which detections, best first, are matched to a person, and which do not count."""

    image: PerFound
    right: Marks
    ignored: Marks
    wanted: Int[np.ndarray, " area"]  # how many there are to be found


def evaluate(
    people: People, found: Found, sigmas: oks.Sigmas, alike: Likeness | None = None
) -> dict[str, float]:
    """The ten official figures and AP at an OKS of .95; nan where there is nobody to find.

    Likeness takes longest: who has it already gives it, for people in the order of their images.
    """
    matches = match(people, found, sigmas, alike)
    return summary(*_curves(matches.right, matches.ignored, matches.wanted))


def of_all_sizes(people: People, found: Found, sigmas: oks.Sigmas, alike: Likeness) -> float:
    """The first of these figures alone, which takes no people of some sizes apart."""
    matches = match(people, found, sigmas, alike, 1)
    precision, _ = _curves(matches.right, matches.ignored, matches.wanted)
    return float(precision.mean())


def match(
    people: People,
    found: Found,
    sigmas: oks.Sigmas,
    alike: Likeness | None = None,
    areas: int = len(AREAS),
) -> Matches:
    """For the first so many of AREAS."""
    people = in_order(people)
    order, rank = _ranked(found)
    found = found.rows(order)
    alike = compared(people, found, sigmas) if alike is None else alike.of(order)
    left_out = ~people.counted | _outside(people.areas)[:areas]
    right, ignored = _matched(people, rank, left_out, alike)
    ignored |= ~right & _outside(found.areas)[:areas, None]
    order = oks.best_first(found.scores)
    wanted = (~left_out).sum(-1)
    return Matches(found.image[order], right[..., order], ignored[..., order], wanted)


def in_order(people: People) -> People:
    """People by the numbers of their images."""
    return people.rows(np.argsort(people.image, kind="stable"))


def true_oks(
    people: People, found: Found, sigmas: oks.Sigmas, alike: Likeness | None = None
) -> PerPerson:
    """The best score of each detection: its OKS with the likest person of its image who counts."""
    people = in_order(people)
    alike = compared(people, found, sigmas) if alike is None else alike
    _found, persons = _pairs(np.arange(len(alike.many)), alike.first, alike.many)
    values = np.where(people.counted[persons], alike.values, 0.0)
    best, some = np.zeros(len(alike.many)), alike.many > 0
    if some.any():
        best[some] = np.maximum.reduceat(values, alike.start[some])
    return best


def summary(precision: Precision, recall: Recall) -> dict[str, float]:
    figures = {}
    for name, values in (("AP", precision), ("AR", recall)):
        for area, of_area in zip(AREAS, values, strict=True):
            figures[f"{name}{area}"] = float(of_area.mean())
        for percent, row in ((50, 0), (75, 5)):
            figures[f"{name}{percent}"] = float(values[0, row].mean())
    return {name: figures[name] for name in OFFICIAL} | {"AP95": float(precision[0, -1].mean())}


def _ranked(found: Found) -> tuple[PerFound, PerFound]:
    """Detections by image and score, without those beyond MAX_DETECTIONS, and their ranks."""
    order = np.lexsort((-found.scores, found.image))
    image = found.image[order]
    rank = np.arange(len(image)) - np.searchsorted(image, image)
    return order[rank < MAX_DETECTIONS], rank[rank < MAX_DETECTIONS]


def _matched(
    people: People, rank: PerFound, left_out: LeftOut, alike: Likeness
) -> tuple[Marks, Marks]:
    """Which detections are matched to a person, and which of them to a person who is left out.

    The best detection takes the likest person still free, and one who counts before any who is left
    out; then the next does. Images with equally many people are done together, rank by rank.
    """
    right = np.zeros((len(rank), len(left_out), len(THRESHOLDS)), dtype=bool)
    ignored = np.zeros_like(right)
    taken = np.zeros((len(people.image), len(left_out), len(THRESHOLDS)), dtype=bool)
    for many in np.unique(alike.many[alike.many > 0]):
        rows = np.flatnonzero(alike.many == many)
        persons = alike.first[rows, None] + np.arange(many)
        values = alike.values[alike.start[rows, None] + np.arange(many)]
        for place in range(rank[rows].max() + 1):
            now = rank[rows] == place
            who, similar = persons[now], values[now][:, None, None]
            out = left_out[:, who].transpose(1, 0, 2)[:, :, None]  # (image, area, 1, person)
            free = ~taken[who].transpose(0, 2, 3, 1) | people.crowd[who][:, None, None]
            hit, likest, ignored[rows[now]] = _taken(similar, free, out)
            image, area, threshold = np.nonzero(hit)
            taken[who[image, likest[hit]], area, threshold] = True
            right[rows[now]] = hit
    return right.transpose(1, 2, 0), ignored.transpose(1, 2, 0)


def _taken(
    similar: Float[np.ndarray, "image 1 1 person"],
    free: Bool[np.ndarray, "image area threshold person"],
    out: Bool[np.ndarray, "image area 1 person"],
) -> tuple[PerLevel, Int[np.ndarray, "image area threshold"], PerLevel]:
    """Whether a detection of each image takes a person, which, and whether that one is left out."""
    able = free & (similar >= THRESHOLDS[:, None])
    counting = able & ~out
    counts = counting.any(-1)
    among = np.where(counts[..., None], counting, able)
    last = similar.shape[-1] - 1
    likest = last - np.where(among, similar, -1.0)[..., ::-1].argmax(-1)  # the last of ties
    hit = np.asarray(among.any(-1))
    return hit, likest, hit & ~counts


def _curves(
    right: Marks, ignored: Marks, wanted: Int[np.ndarray, " area"]
) -> tuple[Precision, Recall]:
    """Precision at each recall, and the greatest recall; nan for areas that nobody has."""
    precision = np.zeros((*right.shape[:2], len(RECALLS)))
    recall = np.zeros(right.shape[:2])
    if right.shape[-1]:
        hits = np.cumsum(right & ~ignored, axis=-1, dtype=np.float64)
        falls = np.cumsum(~right & ~ignored, axis=-1, dtype=np.float64)
        share = hits / (falls + hits + np.spacing(1))
        highest = np.maximum.accumulate(share[..., ::-1], axis=-1)[..., ::-1]
        for area, threshold in np.ndindex(*recall.shape):
            reached = hits[area, threshold] / np.maximum(wanted[area], 1)
            place = np.searchsorted(reached, RECALLS, side="left")
            inside = place < len(reached)
            precision[area, threshold, inside] = highest[area, threshold, place[inside]]
            recall[area, threshold] = reached[-1]
    precision[wanted == 0], recall[wanted == 0] = np.nan, np.nan
    return precision, recall


def compared(people: People, found: Found, sigmas: oks.Sigmas) -> Likeness:
    """Each detection with every person of its image; `people` are in the order of their images."""
    first = np.searchsorted(people.image, found.image, side="left")
    count = np.searchsorted(people.image, found.image, side="right") - first
    pairs, persons = _pairs(np.arange(len(first)), first, count)
    values = _alike(people, found, pairs, persons, sigmas)
    return Likeness(first, count, np.cumsum(count) - count, values)


def _pairs(rows: PerFound, first: PerFound, count: PerFound) -> tuple[PerPair, PerPair]:
    """Each of these detections paired with every person of its image: `count` from `first` on."""
    place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(rows, count), np.repeat(first, count) + place


def _alike(
    people: People, found: Found, pairs: PerPair, persons: PerPair, sigmas: oks.Sigmas
) -> Float[np.ndarray, " pair"]:
    alike = np.empty(len(pairs))
    for start in range(0, len(pairs), PAIRS_IN_CACHE):
        block = slice(start, start + PAIRS_IN_CACHE)
        poses, they = found.keypoints[pairs[block]], people.rows(persons[block])
        alike[block] = oks.to_truth(poses, they.keypoints, they.areas, they.boxes, sigmas)
    return alike


def _outside(areas: PerPerson) -> LeftOut:
    least, most = np.transpose(list(AREAS.values()))[..., None]
    return (areas < least) | (areas > most)
