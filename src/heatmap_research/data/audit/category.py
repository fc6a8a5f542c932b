"""Checks of a category: what it says of its joints."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from heatmap_research.data.annotations import schemas
from heatmap_research.data.audit.records import LEARNT, REFUSED, Finding, Records


def check(records: Records) -> Iterator[Finding]:
    names, category = records.names, records.category
    again = [name for name, count in Counter(names).items() if count > 1]
    wrong, alone = _unpaired(category.get("flip_pairs"), len(names))
    unread = category.get("flip_pairs") is not None  # they go before flip_indices
    mirrored = [] if unread else _unmirrored(category.get("flip_indices"), len(names))
    edges = _edges(category.get("skeleton"), len(names))
    key = schemas.sigma_key(category) or schemas.SIGMA_KEYS[0]
    yield Finding("name of several joints", again, REFUSED)
    yield Finding("flip pair does not pair two joints", wrong, REFUSED)
    yield Finding("flip pair of a joint with itself", alone, LEARNT)
    yield Finding("flip_indices do not pair", mirrored, REFUSED)
    sides = schemas.one_sided(category)
    yield Finding("joint of a side without a mirror joint", sides, "no image is mirrored")
    yield Finding("skeleton edge does not join two joints", edges, "no skeleton is drawn")
    yield Finding(f"{key} do not fit", _sigmas(category.get(key), len(names)), REFUSED)


def _unpaired(pairs: Any, joints: int) -> tuple[list[str], list[str]]:
    """Pairs with a joint that does not exist or is paired already; pairs of a joint with itself."""
    wrong, alone, seen = [], [], set[int]()
    for pair in _list(pairs):
        if not schemas.are_joints(pair, range(joints)) or set(pair) & seen:
            wrong.append(str(pair))
        elif pair[0] == pair[1]:
            alone.append(str(pair))
        else:
            seen |= set(pair)
    return wrong, alone


def _unmirrored(flip: Any, joints: int) -> list[str]:
    if flip is None:
        return []
    if not isinstance(flip, list) or len(flip) != joints:
        return [f"not one for each of {joints} joints"]
    back = {(a, b) for a, b in enumerate(flip) if type(b) is int}
    odd = [(a, b) for a, b in enumerate(flip) if type(b) is not int or (b, a) not in back]
    return [f"joint {a} to {b}" for a, b in odd]


def _edges(edges: Any, joints: int) -> list[str]:
    """Edges that do not join two joints, counted from 1 as by COCO, or from 0 where a 0 occurs."""
    listed = _list(edges)
    first = 0 if any(0 in edge for edge in listed if isinstance(edge, list)) else 1
    counted = range(first, joints + first)
    return [str(edge) for edge in listed if not schemas.are_joints(edge, counted)]


def _sigmas(sigmas: Any, joints: int) -> list[str]:
    if sigmas is None:
        return []
    if not isinstance(sigmas, list) or len(sigmas) != joints:
        number = len(sigmas) if isinstance(sigmas, list) else "no list"
        return [f"{number} for {joints} joints"]
    return [f"{sigma} is not above 0" for sigma in sigmas if not schemas.is_sigma(sigma)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
