"""What runs differ in besides what is compared, as notes on a verdict."""

from collections.abc import Sequence
from typing import Any

from heatmap_research.analysis.comparison.verdict.settings import Group, first
from heatmap_research.runs.find import Run, varied

# What makes an arm what it is: how joints become maps and maps joints, and how that is best learnt.
# Everything else (data, image size, backbone, neck, steps, ...) is the same on both sides or told.
ARM = (
    *("arm", "experiment", "head", "target", "labels", "loss", "decoder", "stride", "sigma"),
    *("anisotropy", "widths", "score", "beta", "optimizer", "schedule"),
)
NO_MATTER = (
    *("seed", "metric", "monitor", "monitor_mode", "evaluate", "channels_last", "compile"),
    *("callback.last", "callback.best"),
)
DATA = ("data", "image_size", "geometry", "joints")  # what decides on images and their truth
MAX_KEYS_IN_NOTE = 6
MAX_LETTERS = 40  # of a value

Pairs = Sequence[tuple[Group, Group]]


def note(pairs: Pairs, by: str) -> str | None:
    """What else differs between groups that are compared, of which each setting has a pair."""
    own = ARM if by in ("arm", "experiment") else (by,)
    told: dict[str, list[str]] = {}
    for one, other in pairs:
        for key, values in _differences(first(one), first(other)).items():
            if not _among(key, own):
                told.setdefault(key, []).append(f"{_word(values[0])}, not {_word(values[1])}")
    if not told:
        return None
    said = [f"{key} ({'; '.join(dict.fromkeys(values))})" for key, values in told.items()]
    left = len(said) - MAX_KEYS_IN_NOTE
    more = [f"{left} more"] if left > 0 else []
    return f"{pairs[0][0].arm} also differs in {_list(said[:MAX_KEYS_IN_NOTE] + more)}"


def of_data(one: Run, other: Run) -> str:
    differing = {k: v for k, v in _differences(one, other).items() if _among(k, DATA)}
    said = [f"{key} is {_word(a)} and {_word(b)}" for key, (a, b) in differing.items()]
    return _list(said[:MAX_KEYS_IN_NOTE])


def _differences(one: Run, other: Run) -> dict[str, list[Any]]:
    """Both values of keys that differ, each once, however often a config repeats it."""
    differing = {k: v for k, v in varied([one, other]).items() if not _among(k, NO_MATTER)}
    kept: dict[str, list[Any]] = {}
    for key in sorted(differing, key=lambda key: key.count(".")):
        repeated = any(_repeats(key, known) and differing[key] == kept[known] for known in kept)
        if not repeated and not set(key.split(".")[1:-1]) & kept.keys():  # nor its option's
            kept[key] = differing[key]
    return kept


def _repeats(key: str, known: str) -> bool:
    """`data.train.pool` is `data.pool`, and `data.train.geometry.first` is `geometry.first`."""
    of_its_group = [name.partition(".")[0] + name.rpartition(".")[2] for name in (key, known)]
    return key.endswith(f".{known}") or of_its_group[0] == of_its_group[1]


def _among(key: str, keys: Sequence[str]) -> bool:
    return any(key == other or key.startswith(f"{other}.") for other in keys)


def _word(value: Any) -> str:
    word = "none" if value is None else str(value)
    return word if len(word) <= MAX_LETTERS else f"{word[: MAX_LETTERS - 1]}…"


def _list(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + " and " * (len(words) > 1) + "".join(words[-1:])
