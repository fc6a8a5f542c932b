"""Closed forms for what encoding and decoding cost, to lay over what is measured."""

import numpy as np
from jaxtyping import Float

Numbers = float | Float[np.ndarray, "..."]
