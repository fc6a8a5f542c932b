"""A command says what is wrong with its config before it spends seconds on importing torch."""

from heatmap_research.config import surroundings
from heatmap_research.config.lazy import lazily

surroundings.make_do()
lazily("torch")
lazily("wandb")  # which timm imports, for a summary of its own
lazily("scipy.signal", hamming=None)  # which torchmetrics imports, to add a window that is gone
