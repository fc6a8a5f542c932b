"""The weights of a factor's levels, from words such as `simcc - ce_2d` or `per doubling`."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from heatmap_research.analysis.comparison.contrast.factors import (
    Factors,
    level,
    number,
    without_brackets,
)

Spec = str | float | Sequence[int] | Mapping[str, float]  # a list is a level, such as a size
SLOPE = re.compile(r"per (doubling|\d*\.?\d+)")
OfLevels = Float[np.ndarray, " level"]


class NoRunsError(ValueError):
    """A cell that counts has no runs."""


def refuse_unreadable(specs: Mapping[str, Spec]) -> None:
    """Refuses words that stand for no levels, before there are runs to look for them."""
    for factor, spec in specs.items():
        words = str(spec).split()
        slope = words[:1] == ["per"]
        if not words or words[-1] in ("+", "-") or (slope and not SLOPE.fullmatch(str(spec))):
            raise ValueError(
                f"question: {factor}: {str(spec) or 'nothing'} cannot be read: give a level, "
                "LEVEL - LEVEL, per doubling, or per NUMBER."
            )


def weights(spec: Spec, factor: str, levels: Sequence[str]) -> OfLevels:
    """Means of what is added less means of what is taken away; a slope; or weights as given."""
    if isinstance(spec, Mapping):
        return _placed({level(name): float(w) for name, w in spec.items()}, factor, levels)
    words = without_brackets(str(spec))
    if slope := SLOPE.fullmatch(words):
        return _slope(slope[1], factor, levels)
    signed: dict[str, float] = {}
    sign = 1
    for word in words.split():
        if word in ("+", "-"):
            sign = 1 if word == "+" else -1
        else:
            signed[word] = sign
    values = list(signed.values())
    shares = {word: sign / values.count(sign) for word, sign in signed.items()}
    return _placed(shares, factor, levels)


def product(specs: Mapping[str, Spec], factors: Factors) -> Float[np.ndarray, "*level"]:
    """The weights of cells: products of their levels' weights.

    Of factors that are not named, each combination that has all cells that count weighs alike.
    """
    axes = list(factors.levels)
    named = np.ones(())
    for name in axes:
        given = name in specs
        own = weights(specs[name], name, factors.levels[name]) if given else np.ones(1)
        named = np.multiply.outer(named, own)
    counting = np.broadcast_to(named != 0, factors.shape)
    others = tuple(place for place, name in enumerate(axes) if name not in specs)
    inner = tuple(place for place, name in enumerate(axes) if name in specs)
    whole = (factors.there() | ~counting).all(inner, keepdims=True)
    if not whole.any():
        lost = np.argwhere(counting & ~factors.there())[0].tolist()
        raise NoRunsError(f"question: there are no runs of {factors.name(tuple(lost))}.")
    return named * (whole / whole.sum(others, keepdims=True))


def _placed(given: Mapping[str, float], factor: str, levels: Sequence[str]) -> OfLevels:
    placed = np.zeros(len(levels))
    for word, weight in given.items():
        placed[_place(word, factor, levels)] = weight
    return placed


def _place(word: str, factor: str, levels: Sequence[str]) -> int:
    if word in levels:
        return levels.index(word)
    places = [place for place, known in enumerate(levels) if _same_number(known, word)]
    if len(places) == 1:
        return places[0]
    if places:
        known = " and ".join(f"[{levels[place]}]" for place in places)
        raise ValueError(f"question: {factor}={word} may be {known}: name both sides of the size.")
    if list(levels) == ["None"]:
        raise ValueError(
            f"question: {factor} is no key of these runs' configs, and none of question.factors."
        )
    raise ValueError(f"question: no run has {factor}={word}, but {', '.join(levels)}.")


def _same_number(known: str, word: str) -> bool:
    """Whether both are the same number; a size is meant by its height if the word has one side."""
    try:
        return "," not in word and number(known) == number(word)
    except ValueError:
        return False


def _slope(per: str, factor: str, levels: Sequence[str]) -> OfLevels:
    """The slope of the straight line with the least squares."""
    at = np.array([number(level) for level in levels])
    at = np.log2(at) if per == "doubling" else at / float(per)
    away = at - at.mean()
    if not away.any():
        raise ValueError(f"question: {factor} needs two values or more for a slope over it.")
    return away / (away**2).sum()
