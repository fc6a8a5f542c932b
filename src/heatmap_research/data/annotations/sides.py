"""Pairs left with right joints by their names."""

import re
from collections.abc import Callable, Iterator, Sequence

WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_a-zA-Z]+")
LETTERS = {"l": "left", "r": "right"}
Mark = tuple[str, str]  # the name without its side, which side


def mirrored(names: Sequence[str]) -> tuple[int, ...]:
    """The mirror joint of each; a joint without one is its own.

    A name speaks of a side only if its other side is there: not `bottle`, not a lone `left_ear`.
    """
    flip = list(range(len(names)))
    for rule in (_spelt_out, _letter, _first_letter):
        _pair(flip, [list(rule(words(name))) for name in names])
    return tuple(flip)


def words(name: str) -> list[str]:
    """Splits left_eye, leftEye or 'Left eye' into ["left", "eye"], and LEye into ["l", "eye"]."""
    return [word.lower() for word in WORDS.findall(name)]


def _pair(flip: list[int], marks: list[list[Mark]]) -> None:
    for joint, own in enumerate(marks):
        for rest, side in own:
            other = (rest, "right" if side == "left" else "left")
            free = [j for j, theirs in enumerate(marks) if other in theirs and flip[j] == j]
            if flip[joint] == joint and len(free) == 1:
                flip[joint], flip[free[0]] = free[0], joint


def _marked(name: list[str], side_of: Callable[[str], Mark | None]) -> Iterator[Mark]:
    for place, word in enumerate(name):
        if mark := side_of(word):
            yield " ".join([*name[:place], f"<{mark[0]}>", *name[place + 1 :]]), mark[1]


def _spelt_out(name: list[str]) -> Iterator[Mark]:
    """Knows left_ear, ear_left, leftear and earleft."""

    def side_of(word: str) -> Mark | None:
        for side in ("left", "right"):
            if word.startswith(side):
                return f"|{word.removeprefix(side)}", side
            if word.endswith(side):
                return f"{word.removesuffix(side)}|", side
        return None

    return _marked(name, side_of)


def _letter(name: list[str]) -> Iterator[Mark]:
    """Knows LEye, l_eye, eye_l and 'L. eye'."""
    return _marked(name, lambda word: ("", LETTERS[word]) if word in LETTERS else None)


def _first_letter(name: list[str]) -> Iterator[Mark]:
    """Knows leye and LANK."""
    if name and len(name[0]) > 2 and name[0][0] in LETTERS:
        yield " ".join([name[0][1:], *name[1:]]), LETTERS[name[0][0]]
