"""A command says what is wrong with its config before it spends seconds on importing torch."""

from heatmap_research.config import garbage, surroundings
from heatmap_research.config.lazy import lazily
from heatmap_research.config.lazy_compiler import compiler_lazily

surroundings.make_do()
garbage.later()
lazily("torch")
compiler_lazily()
lazily("wandb")  # which timm imports, for a summary of its own
lazily("scipy.signal", hamming=None)  # which torchmetrics imports, to add a window that is gone
lazily(  # with pyplot, of which torchmetrics wants the names of types; these it has without it
    "torchmetrics.utilities.plot",
    ["plot_confusion_matrix", "plot_curve", "plot_single_or_multi_val"],
    _AX_TYPE=object,
    _PLOT_OUT_TYPE=tuple[object, object],
    _CMAP_TYPE=object,
)
