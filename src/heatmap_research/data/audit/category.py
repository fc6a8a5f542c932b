"""What a category says of its joints."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from heatmap_research.data.audit import sides
from heatmap_research.data.audit.finding import LEARNT, REFUSED, Finding, found
from heatmap_research.data.audit.records import Records

SIGMAS = ("sigmas", "keypoint_sigmas")  # the first that is there is read


def check(records: Records) -> Iterator[Finding]:
    names, category = records.names, records.category
    again = [name for name, count in Counter(names).items() if count > 1]
    wrong, alone = _unpaired(category.get("flip_pairs"), len(names))
    unread = category.get("flip_pairs") is not None  # they go before flip_indices
    mirrored = [] if unread else _unmirrored(category.get("flip_indices"), len(names))
    edges = _edges(category.get("skeleton"), len(names))
    key = next((k for k in SIGMAS if category.get(k) is not None), SIGMAS[0])
    yield from found("name of several joints", again, REFUSED)
    yield from found("flip pair does not pair two joints", wrong, REFUSED)
    yield from found("flip pair of a joint with itself", alone, LEARNT)
    yield from found("flip_indices do not pair", mirrored, REFUSED)
    yield from found("skeleton edge does not join two joints", edges, "no skeleton is drawn")
    yield from found(f"{key} do not fit", _sigmas(category.get(key), len(names)), REFUSED)


def check_sides(records: Records) -> Iterator[Finding]:
    points, pairs = records.points, records.sided
    odd = sides.suspected(points, pairs, records.bones) & ~records.crowd[:, None]
    for column, (left, right) in enumerate(pairs):
        names = f"{records.names[left]} / {records.names[right]}"
        where = records.of(odd[:, column])
        yield from found(f"suspected: {names} swapped", where, LEARNT)
    worst = [pairs[column] for column in sides.swapped_in_most(points, pairs)]
    whole = [f"{records.names[left]} / {records.names[right]}" for left, right in worst]
    yield from found("suspected: a pair is swapped in most people", whole, LEARNT)


def _unpaired(pairs: Any, joints: int) -> tuple[list[str], list[str]]:
    """Out of range or paired already; and joined to itself."""
    wrong, alone, seen = [], [], set[int]()
    for pair in _list(pairs):
        if not _are_joints(pair, range(joints)) or set(pair) & seen:
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
    return [
        f"joint {a} to {b}" for a, b in enumerate(flip) if type(b) is not int or (b, a) not in back
    ]


def _edges(edges: Any, joints: int) -> list[str]:
    """Counted from 1, as COCO does; from 0 where a 0 is among them."""
    listed = _list(edges)
    first = 0 if any(0 in edge for edge in listed if isinstance(edge, list)) else 1
    return [str(edge) for edge in listed if not _are_joints(edge, range(first, joints + first))]


def _sigmas(sigmas: Any, joints: int) -> list[str]:
    if sigmas is None:
        return []
    if not isinstance(sigmas, list) or len(sigmas) != joints:
        number = len(sigmas) if isinstance(sigmas, list) else "no list"
        return [f"{number} for {joints} joints"]
    wrong = [s for s in sigmas if not isinstance(s, int | float) or not 0 < s < float("inf")]
    return [f"{sigma} is not above 0" for sigma in wrong]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _are_joints(pair: Any, allowed: range) -> bool:
    if not isinstance(pair, list) or len(pair) != 2:
        return False
    return all(type(end) is int and end in allowed for end in pair)
