"""Numbers that other projects' code gave, and how near to them ours must come.

They lie in HEATMAP_GOLDEN=FOLDER, else in tests/golden. Groups, sizes, constants and tolerances
are read there: a test names the published function and the fields of its keys, nothing else.
"""

import functools
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

FOLDER = Path(os.environ.get("HEATMAP_GOLDEN") or Path(__file__).parent / "golden")
PRESENT = FOLDER.is_dir()
CLAIMS: list[tuple[str, re.Pattern[str]]] = []  # the file and the keys of each test
NOT_HERE = pytest.mark.skip(
    reason=f"none in {FOLDER.name}" if PRESENT else "no golden numbers: set HEATMAP_GOLDEN=FOLDER"
)

if "HEATMAP_GOLDEN" in os.environ and not PRESENT:
    raise FileNotFoundError(f"HEATMAP_GOLDEN={FOLDER} is not a folder")


@functools.cache
def arrays(file: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f"{file}.npz", allow_pickle=False) as stored:
        return dict(stored)


@functools.cache
def facts(file: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{file}.json").read_text())


def files() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.npz"))


def outputs(file: str) -> list[str]:
    return [key for key, fact in facts(file)["arrays"].items() if fact["role"] == "output"]


@dataclass(frozen=True)
class Case:
    """One stored array; case["{group}.kpts"] is another of its file, and of its group."""

    file: str
    key: str
    fields: dict[str, str]  # of the key, by the names in the pattern
    compared: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> Tensor:
        return torch.from_numpy(arrays(self.file)[name.format(**self.fields)])

    def __getattr__(self, name: str) -> str:
        try:
            return self.fields[name]
        except KeyError:
            raise AttributeError(name) from None

    def __contains__(self, name: str) -> bool:
        return name.format(**self.fields) in arrays(self.file)

    def fellow(self, key: str) -> "Case":
        """Returns another array of the file, which has arguments of its own."""
        return Case(self.file, key, {**self.fields, "group": key.partition(".")[0]})

    @property
    def stored(self) -> Tensor:
        return torch.from_numpy(arrays(self.file)[self.key])

    @property
    def fact(self) -> dict[str, Any]:
        return facts(self.file)["arrays"][self.key]

    def argument(self, name: str, default: Any = None) -> Any:
        """What the published function was called with; "default 10.0" reads as 10.0."""
        value = (self.fact["producer"]["arguments"] or {}).get(name, default)
        if isinstance(value, str) and value.startswith("default "):
            return float(value.removeprefix("default "))
        return value

    def check(self, mine: Tensor, where: Tensor | None = None) -> None:
        """Asserts that ours is as near as the tolerance class asks, where a mask says it can be."""
        self.compared.append(self.key)
        stored, ours = (array.detach().double() for array in (self.stored, mine))
        assert ours.shape == stored.shape, f"{tuple(ours.shape)}, stored {tuple(stored.shape)}"
        if where is not None:
            where = where.view(*where.shape, *[1] * (stored.ndim - where.ndim)).expand_as(stored)
            stored, ours = stored[where], ours[where]
        same = (ours == stored) | (ours.isnan() & stored.isnan())
        off = torch.where(same, 0.0, (ours - stored).abs()).nan_to_num(torch.inf)
        bound = self._bound()
        worst = off.max().item() if off.numel() else 0.0
        assert worst <= bound, (
            f"{self.key} is off by {worst:.3g}, allowed {bound:.3g}, in "
            f"{int((off > bound).sum())} of {off.numel()} numbers"
        )

    def _bound(self) -> float:
        tolerance = facts(self.file)["tolerance_classes"][self.fact["tolerance_class"]]
        largest = self.stored.double().abs().nan_to_num(0).max().item()
        return tolerance["atol"] + tolerance["rtol_of_max"] * largest


def published(file: str, *patterns: str) -> Callable[[Callable[[Case], None]], Any]:
    """Runs a test on each array of a file whose key fits "{group}.name.{field:one|other}".

    What pytest counts and names are the groups; a failure names the array.
    """
    fits = [_compiled(pattern) for pattern in patterns]
    CLAIMS.extend((file, fit) for fit in fits)

    def decorate(test: Callable[[Case], None]) -> Any:
        @functools.wraps(test)
        def checked(case: list[Case]) -> None:
            for each in case:
                _run(test, each)

        groups: dict[str, list[Case]] = {}
        for case in _cases(file, fits):
            groups.setdefault(case.fields.get("group", "whole"), []).append(case)
        cases = [pytest.param(cases, id=group) for group, cases in groups.items()]
        nothing = [pytest.param([], marks=NOT_HERE, id="none")]
        return pytest.mark.parametrize("case", cases or nothing)(checked)

    return decorate


def _run(test: Callable[[Case], None], case: Case) -> None:
    try:
        test(case)
        assert case.compared, "was not compared"
    except BaseException as error:
        error.add_note(f"with {case.key} of {case.file}")
        raise


def claims(file: str, key: str) -> int:
    """Counts the tests that compare this array."""
    return sum(name == file and bool(fit.fullmatch(key)) for name, fit in CLAIMS)


def _cases(file: str, fits: list[re.Pattern[str]]) -> Iterator[Case]:
    if PRESENT and file in files():
        for key in outputs(file):
            for found in filter(None, (fit.fullmatch(key) for fit in fits)):
                yield Case(file, key, found.groupdict())


def _compiled(pattern: str) -> re.Pattern[str]:
    """Turns "{group}.{field:one|other}" into an expression; a bare field is a word."""
    texts = re.split(r"(\{[^}]*\})", pattern)
    return re.compile("".join(_expression(text) for text in texts))


def _expression(text: str) -> str:
    if not text.startswith("{"):
        return re.escape(text)
    name, _, expression = text[1:-1].partition(":")
    return f"(?P<{name}>{expression or '[^.]+'})"
