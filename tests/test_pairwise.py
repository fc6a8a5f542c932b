import itertools

import pairwise
import pytest

COLOURS, SIZES, SHAPES = ("red", "green", "blue"), ("small", "large"), ("round", "square", "long")
PRODUCT = list(itertools.product(COLOURS, SIZES, SHAPES, COLOURS))


def pairs(combinations):
    return {pair for names in combinations for pair in itertools.combinations(enumerate(names), 2)}


def cases(mark):
    return [case.id for case in mark.args[1]], [case.marks for case in mark.args[1]]


@pytest.mark.parametrize(
    "product",
    [
        PRODUCT,
        [names for names in PRODUCT if names[0] != names[3] and names[:2] != ("red", "small")],
    ],
    ids=["whole", "with_forbidden_combinations"],
)
def test_any_two_options_that_may_meet_do_meet_in_few_combinations(product):
    few = pairwise.pairwise(product)
    assert pairs(few) == pairs(product)
    assert set(few) <= set(product)
    assert len(few) <= 15  # of 54
    assert few == pairwise.pairwise(product)


def test_a_test_is_given_the_options_by_name_and_the_hard_combinations_besides():
    options = {"colour": dict.fromkeys(COLOURS, 1), "size": [4, 2 / 3], "shape": SHAPES}
    names, _ = cases(pairwise.covering(("red", "size0.667", "long"), **options))
    other, _ = cases(pairwise.covering(allowed=lambda colour, **_: colour != "red", **options))
    assert "red-size0.667-long" in names
    assert not any(name.startswith("red") for name in other)


def test_each_of_the_tests_that_share_a_covering_meets_every_option():
    shares = pairwise.shared("one", "two", colour=COLOURS, size=SIZES, shape=SHAPES)
    names = {test: [name.split("-") for name in cases(mark)[0]] for test, mark in shares.items()}
    for mine in names.values():
        assert {option for each in mine for option in each} == {*COLOURS, *SIZES, *SHAPES}
    together = pairs([name for mine in names.values() for name in mine])
    assert together == pairs(itertools.product(COLOURS, SIZES, SHAPES))


def test_the_rest_of_the_product_is_slow(monkeypatch):
    few, _ = cases(pairwise.covering(colour=COLOURS, size=SIZES, shape=SHAPES))
    monkeypatch.setattr(pairwise, "whole_products", True)
    every, marks = cases(pairwise.covering(colour=COLOURS, size=SIZES, shape=SHAPES))
    assert len(every) == 18
    assert [name for name, mark in zip(every, marks, strict=True) if not mark] == few


def test_the_rest_of_a_single_factor_is_slow(monkeypatch):
    assert pairwise.few_of(range(2), range(2, 5)) == [0, 1]
    monkeypatch.setattr(pairwise, "whole_products", True)
    zero, one, *rest = pairwise.few_of(range(2), range(2, 5))
    assert (zero, one) == (0, 1)
    assert [(*case.values, case.marks[0].name) for case in rest] == [(n, "slow") for n in (2, 3, 4)]


def test_a_test_goes_through_each_value_of_a_factor_and_a_failure_says_at_which():
    met = []

    @pairwise.each(size=[1, 2, 3])
    @pytest.mark.parametrize("colour", COLOURS)
    def through(colour, size):
        met.append((colour, size))
        assert size < 3

    with pytest.raises(AssertionError) as failed:
        through(colour="red")
    assert met == [("red", 1), ("red", 2), ("red", 3)]
    assert failed.value.__notes__ == ["size=3"]
