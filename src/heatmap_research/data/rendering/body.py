"""The figure that is drawn: its joints, how they move, and the limbs between them."""

import torch
from jaxtyping import Float
from torch import Tensor

from heatmap_research.types import Schema

NAMES = (
    *("head", "left_shoulder", "left_elbow", "left_wrist"),
    *("right_shoulder", "right_elbow", "right_wrist", "left_hip", "left_knee", "left_ankle"),
    *("right_hip", "right_knee", "right_ankle"),
)
FLIP = (0, 4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9)
ARMS_AND_LEGS = ((1, 2), (2, 3), (4, 5), (5, 6), (7, 8), (8, 9), (10, 11), (11, 12))
SKELETON = ((0, 1), (0, 4), (1, 4), (1, 7), (4, 10), (7, 10), *ARMS_AND_LEGS)
SCHEMA = Schema(NAMES, FLIP, SKELETON, sigmas=(0.05,) * len(NAMES))

SIDES = {"left": 1.0, "right": -1.0}
RANGES = {  # drawn uniformly: lengths in torsos, angles in degrees
    "lean": (-45.0, 45.0),
    "torso": (0.85, 1.15),
    "half_shoulders": (0.255, 0.345),
    "half_hips": (0.17, 0.23),
    "neck": (0.357, 0.483),
    "tilt": (-25.0, 25.0),
    **{f"{side}_arm": (-20.0, 150.0) for side in SIDES},
    **{f"{side}_elbow": (0.0, 130.0) for side in SIDES},
    **{f"{side}_leg": (-10.0, 70.0) for side in SIDES},
    **{f"{side}_knee": (-100.0, 0.0) for side in SIDES},
}
Joints = Float[Tensor, "batch 13 2"]
Scalar = Float[Tensor, " batch"]
ARM = (0.52, 0.48)  # upper and lower length, torsos
LEG = (0.62, 0.60)


TORSO, LEFT_ARM, RIGHT_ARM, LEFT_LEG, RIGHT_LEG, HEAD = range(6)
PALETTE = (  # of these parts
    *((0.45, 0.45, 0.45), (0.20, 0.50, 0.95), (0.95, 0.35, 0.20)),
    *((0.10, 0.25, 0.60), (0.60, 0.15, 0.10), (0.90, 0.70, 0.50)),
)
# the parts whose colours they take where sides are not to be told apart
WITHOUT_SIDES = (TORSO, LEFT_ARM, LEFT_ARM, LEFT_LEG, LEFT_LEG, HEAD)
MIDDLE_OF_SHOULDERS, MIDDLE_OF_HIPS = 13, 14
LIMBS = (  # from back to front: two rows of `with_middles`, half width as below, row of PALETTE
    (MIDDLE_OF_SHOULDERS, MIDDLE_OF_HIPS, 1.9, TORSO),
    (1, 4, 1.0, TORSO),
    (7, 10, 1.0, TORSO),
    (MIDDLE_OF_SHOULDERS, 0, 0.8, TORSO),
    (10, 11, 1.2, RIGHT_LEG),
    (11, 12, 1.0, RIGHT_LEG),
    (7, 8, 1.2, LEFT_LEG),
    (8, 9, 1.0, LEFT_LEG),
    (4, 5, 1.1, RIGHT_ARM),
    (5, 6, 0.9, RIGHT_ARM),
    (1, 2, 1.1, LEFT_ARM),
    (2, 3, 0.9, LEFT_ARM),
)
HEAD_RADIUS = 2.6  # this and other widths are in pixels of a 64-pixel image
MARKER_RADIUS = 1.5


def pose(draws: Float[Tensor, "batch ranges"]) -> Joints:
    """Places the joints from one uniform draw for each range.

    The unit is the length of a torso, y points down, the origin is the middle of the hips.
    """
    low, high = draws.new_tensor(list(RANGES.values())).unbind(-1)
    body = dict(zip(RANGES, (low + (high - low) * draws).unbind(-1), strict=True))
    neck = _downwards(body["lean"], -body["torso"])
    head = neck + _downwards(body["lean"] + body["tilt"], -body["neck"])
    joints = {"head": head}
    for side, sign in SIDES.items():
        shoulder = neck + _downwards(body["lean"] + 90, sign * body["half_shoulders"])
        hip = _downwards(body["lean"] + 90, sign * body["half_hips"])
        for root, words, lengths in (
            (shoulder, ("shoulder", "arm", "elbow", "wrist"), ARM),
            (hip, ("hip", "leg", "knee", "ankle"), LEG),
        ):
            first, swing, middle, last = (f"{side}_{word}" for word in words)
            upper = body["lean"] + sign * body[swing]
            bend = root + _downwards(upper, lengths[0])
            end = bend + _downwards(upper + sign * body[middle], lengths[1])
            joints |= {first: root, middle: bend, last: end}
    return torch.stack([joints[name] for name in NAMES], dim=1)


def _downwards(degrees: Scalar, length: Scalar | float) -> Float[Tensor, "batch 2"]:
    angle = torch.deg2rad(degrees)
    return torch.stack([length * angle.sin(), length * angle.cos()], dim=-1)


def with_middles(joints: Joints) -> Float[Tensor, "batch 15 2"]:
    shoulders, hips = (joints[:, i] + joints[:, FLIP[i]] for i in (1, 7))
    return torch.cat([joints, torch.stack([shoulders, hips], dim=1) / 2], dim=1)
