"""What an experiment asks: one figure of all its cells, with the interval of that figure."""
