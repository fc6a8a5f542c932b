"""Where a trained run's error comes from: oracles put right one cause after the other.

`parts.budget` takes a `State` (what was found and what is true of two stages, as arrays), the
replacements there are and an order; no network and no configuration is known here.
"""
