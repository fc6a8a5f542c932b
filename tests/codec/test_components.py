"""Maps read through a few products of vectors: closed forms, and another fit of the same maps."""

import pytest
import torch
from options import Argmax, Rank

from heatmap_research.analysis.theory.ghosts import maps, rank
from heatmap_research.analysis.theory.ghosts.maps import Mode
from heatmap_research.analysis.theory.laws.ghosts import ghost_mass, ghost_rate
from heatmap_research.codec import components, heatmaps
from heatmap_research.metrics.ghosts import is_apart, is_read_at

SHAPE = (48, 48)
PLACES = ((10, 14), (30, 32))  # y, x
THREE = [Mode(0.4, (8, 8)), Mode(0.35, (24, 40)), Mode(0.25, (34, 24))]


def two(share, first=(2.0, 2.0), second=(2.0, 2.0)):
    modes = [Mode(share, PLACES[0], first), Mode(1 - share, PLACES[1], second)]
    return modes, torch.from_numpy(maps.mixture(modes, SHAPE))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.7])
def test_one_product_puts_the_laws_mass_on_crossed_places_and_two_put_none(share):
    modes, plane = two(share)
    one, both = (components.fit(plane[None, None], r, 40, 2)[0, 0] for r in (1, 2))
    torch.testing.assert_close(one, torch.outer(plane.sum(1), plane.sum(0)), rtol=0, atol=1e-15)
    mass = ghost_mass([share, 1 - share])
    assert mass == pytest.approx(2 * share * (1 - share))
    assert maps.ghost_share(one.numpy(), modes) == pytest.approx(mass, abs=2e-4)
    assert maps.ghost_share(both.numpy(), modes) < 2e-4
    torch.testing.assert_close(both, plane, rtol=0, atol=1e-6)


def test_figures_read_through_one_product_are_mixed_as_often_as_the_law_says():
    """Along each axis the narrower mode is higher, which is the first in 3 of 10 maps."""
    narrow, wide = 1.5, 2.5
    belief = []
    for number in range(100):
        first_y, first_x = number % 10 < 3, number // 10 < 3
        first = tuple(narrow if each else wide for each in (first_y, first_x))
        second = tuple(wide if each else narrow for each in (first_y, first_x))
        belief.append(two(0.5, first, second)[1])
    belief = torch.stack(belief)[:, None].float()
    first, second = (torch.tensor(place[::-1]).float().expand(100, 1, 2) for place in PLACES)
    assert is_apart(first, second).all()

    def rates(product):
        read = product(belief, 1.0).flip(-1)
        figures = ("ghosts", "at_other_figure")
        return [is_read_at(f, read, first, second).float().mean().item() for f in figures]

    law = ghost_rate(0.3)
    assert rates(Rank(Argmax(), 1, steps=1, starts=1)) == pytest.approx([law, 0.49], abs=1e-6)
    for whole in (Argmax(), Rank(Argmax(), 2, steps=40, starts=2)):
        assert rates(whole)[0] == 0


@pytest.mark.parametrize("products", [1, 2, 3])
def test_a_fit_is_as_close_as_one_from_other_starts(products):
    plane = maps.mixture(THREE, SHAPE)
    found = components.fit(torch.from_numpy(plane)[None, None], products, steps=200, starts=8)
    ours = rank.divergence(plane, found[0, 0].numpy())
    theirs = rank.divergence(plane, rank.fit(plane, products, steps=200, seed=0, starts=8).map)
    assert ours == pytest.approx(theirs, abs=1e-5)


def test_a_fit_keeps_the_marginals_and_does_not_depend_on_its_batch():
    noise = torch.rand(3, 2, 12, 9, generator=torch.Generator().manual_seed(0)).double()
    whole = heatmaps.normalise(noise**4)
    fits = components.fit(whole, 2, steps=7, starts=2)
    for ours, theirs in zip(heatmaps.marginals(fits), heatmaps.marginals(whole), strict=True):
        torch.testing.assert_close(ours, theirs)
    alone = components.fit(whole[1:2, 1:], 2, steps=7, starts=2)
    torch.testing.assert_close(alone, fits[1:2, 1:])


def test_a_map_of_one_axis_is_read_as_it_is():
    line = torch.rand(2, 3, 20, generator=torch.Generator().manual_seed(0))
    assert torch.equal(Rank(Argmax(), 1, 1, 1)(line, 1.0), Argmax()(line, 1.0))


@pytest.mark.parametrize("knob", ["rank", "steps", "starts"])
def test_a_fit_needs_a_product_a_step_and_a_start(knob):
    with pytest.raises(ValueError, match=f"{knob}=0: give at least 1"):
        Rank(Argmax(), **{"rank": 2, "steps": 3, "starts": 1} | {knob: 0})
