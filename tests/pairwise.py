"""Few combinations of options, among which any two options meet, instead of every combination.

A fault of one option, or of two in company, shows in them as it does in the whole product, of which
`pytest -m slow` runs the rest.
"""

import functools
import inspect
import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

Options = Mapping[str, Any] | Sequence[Any]  # by their names, or plain values
Names = tuple[str, ...]  # of one option a factor

whole_products = False  # conftest.py makes it True where slow tests are asked for


def covering(*hard: Names, allowed: Callable[..., bool] | None = None, **factors: Options) -> Any:
    """Parametrises a test by a covering of its options and by the hard combinations besides."""
    return shared("it", hard=hard, allowed=allowed, **factors)["it"]


def shared(
    *tests: str,
    hard: Sequence[Names] = (),
    allowed: Callable[..., bool] | None = None,  # asked with names by factor, "test" among them
    **factors: Options,
) -> dict[str, Any]:
    """Deals one covering out to tests of one kind: each test meets every option."""
    named = {factor: _by_name(factor, options) for factor, options in factors.items()}
    product = [
        names
        for names in itertools.product(tests, *named.values())
        if allowed is None or allowed(**dict(zip(["test", *named], names, strict=True)))
    ]
    few = [*pairwise(product), *((test, *names) for test in tests for names in hard)]
    return {test: _parametrised(test, named, few, product) for test in tests}


def pairwise(product: Sequence[Names]) -> list[Names]:
    """Chosen greedily: any two names that stand together in the product stand together here."""
    pairs = {names: set(itertools.combinations(enumerate(names), 2)) for names in product}
    shuffled = random.Random(0).sample(product, len(product))
    missing, chosen = set().union(*pairs.values()), set()
    while missing:
        best = max(shuffled, key=lambda names: len(pairs[names] & missing))
        missing -= pairs[best]
        chosen.add(best)
    return [names for names in product if names in chosen]


def few_of(few: Sequence[Any], rest: Sequence[Any]) -> list[Any]:
    """Values of a single factor, such as seeds: the rest of them only where slow tests run."""
    slow = rest if whole_products else ()
    return [*few, *(pytest.param(value, marks=pytest.mark.slow) for value in slow)]


def each(**factor: Sequence[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Goes through the values of one factor within a case; a failure says at which it was."""
    ((name, values),) = factor.items()

    def through(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def all_of_them(**given: Any) -> None:
            for value in values:
                try:
                    test(**given, **{name: value})
                except BaseException as error:
                    error.add_note(f"{name}={value}")
                    raise

        known = inspect.signature(test)
        others = [own for own in known.parameters.values() if own.name != name]
        all_of_them.__signature__ = known.replace(parameters=others)  # type: ignore[attr-defined]
        return all_of_them

    return through


def _parametrised(
    test: str, named: dict[str, dict[str, Any]], few: list[Names], product: list[Names]
) -> Any:
    marks = {names: pytest.mark.slow for names in product} if whole_products else {}
    marks |= dict.fromkeys(few, ())
    options = {
        names: [named[f][n] for f, n in zip(named, names[1:], strict=True)] for names in marks
    }
    return pytest.mark.parametrize(
        list(named),
        [
            pytest.param(*options[names], id="-".join(names[1:]), marks=mark)
            for names, mark in marks.items()
            if names[0] == test
        ],
    )


def _by_name(factor: str, options: Options) -> dict[str, Any]:
    if isinstance(options, Mapping):
        return dict(options)
    numbers = (int, float)
    return {f"{factor}{o:.3g}" if isinstance(o, numbers) else str(o): o for o in options}
