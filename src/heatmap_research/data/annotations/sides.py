"""Pairs left with right joints by their names."""

import re
from collections.abc import Iterator, Sequence

WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_a-zA-Z]+")
SIDES = (  # in a name of lower-case words, the surest rule first
    re.compile(r"\b(left|right)|(left|right)\b"),  # left_ear, ear_left, leftear and earleft
    re.compile(r"\b[lr]\b"),  # LEye, l_eye, eye_l and "L. eye"
    re.compile(r"^[lr](?=\w\w)"),  # leye and LANK
)
OTHER = {"l": "r", "r": "l"}
Mark = tuple[str, str]  # the name without its side, the first letter of the side


def mirrored(names: Sequence[str]) -> tuple[int, ...]:
    """The mirror joint of each; a joint without one is its own.

    A name speaks of a side only if its other side is there: not `bottle`, not a lone `left_ear`.
    """
    flip = list(range(len(names)))
    for side in SIDES:
        _pair(flip, [list(_marks(" ".join(words(name)), side)) for name in names])
    return tuple(flip)


def words(name: str) -> list[str]:
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
