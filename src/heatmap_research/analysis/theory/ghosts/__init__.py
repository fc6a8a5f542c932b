"""Simulations of a joint that may be in more than one place, and of what two vectors say of it."""
