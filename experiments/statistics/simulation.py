"""Differences between two arms, by seed, image and person, whose true mean is known."""

from dataclasses import dataclass

import numpy as np

MOST = 4  # people in an image, from 1 on, equally often
COUNTED = 0.9  # share of people with anything to count
CROWDING = 0.05  # what each person in an image adds to everyone in it: sizes tell something


@dataclass(frozen=True)
class World:
    """Standard deviations, in pixels."""

    seed: float
    image: float = 0.4
    person: float = 0.4  # of a person, for every seed
    crossed: float = 0.15  # of a seed on an image
    rest: float = 0.3
    mean: float = 0.0

    def draw(
        self, rng: np.random.Generator, tables: int, seeds: int, images: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Totals and counts of each cell: (table, seed, image)."""
        people = rng.integers(1, MOST + 1, (tables, 1, images))
        there = np.arange(MOST) < people[..., None]
        counted = there & (rng.random(there.shape) < COUNTED)  # (table, 1, image, person)
        truth = CROWDING * (people - _mean_company())
        cell = (
            self.mean
            + truth
            + rng.normal(0, self.seed, (tables, seeds, 1))
            + rng.normal(0, self.image, (tables, 1, images))
            + rng.normal(0, self.crossed, (tables, seeds, images))
        )
        shape = (tables, seeds, images, MOST)
        person = rng.normal(0, self.person, (tables, 1, images, MOST))
        values = cell[..., None] + person + rng.normal(0, self.rest, shape)
        return np.where(counted, values, 0).sum(-1), counted.sum(-1) + np.zeros((tables, seeds, 1))


def _mean_company() -> float:
    """People in the image of a person drawn from all people: sum of squares over sum of sizes."""
    sizes = np.arange(1, MOST + 1)
    return float((sizes**2).sum() / sizes.sum())
