"""Converts the JSON of AI Challenger's human keypoints (Wu et al., 2017) to COCO's format."""

from pathlib import Path
from typing import Any

from heatmap_research.data.converters.coco_file import Record, category, load, person, write

SIDES = ("right", "left")
NAMES = (
    *(f"{side}_{joint}" for side in SIDES for joint in ("shoulder", "elbow", "wrist")),
    *(f"{side}_{joint}" for side in SIDES for joint in ("hip", "knee", "ankle")),
    *("head_top", "neck"),
)
LIMBS = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
CATEGORY = category(
    names=NAMES,
    skeleton=(
        *((f"{side}_{a}", f"{side}_{b}") for side in SIDES for a, b in LIMBS),
        *((f"{side}_shoulder", f"{side}_hip") for side in SIDES),
        *(("neck", f"{side}_shoulder") for side in SIDES),
        ("head_top", "neck"),
    ),
    sigmas=(  # the official evaluation's: half of its `delta`
        *(0.01388152, 0.01515228, 0.01057665, 0.01417709, 0.01497891, 0.01402144),
        *(0.03909642, 0.03686941, 0.01981803, 0.03843971, 0.03412318, 0.02415081),
        *(0.01291456, 0.01236173),
    ),
)
VISIBILITY = {1: 2, 2: 1, 3: 0}  # from theirs, 1 visible, 2 covered, 3 not labelled, to COCO's


def convert(source: Path, target: Path) -> int:
    """Returns the number of people. Their areas are the boxes', as in the official evaluation."""
    images: list[Record] = []
    people: list[Record] = []
    needed = {"image_id", "keypoint_annotations", "human_annotations"}
    records = load(source, "AI Challenger's format, a list of", needed)
    for number, record in enumerate(records, start=1):
        images.append({"id": number, "file_name": f"{record['image_id']}.jpg"})
        for human, points in record["keypoint_annotations"].items():
            where = f"{source}: image {record['image_id']}, {human}"
            box = _box(record, human, where)
            facts = {"bbox": box, "area": box[2] * box[3]}
            people.append(person(len(people) + 1, number, _keypoints(points, where), **facts))
    write(target, "AI Challenger human keypoints", CATEGORY, images, people)
    return len(people)


def _box(record: Record, human: str, where: str) -> list[float]:
    """Left, top, width and height of a box whose corners come in either order."""
    box = record["human_annotations"].get(human)
    if not isinstance(box, list) or len(box) != 4:
        raise ValueError(f"{where}: its box is {box}, not four numbers.")
    a, b, c, d = box
    return [min(a, c), min(b, d), abs(c - a), abs(d - b)]


def _keypoints(points: list[Any], where: str) -> list[float]:
    if len(points) != 3 * len(NAMES):
        raise ValueError(f"{where}: {len(points)} numbers, not {3 * len(NAMES)}.")
    if strange := set(points[2::3]) - set(VISIBILITY):
        raise ValueError(f"{where}: visibility {strange.pop()}, not 1, 2 or 3.")
    triples = zip(points[::3], points[1::3], (VISIBILITY[v] for v in points[2::3]), strict=True)
    return [number for x, y, v in triples for number in ((x, y, v) if v else (0, 0, 0))]
