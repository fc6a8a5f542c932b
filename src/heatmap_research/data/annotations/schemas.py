"""Reads names, mirror joints, skeleton and OKS tolerances from a category, or assumes them."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from reprlib import repr as shown  # of what is long the beginning
from typing import Any

from heatmap_research.types import Schema

log = logging.getLogger(__name__)

TENTHS = {  # as pycocotools writes them: divided by 10 they are its sigmas to the last bit
    **{"nose": 0.26, "eye": 0.25, "ear": 0.35, "shoulder": 0.79, "elbow": 0.72},
    **{"wrist": 0.62, "hip": 1.07, "knee": 0.87, "ankle": 0.89},
    **{"head": 0.79, "neck": 0.79},  # CrowdPose's; its other joints have COCO's
}
MIDDLE = ("nose", "head", "neck")
DEFAULT_SIGMA = 0.05  # of the root of the area; COCO's go from 0.025 to 0.107
LARGEST_SIGMA = 1e6
SIGMA_KEYS = ("sigmas", "keypoint_sigmas")  # the first that is there is read
WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_a-zA-Z]+")
SIDES = (  # in a name of lower-case words, the surest rule first
    re.compile(r"\b(left|right)|(left|right)\b"),  # left_ear, ear_left, leftear and earleft
    re.compile(r"\b(lft|rgt|lt|rt|links|rechts)\b"),
    re.compile(r"\b[lr]\b"),  # LEye, l_eye, eye_l and "L. eye"
    re.compile(r"^[lr](?=\w)"),  # leye, LANK and LH
    re.compile(r"\b[lr](?=\w)"),  # paw_LH, finger LIndex
    re.compile(r"(?<=\w)[lr]\b"),  # FL, HL and pawl
)
A_SIDE = re.compile(r"\b(left|right)")
OTHER = {"l": "r", "r": "l"}
Mark = tuple[str, str]  # the name without its side, the first letter of the side
Record = Mapping[str, Any]


def schema(category: Record, sigmas: Sequence[float] | None) -> Schema:
    """Builds the schema of a category; errors leave the name of the file to the caller."""
    names = category["keypoints"]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"category {category['name']}: two joints are called {twice[0]}.")
    flip, skeleton = flip_of(category), skeleton_of(category)
    found, is_known = _sigmas(category, sigmas), sigmas is not None or known(category)
    return Schema(tuple(names), flip, skeleton, found, is_known, not one_sided(category))


def flip_of(category: Record) -> tuple[int, ...]:
    """The mirror joint of each: the file's flip_pairs or flip_indices (from 0), else by names."""
    names = category["keypoints"]
    if (pairs := category.get("flip_pairs")) is not None:
        return _of_pairs(pairs, len(names))
    if (flip := category.get("flip_indices")) is not None:
        if not _whole(flip) or sorted(flip) != list(range(len(names))):
            raise ValueError(f"flip_indices={flip}: give each of 0 to {len(names) - 1} once.")
        return tuple(flip)
    return mirrored(names)


def one_sided(category: Record) -> list[str]:
    """Joints called left or right without a mirror joint, where the file does not say its pairs."""
    if any(category.get(key) is not None for key in ("flip_pairs", "flip_indices")):
        return []
    names = category["keypoints"]
    alone = [name for name, own in zip(names, mirrored(names), strict=True) if names[own] == name]
    return [name for name in alone if A_SIDE.search(" ".join(_words(name)))]


def skeleton_of(category: Record) -> tuple[tuple[int, int], ...]:
    """Counts joints from 1 as COCO does, or from 0 where a 0 occurs; a wrong one is not drawn."""
    bones, joints = category.get("skeleton") or [], len(category["keypoints"])
    if not isinstance(bones, list) or not all(_whole(bone) and len(bone) == 2 for bone in bones):
        log.warning("The skeleton is not made of pairs of joints, so none is drawn.")
        return ()
    first = 0 if any(0 in bone for bone in bones) else 1
    if any(not first <= joint < joints + first for bone in bones for joint in bone):
        log.warning("The skeleton names joints beyond the %d there are, so none is drawn.", joints)
        return ()
    return tuple((a - first, b - first) for a, b in bones)


def _of_pairs(pairs: Any, joints: int) -> tuple[int, ...]:
    flip = list(range(joints))
    for pair in pairs if isinstance(pairs, list) else [pairs]:
        if not are_joints(pair, range(joints)):
            raise ValueError(f"flip_pairs has {pair}: give pairs of joints, 0 to {joints - 1}.")
        if any(flip[joint] != joint for joint in pair):
            raise ValueError(f"flip_pairs has {pair}, but one of them is paired already.")
        flip[pair[0]], flip[pair[1]] = pair[1], pair[0]
    return tuple(flip)


def _sigmas(category: Record, asked: Sequence[float] | None) -> tuple[float, ...]:
    joints = len(category["keypoints"])
    key = sigma_key(category) if asked is None else "sigmas"
    if key is None:
        return _by_name(category["keypoints"]) or (DEFAULT_SIGMA,) * joints
    values: Any = category[key] if asked is None else asked
    if not isinstance(values, Sequence) or len(values) != joints:
        count = f"{len(values)} values" if isinstance(values, Sequence) else repr(values)
        raise ValueError(f"{key}: {count} for {joints} joints; give one OKS tolerance each.")
    if bad := [sigma for sigma in values if not is_sigma(sigma)]:
        raise ValueError(
            f"{key} has {shown(bad[0])}: give numbers above 0 and up to {LARGEST_SIGMA:g}."
        )
    return tuple(float(sigma) for sigma in values)


def is_sigma(value: Any) -> bool:
    """Whether it is an OKS tolerance, whose square is a number too."""
    return isinstance(value, int | float) and 1 / LARGEST_SIGMA <= value <= LARGEST_SIGMA


def sigma_key(category: Record) -> str | None:
    """Where the file itself gives OKS tolerances."""
    return next((key for key in SIGMA_KEYS if category.get(key) is not None), None)


def known(category: Record) -> bool:
    """Whether OKS tolerances follow from the file."""
    return sigma_key(category) is not None or _by_name(category["keypoints"]) is not None


def _by_name(names: Sequence[str]) -> tuple[float, ...] | None:
    """COCO's tolerances, if each joint is one of COCO's or CrowdPose's."""
    table = {
        f"{side}{kind}": tenths / 10
        for kind, tenths in TENTHS.items()
        for side in ([""] if kind in MIDDLE else ["left ", "right "])
    }
    sigmas = [table.get(" ".join(_words(name))) for name in names]
    return None if None in sigmas else tuple(sigma for sigma in sigmas if sigma is not None)


def are_joints(pair: Any, allowed: range) -> bool:
    return _whole(pair) and len(pair) == 2 and all(joint in allowed for joint in pair)


def _whole(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int for value in values)


def mirrored(names: Sequence[str]) -> tuple[int, ...]:
    """A name has a side only if the other side is there: not `bottle`, not a lone `left_ear`."""
    flip = list(range(len(names)))
    for side in SIDES:
        _pair(flip, [list(_marks(" ".join(_words(name)), side)) for name in names])
    return tuple(flip)


def _words(name: str) -> list[str]:
    """Splits left_eye, leftEye or 'Left eye' into ["left", "eye"], and LEye into ["l", "eye"]."""
    return [word.lower() for word in WORDS.findall(name)]


def _pair(flip: list[int], marks: list[list[Mark]]) -> None:
    for joint, own in enumerate(marks):
        for rest, side in own:
            free = [j for j, its in enumerate(marks) if (rest, OTHER[side]) in its and flip[j] == j]
            if flip[joint] == joint and len(free) == 1:
                flip[joint], flip[free[0]] = free[0], joint


def _marks(name: str, side: re.Pattern[str]) -> Iterator[Mark]:
    for place in side.finditer(name):
        yield f"{name[: place.start()]}|{name[place.end() :]}", place[0][0]
