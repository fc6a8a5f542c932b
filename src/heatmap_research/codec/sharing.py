"""What several decoders ask of the same map is worked out once while a batch is decoded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch

P, R = ParamSpec("P"), TypeVar("R")
_answers: ContextVar[dict[Any, Any] | None] = ContextVar("answers", default=None)


@contextmanager
def sharing() -> Iterator[None]:
    """Functions under `once` keep their answers until this ends; maps must not change meanwhile."""
    if torch.compiler.is_compiling():
        yield
        return
    before = _answers.set({})
    try:
        yield
    finally:
        _answers.reset(before)


def once(function: Callable[P, R]) -> Callable[P, R]:
    """Answers for the same tensors and numbers as it did before. A compiler finds these itself."""

    @wraps(function)
    def answered(*given: P.args, **named: P.kwargs) -> R:
        if torch.compiler.is_compiling() or (answers := _answers.get()) is None:
            return function(*given, **named)
        key = (function, *map(_known, given), *((n, _known(v)) for n, v in named.items()))
        if key not in answers:  # `given` is kept, or a later tensor could have the same id
            answers[key] = given, named, function(*given, **named)
        return answers[key][-1]

    return answered


def _known(value: object) -> object:
    return id(value) if isinstance(value, torch.Tensor) else value
