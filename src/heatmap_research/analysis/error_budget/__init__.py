"""Where a trained run's error comes from: oracles put its causes right, one after the other.

`parts.budget` takes a `State` (arrays of what was answered and what is true of two stages), the
replacements there are and an order; no network and no configuration is known here.
"""
