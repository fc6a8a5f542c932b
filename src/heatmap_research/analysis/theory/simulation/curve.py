"""A simulation and its law."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Points = Float[np.ndarray, " point"]


@dataclass(frozen=True, eq=False)
class Curve:
    """What was simulated, and what a law says of the same points, where there is one."""

    name: str
    across: Points
    measured: Points
    law: Points | None
