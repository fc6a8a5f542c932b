"""What a pair of vectors makes of a joint that may be in more than one place: simulations."""
