"""Converts MPII Human Pose (Andriluka et al., 2014), the official file or the usual JSON files.

The official file, mpii_human_pose_v1_u12_1.mat, has head boxes but no validation split; train.json
and valid.json (as of HRNet's code) have the split but no head boxes. Given both, the output has
both. Pixels count from 1 in either, and from 0 in what is written.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from heatmap_research.data.converters.coco_file import category, load, person, write
from heatmap_research.data.converters.mpii_matlab import Person, people_of

SIDES = ("right", "left")
LIMBS = (("ankle", "knee"), ("knee", "hip"), ("wrist", "elbow"), ("elbow", "shoulder"))
NAMES = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("pelvis", "thorax", "upper_neck", "head_top"),
    *("right_wrist", "right_elbow", "right_shoulder"),
    *("left_shoulder", "left_elbow", "left_wrist"),
)
CATEGORY = category(
    names=NAMES,
    skeleton=(
        *((f"{side}_{a}", f"{side}_{b}") for side in SIDES for a, b in LIMBS),
        *(("pelvis", f"{side}_hip") for side in SIDES),
        *(("thorax", f"{side}_shoulder") for side in SIDES),
        *(("pelvis", "thorax"), ("thorax", "upper_neck"), ("upper_neck", "head_top")),
    ),
    # MPII has none of its own: COCO's; pelvis as a hip, thorax, neck and head as a shoulder
    sigmas=(
        *(0.089, 0.087, 0.107, 0.107, 0.087, 0.089, 0.107, 0.079, 0.079, 0.079),
        *(0.062, 0.072, 0.079, 0.079, 0.072, 0.062),
    ),
)
BOX_SIDE = 200.0  # pixels at scale 1, the height of a person
BOX_LOWERED = 15.0  # pixels at scale 1, as by everyone since Newell et al. (2016)
HEAD_SHARE = 0.6  # of the head box's diagonal: the length PCKh measures in


def convert(source: Path, target: Path, matlab: Path | None = None) -> int:
    """Returns the number of people; head boxes, which a .json lacks, are those of the .mat."""
    everybody = people_of(source) if source.suffix == ".mat" else _of_json(source, matlab)
    published = [someone for someone in everybody if someone.points]
    numbers = _numbers([someone.image for someone in published])
    images = [{"id": number, "file_name": image} for image, number in numbers.items()]
    people = [
        person(
            *(place, numbers[someone.image], _keypoints(someone)),
            bbox=_box(someone),
            head_size=_head_size(someone),
            single_person=someone.alone,
        )
        for place, someone in enumerate(published, start=1)
    ]
    write(target, "MPII Human Pose", CATEGORY, images, people)
    return len(people)


def _of_json(source: Path, matlab: Path | None) -> Iterator[Person]:
    """joints_vis tells which joints are labelled, but not which of them are covered."""
    records = load(source, "a list of", {"image", "center", "scale", "joints", "joints_vis"})
    published = [] if matlab is None else people_of(matlab)
    known = {_key(p.image, p.center): p for p in published if p.center is not None}
    for place, record in enumerate(records):
        joints, seen = record["joints"], record["joints_vis"]
        if not len(joints) == len(seen) == len(NAMES):
            raise ValueError(
                f"{source}: person {place} of {record['image']} has {len(joints)} joints and "
                f"{len(seen)} of joints_vis, not {len(NAMES)}."
            )
        official = known.get(_key(record["image"], record["center"]))
        if matlab and official is None:
            raise ValueError(f"{source}: {matlab} has no person {place} of {record['image']}.")
        facts: Any = {"head": official.head, "alone": official.alone} if official else {}
        points, center = _labelled(joints, seen, official), tuple(record["center"])
        yield Person(record["image"], center, record["scale"], points, **facts)


def _labelled(joints: Any, seen: Any, official: Person | None) -> dict[int, Any]:
    covered = {k for k, (_, _, v) in official.points.items() if v == 1} if official else set()
    return {
        joint: (x, y, 1 if joint in covered else 2)
        for joint, ((x, y), v) in enumerate(zip(joints, seen, strict=True))
        if v > 0
    }


def _key(image: str, center: Any) -> tuple[str, int, int]:
    return image, round(center[0]), round(center[1])


def _numbers(images: list[str]) -> dict[str, int]:
    """Image ids: their names, if these are numbers, so that every file has the same ids."""
    names = list(dict.fromkeys(images))
    numbers = [int(Path(name).stem) for name in names if Path(name).stem.isdecimal()]
    if len(set(numbers)) < len(names):
        numbers = list(range(1, len(names) + 1))
    return dict(zip(names, numbers, strict=True))


def _keypoints(someone: Person) -> list[float]:
    points = (someone.points.get(joint) for joint in range(len(NAMES)))
    return [n for p in points for n in ((p[0] - 1, p[1] - 1, p[2]) if p else (0, 0, 0))]


def _box(someone: Person) -> list[float] | None:
    """None without centre or scale: a reader then takes the extent of the points."""
    if someone.center is None or someone.scale is None or someone.scale <= 0:
        return None
    side = BOX_SIDE * someone.scale
    x, y = someone.center[0] - 1, someone.center[1] - 1 + BOX_LOWERED * someone.scale
    return [x - side / 2, y - side / 2, side, side]


def _head_size(someone: Person) -> float | None:
    if someone.head is None:
        return None
    x1, y1, x2, y2 = someone.head
    return HEAD_SHARE * math.hypot(x2 - x1, y2 - y1) or None
