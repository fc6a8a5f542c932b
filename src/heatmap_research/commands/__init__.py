"""A command says what is wrong with its config before it spends seconds on importing torch."""

from heatmap_research.config.lazy import lazily

lazily("torch")
